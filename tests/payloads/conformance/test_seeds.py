"""Seeds: rows of a module that its tests see and cannot spoil."""

import asyncio
from types import SimpleNamespace

import pytest
from asgiref.sync import sync_to_async
from django.db import IntegrityError, connection, transaction
from django.test import TestCase
from shop.orders.models import Order
from shop.testing import seed
from shop.users.models import User

pytestmark = pytest.mark.django_db(databases=["default", "other"])
ROWS = 50


@seed
def shop():
    owner = User.objects.create(username="owner")
    Order.objects.bulk_create(Order(product=str(n), customer=owner) for n in range(ROWS))
    Order.objects.using("other").create(product="other")
    return SimpleNamespace(owner=owner, first=Order.objects.earliest("pk"), names=["a"])


@seed
async def archive():
    return await Order.objects.acreate(product="archived", quantity=100)


def test_rows_without_asking_for_the_seed():
    assert Order.objects.count() == ROWS + 1


@pytest.mark.parametrize("turn", [1, 2])
def test_own_copy(shop, turn):
    assert (shop.owner.username, shop.names) == ("owner", ["a"])
    shop.owner.username = "bob"
    shop.owner.save()
    shop.names.append("b")
    shop.first.delete()
    assert Order.objects.count() == ROWS


def test_copies_agree_within_a_test(shop):
    assert shop.first.customer == shop.owner


async def test_async(shop, archive):
    assert await Order.objects.acount() == ROWS + 1
    await shop.owner.orders.all().adelete()
    archive.product = "changed"
    await archive.asave()
    assert await Order.objects.acount() == 1


async def test_async_again(archive):
    assert (await Order.objects.aget(quantity=100)).product == archive.product == "archived"


def test_two_databases(shop):
    assert Order.objects.using("other").count() == 1
    Order.objects.using("other").all().delete()


async def test_two_databases_again():
    assert await Order.objects.using("other").acount() == 1


def test_integrity_error(shop):
    with pytest.raises(IntegrityError):
        User.objects.create(username="owner")


def test_integrity_error_in_a_nested_block(shop):
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(username="owner")
    assert Order.objects.count() == ROWS + 1


async def test_async_client(shop, async_client):
    assert (await async_client.get("/sync/")).json()["count"] == ROWS + 2
    assert (await async_client.get("/async/")).json()["count"] == ROWS + 3


async def test_thread_is_refused(shop):
    with pytest.raises(RuntimeError, match="its own connection to database"):
        await asyncio.to_thread(Order.objects.count)


async def test_closing_does_no_harm(shop):
    await sync_to_async(connection.close)()
    assert await Order.objects.acount() == ROWS + 1


def test_on_commit_of_the_seed_is_not_this_test_s(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        Order.objects.update(quantity=2)
    assert callbacks == []


@pytest.mark.django_db
async def test_undeclared_database_is_refused():
    with pytest.raises(AssertionError, match="'other' are not allowed"):
        await Order.objects.using("other").acount()


class TestDjangoTestCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.order = Order.objects.create(product="class")

    def test_sync(self):
        assert Order.objects.count() == ROWS + 2
        Order.objects.all().delete()

    async def test_async(self):
        assert await Order.objects.acount() == ROWS + 2


class TestAnotherDjangoTestCase(TestCase):
    def test_seed_survives_the_class_before(self):
        assert Order.objects.count() == ROWS + 1
