"""Tests that commit, between others that roll back: they work as before and leave nothing."""

import asyncio
import urllib.request

import pytest
from asgiref.sync import sync_to_async
from django.db import connection, connections, transaction
from django.test import TestCase, TransactionTestCase
from shop.orders.models import Order

from .test_http import asgi

commits = pytest.mark.django_db(transaction=True)


@commits
async def test_commits():
    await Order.objects.acreate(product="x")
    assert not connection.in_atomic_block
    assert await asyncio.to_thread(Order.objects.count) == 1


@commits
async def test_threads_have_their_own_connections():
    mine = await sync_to_async(lambda: connections["default"])()
    other = await asyncio.to_thread(lambda: connections["default"])
    assert mine is not other
    await sync_to_async(Order.objects.create, thread_sensitive=False)(product="x")


@pytest.fixture(scope="module")
def opened():
    opened = []
    yield opened
    assert [connection.connection for connection in opened] == [None] * len(opened)


@commits
async def test_connections_of_threads_are_closed(opened):
    def work():
        assert Order.objects.count() == 0
        opened.append(connections["default"])

    await asyncio.to_thread(work)
    assert opened[0].connection is not None


@commits
async def test_on_commit_runs():
    def work():
        with transaction.atomic():
            transaction.on_commit(lambda: Order.objects.create(product="on commit"))

    await sync_to_async(work)()
    assert await Order.objects.acount() == 1


@commits
async def test_asgi_application():
    assert (await asgi("/sync/"))["status"] == 200
    assert await Order.objects.acount() == 1


@pytest.mark.django_db
async def test_rolls_back_between_them():
    await Order.objects.acreate(product="x")
    assert await Order.objects.acount() == 1


async def test_live_server(live_server):
    def get(path):
        with urllib.request.urlopen(f"{live_server.url}{path}") as response:
            return response.read()

    await Order.objects.acreate(product="before")
    assert b'"count": 2' in await asyncio.to_thread(get, "/sync/")
    assert b'"count": 3' in await asyncio.to_thread(get, "/async/")
    assert await Order.objects.acount() == 3


class TestDjangoTestCase(TestCase):
    databases = ("default", "other")

    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(product="class")

    def test_sync(self):
        Order.objects.using("other").create(product="x")
        assert Order.objects.count() == 1

    async def test_async(self):
        await Order.objects.acreate(product="x")
        assert await Order.objects.acount() == 2

    async def test_async_client(self):
        assert (await self.async_client.get("/sync/")).json()["count"] == 2

    async def test_asgi_application(self):
        assert b'"count": 2' in (await asgi("/sync/"))["body"]

    async def test_thread_is_refused(self):
        with pytest.raises(RuntimeError, match="its own connection to database"):
            await asyncio.to_thread(Order.objects.create, product="x")


class TestDjangoTransactionTestCase(TransactionTestCase):
    async def test_async(self):
        await Order.objects.acreate(product="x")
        assert await Order.objects.acount() == 1
