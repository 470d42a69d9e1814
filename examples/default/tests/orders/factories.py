"""Factories of the orders app."""

from factory.declarations import Sequence
from factory.django import DjangoModelFactory

from acme_shop.orders.models import Order


class OrderFactory(DjangoModelFactory[Order]):
    class Meta:
        model = Order

    product = Sequence("product {}".format)
    quantity = 1
