"""What happens to an order, whichever queue calls it."""

from django.db import transaction

from .models import Order


def process_order(order_id: int) -> bool:
    """Process the order once; return whether this call did it, since queues may deliver twice."""
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=order_id)
        if order.status != Order.Status.NEW:
            return False
        order.status = Order.Status.PROCESSED
        order.save(update_fields=["status"])
    return True
