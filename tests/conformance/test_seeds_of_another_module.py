"""A module without a seed, and one from conftest.py beside its own."""

import pytest
from shop.orders.models import Order

pytestmark = pytest.mark.django_db


async def test_no_row_of_another_module():
    assert await Order.objects.acount() == 0
