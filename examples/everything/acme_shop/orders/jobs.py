"""Procrastinate tasks of the orders app: a job is a row, so it may run twice, but is never lost."""

from django.db import OperationalError
from procrastinate import RetryStrategy
from procrastinate.contrib.django import app

from acme_shop import logs

from . import services
from .models import Order


@app.task(
    retry=RetryStrategy(max_attempts=5, exponential_wait=2, retry_exceptions={OperationalError})
)
def process_order(order_id: int, request_id: str = "-") -> bool:
    """Process the order; a database that is down or deadlocked is tried again later."""
    logs.request_id.set(request_id)  # Of the request that placed it.
    return services.process_order(order_id)


@app.task(queue="exports", lock="export", queueing_lock="export")
async def count_orders() -> int:
    """How many orders there are: an async task, of which one waits and one runs at any time."""
    return await Order.objects.acount()
