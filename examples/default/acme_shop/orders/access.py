"""Whose order it is: the one rule, for page, JSON, API, websocket and chat.

Staff see every order, customers their own. A visitor who is not logged in sees what this browser
placed (its session says so); nobody else does, whoever guesses the number of an order.
"""

from typing import Any

from django.db.models import QuerySet

from .models import Order

KEPT = 50  # Orders that a session remembers.


def visible_orders(user: Any, session: Any) -> QuerySet[Order]:
    """The orders that this visitor may see."""
    if user.is_staff:
        return Order.objects.all()
    if user.is_authenticated:
        return Order.objects.filter(customer=user.pk)
    return Order.objects.filter(customer=None, pk__in=session.get("orders", []))


def place_order(order: Order, user: Any, session: Any) -> None:
    """Save a new order as this visitor's."""
    order.customer = user if user.is_authenticated else None
    order.save()
    if order.customer is None:
        session["orders"] = [*session.get("orders", []), order.pk][-KEPT:]
