"""Async tests: each rolls back, however it reaches the database."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient

from acme_shop.orders.models import Order
from acme_shop.orders.services import process_order
from acme_shop.testing import acreate, run_async
from acme_shop.users.models import User

from .factories import OrderFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
async def order() -> Order:
    return await Order.objects.acreate(product="tea")


async def test_an_async_fixture_and_the_orm(order: Order):
    await Order.objects.acreate(product="cake")

    assert [found.product async for found in Order.objects.order_by("pk")] == ["tea", "cake"]


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_a_factory_in_sync_to_async_leaves_nothing(turn: str):
    await sync_to_async(OrderFactory)()

    assert await Order.objects.acount() == 1


async def test_a_factory_with_acreate():
    order = await acreate(OrderFactory, product="tea")

    assert await Order.objects.aget() == order


async def test_many_at_once():
    await asyncio.gather(*(acreate(OrderFactory) for _ in range(5)))

    assert await Order.objects.acount() == 5


async def test_sync_code_with_a_transaction(order: Order):
    assert await sync_to_async(process_order)(order.pk) is True

    await order.arefresh_from_db()
    assert order.status == Order.Status.PROCESSED


async def test_an_async_view(authenticated_async_client: AsyncClient, user: User, order: Order):
    order.customer = user
    await order.asave()

    response = await authenticated_async_client.get(f"/orders/{order.pk}/")

    assert response.json()["product"] == "tea"


async def test_a_sync_view_for_a_user(authenticated_async_client: AsyncClient, user: User):
    await authenticated_async_client.post("/", {"product": "tea", "quantity": 2})

    assert (await Order.objects.aget()).customer_id == user.pk


def test_async_code_in_a_sync_test():
    order = OrderFactory.create()

    assert run_async(Order.objects.aget(pk=order.pk)) == order


async def test_another_thread_is_refused():
    """It opens another connection, so its writes would be committed."""
    with pytest.raises(RuntimeError, match="not rolled back with the test"):
        await asyncio.to_thread(Order.objects.create, product="tea")


@pytest.mark.django_db(transaction=True)
async def test_another_thread_in_a_test_that_commits():
    await asyncio.to_thread(Order.objects.create, product="tea")

    assert await Order.objects.acount() == 1
