"""The helpers for async tests."""

import pytest
from django.test import AsyncClient
from shop.orders.models import Order
from shop.testing import acreate, run_async
from tests.orders.factories import OrderFactory

pytestmark = pytest.mark.django_db


async def total():
    return await Order.objects.acount()


def test_run_async():
    Order.objects.create(product="x")
    assert run_async(total()) == 1
    assert run_async(Order.objects.acreate(product="y")).pk
    assert Order.objects.count() == 2
    assert run_async(AsyncClient().get("/async/")).json()["count"] == 3


def test_run_async_raises_the_error():
    with pytest.raises(Order.DoesNotExist):
        run_async(Order.objects.aget(pk=0))


async def test_run_async_is_refused_in_an_async_test():
    waiting = total()
    with pytest.raises(RuntimeError, match="just await"):
        run_async(waiting)
    assert await waiting == 0


async def test_acreate():
    order = await acreate(OrderFactory, product="tea")
    assert (await Order.objects.aget()).product == order.product == "tea"


async def test_authenticated_async_client(authenticated_async_client, user):
    assert (await authenticated_async_client.get("/whoami/")).json() == {"user": user.get_username()}


def test_user(user):
    assert not user.is_staff
    assert user.pk
