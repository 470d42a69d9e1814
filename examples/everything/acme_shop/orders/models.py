"""An order, which enqueues its own processing when it is first saved."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction


class Order(models.Model):
    class Status(models.TextChoices):
        NEW = "new"
        PROCESSED = "processed"

    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="orders"
    )
    product = models.CharField(max_length=100)
    quantity = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=10, choices=Status, default=Status.NEW, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        placed = self._state.adding
        with transaction.atomic():  # The order and, where the queue is in the database, its job.
            super().save(*args, **kwargs)
            # Read at call time, so that one test can turn it on.
            if placed and not getattr(settings, "DISABLE_AUTO_WORKER_SPAWN", False):
                from .queue import enqueue_processing

                enqueue_processing(self.pk)

    def clean(self) -> None:
        if self.quantity is not None and self.quantity < 1:
            raise ValidationError({"quantity": "Order at least 1."})
