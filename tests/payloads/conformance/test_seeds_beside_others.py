"""A module with another seed: it sees nothing of the first, and its tests need the mark all the same."""

import pytest
from shop.orders.models import Order
from shop.testing import seed

not_marked = pytest.raises(RuntimeError, match="Database access not allowed")


@seed
def only():
    return Order.objects.create(product="only")


@pytest.mark.django_db
async def test_no_row_of_another_module(only):
    assert await Order.objects.aget() == only


def test_without_the_mark():
    with not_marked:
        Order.objects.count()


async def test_without_the_mark_async():
    with not_marked:
        await Order.objects.acount()
