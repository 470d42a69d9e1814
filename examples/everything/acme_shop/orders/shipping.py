"""Sends an order out: a parcel at the carrier, and a mail to the customer."""

from .carrier import carrier
from .models import Order


def ship(order: Order) -> str:
    """Return the tracking number; an error of the carrier is the caller's, and nothing is mailed."""
    tracking = carrier().book(order)
    if order.customer:
        order.customer.email_user("Your order is on its way", f"{order}: track it with {tracking}.")
    return tracking
