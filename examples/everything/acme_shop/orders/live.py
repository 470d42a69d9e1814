"""Tells open pages of every order that is placed or processed."""

import logging
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from redis.exceptions import RedisError

from .models import Order

logger = logging.getLogger(__name__)
GROUP = "orders"


def as_message(order: Order) -> dict[str, Any]:
    return {field: getattr(order, field) for field in ("id", "product", "quantity", "status")}


@receiver(post_save, sender=Order)
def announce(instance: Order, **kwargs: Any) -> None:
    """On commit, since a page must not show what a rollback takes back."""
    message = {"type": "order.changed", "order": as_message(instance)}
    transaction.on_commit(partial(tell, message))


def tell(message: dict[str, Any]) -> None:
    """Send to every open page; the order is saved by then, so a dead Redis must not fail the request."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(GROUP, message)
    except (RedisError, OSError):
        logger.exception("No channel layer: open pages were not notified of %s", message["order"])
