"""Rows from a file, for one class or as a seed. Rows made by factories follow the models' changes."""

from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import TestCase

from acme_shop.orders.models import Order

FILE = str(Path(__file__).with_name("orders.json"))


class TestInATestCase(TestCase):
    fixtures = [FILE]

    def test_its_rows(self):
        assert Order.objects.get(pk=1001).product == "tea"


@pytest.fixture
def orders_of_file(db: None) -> None:
    call_command("loaddata", FILE, verbosity=0)


async def test_in_an_async_test(orders_of_file: None):
    assert await Order.objects.acount() == 2
