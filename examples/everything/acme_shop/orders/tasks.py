"""Celery tasks of the orders app: arguments are plain values, and running one twice does no harm."""

import logging

from celery import shared_task
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerError

from . import services

logger = logging.getLogger(__name__)


@shared_task(autoretry_for=(OperationalError,), retry_backoff=True, max_retries=5)
def process_order(order_id: int) -> bool:
    """Process the order; a database that is down or deadlocked is tried again later."""
    return services.process_order(order_id)


@shared_task
def process_waiting_orders(minutes: int = 5) -> int:
    """Process what has waited for so long: CELERY_BEAT_SCHEDULE calls this, as a safety net."""
    return services.process_waiting_orders(minutes)


def send(order_id: int) -> bool:
    """Publish; the order is saved by then, so a broker that is down must not fail the request."""
    try:
        # Nobody waits for the result: so a result backend that is down does not matter either.
        process_order.apply_async((order_id,), ignore_result=True)
    except BrokerError:
        logger.exception("No broker: order %s waits for process_waiting_orders", order_id)
        return False
    return True
