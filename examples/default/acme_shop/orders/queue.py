"""Where an order's processing goes: the one function that the choice of a queue replaces."""

from functools import partial

from django.db import transaction

from .services import process_order

# What processes orders that wait all the same; the page says so in development.
WORKER = "uv run manage.py process_waiting_orders --minutes 0"


def enqueue_processing(order_id: int) -> None:
    """Process the order here, when the transaction commits; a rollback processes nothing.

    An error is logged and does not fail the request: the order is saved, and process_waiting_orders
    finds it.
    """
    transaction.on_commit(partial(process_order, order_id), robust=True)
