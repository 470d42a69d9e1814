"""Tests and fixtures on a loop of the module."""

import pytest
import pytest_asyncio
from shop.orders.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def resource():
    yield []


@pytest.mark.parametrize("turn", [1, 2, 3])
async def test_module_loop(resource, turn):
    resource.append(turn)
    await Order.objects.acreate(product="x")
    assert await Order.objects.acount() == 1
