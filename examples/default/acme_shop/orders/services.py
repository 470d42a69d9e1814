"""What happens to an order, whichever queue calls it."""

import logging
import time
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from .models import Order

logger = logging.getLogger(__name__)


def process_order(order_id: int) -> bool:
    """Process the order once; return whether this call did it, since queues may deliver twice."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status != Order.Status.NEW:
            return False
        order.status = Order.Status.PROCESSED
        order.save(update_fields=["status"])
    return True


def process_waiting_orders(minutes: int = 5, seconds: int = 200) -> int:
    """Process what still waits after `minutes`, for `seconds` at most; return how many that were.

    The safety net under each queue, called by a clock: messages are lost, processes are killed. It
    enqueues nothing, so a slow queue does not grow by it, and two at once do each order once.
    """
    end = time.monotonic() + seconds
    placed_before = timezone.now() - timedelta(minutes=minutes)
    waiting = Order.objects.filter(status=Order.Status.NEW, created_at__lt=placed_before)
    processed = 0
    for order_id in [*waiting.order_by("pk").values_list("pk", flat=True)]:
        if time.monotonic() > end:
            break
        try:
            processed += process_order(order_id)
        except Exception:
            logger.exception("Order %s still waits; the others are processed", order_id)
    return processed
