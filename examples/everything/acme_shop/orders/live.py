"""Tells open pages that orders of theirs changed; a page then fetches what is true by that time.

So nothing is lost with a message, and a hundred changes within a second are one message.
"""

import asyncio
import logging
from functools import partial
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.core.cache import cache
from django.db import transaction
from django.db.models.signals import post_save
from django.dispatch import receiver
from redis.exceptions import RedisError

from .models import Order

logger = logging.getLogger(__name__)
STAFF = "orders-staff"
# Seconds from one message to the next. Pages (live.js) fetch later than that: no change is lost.
QUIET = 1
WAIT = 2  # Seconds that a request waits for a Redis that hangs.


def groups_for(user: Any, session: Any) -> list[str]:
    """The groups of a page; access.py says whose orders it shows."""
    if user.is_staff:
        return [STAFF]
    if user.is_authenticated:
        return [f"orders-of-{user.pk}"]
    return [f"order-{pk}" for pk in session.get("orders", [])[-20:]]


@receiver(post_save, sender=Order)
def announce(instance: Order, **kwargs: Any) -> None:
    """On commit, since a page must not show what a rollback takes back."""
    customer, order = instance.customer_id, instance.pk
    own = f"orders-of-{customer}" if customer else f"order-{order}"
    transaction.on_commit(partial(tell, [STAFF, own]), robust=True)


def tell(groups: list[str]) -> None:
    """Send to open pages; the order is saved, so a dead Redis must not fail the request."""
    try:
        due = [group for group in groups if cache.add(f"notified-{group}", True, timeout=QUIET)]
        async_to_sync(send)(due)
    except (RedisError, OSError):
        logger.exception("No channel layer: open pages were not notified")


async def send(groups: list[str]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        async with asyncio.timeout(WAIT):
            for group in groups:
                await layer.group_send(group, {"type": "orders.changed"})
