"""Where an order's processing goes: the one function that the choice of a queue replaces."""

from functools import partial

from django.db import transaction

from .services import process_order


def enqueue_processing(order_id: int) -> None:
    """Process the order here, when the transaction commits; a rollback processes nothing."""
    transaction.on_commit(partial(process_order, order_id))
