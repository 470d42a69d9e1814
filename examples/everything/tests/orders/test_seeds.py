"""Rows made once for a module: each test sees them, and none can spoil them."""

import os
from types import SimpleNamespace
from unittest import skipUnless

import pytest
from django.test import TestCase

from acme_shop.orders.models import Order
from acme_shop.testing import seed

from .factories import OrderFactory

pytestmark = pytest.mark.django_db


@seed
def catalogue() -> SimpleNamespace:
    OrderFactory.create_batch(20)
    return SimpleNamespace(dearest=OrderFactory.create(product="gold", quantity=100))


@pytest.mark.parametrize("turn", ["first", "second"])
def test_each_test_has_its_own_copy(catalogue: SimpleNamespace, turn: str):
    catalogue.dearest.product = "lead"
    catalogue.dearest.save()
    Order.objects.exclude(product="lead").delete()

    assert Order.objects.count() == 1


async def test_async_tests_see_the_rows_too(catalogue: SimpleNamespace):
    assert await Order.objects.acount() == 21
    assert await Order.objects.aget(quantity=100) == catalogue.dearest


def test_a_seed_of_conftest(sample_users: SimpleNamespace):
    OrderFactory.create(customer=sample_users.customer)

    assert sample_users.customer.orders.count() == 1
    assert not sample_users.staff.orders.exists()


@skipUnless("PYTEST_VERSION" in os.environ, "manage.py test has no seeds")
class TestInATestCase(TestCase):
    def test_its_tests_see_the_rows_too(self):
        assert Order.objects.count() == 21
