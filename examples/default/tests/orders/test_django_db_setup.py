"""Rows for a module whose tests commit: each test finds them as the set-up left them.

They are gone after the module. Where no test commits, @seed (test_seeds.py) is cheaper.
https://pytest-django.readthedocs.io/en/latest/database.html
"""

import pytest

from acme_shop.orders.models import Order

from .factories import OrderFactory

pytestmark = pytest.mark.django_db
SEEDED = "seeded for the module"


@pytest.fixture(scope="module")
def django_db_setup(django_db_setup: None, django_db_blocker) -> None:
    """Commit the rows once; the testing layer restores them, and removes them in the end."""
    with django_db_blocker.unblock():
        OrderFactory.create_batch(3, product=SEEDED)


def test_a_change_is_rolled_back():
    Order.objects.all().delete()


@pytest.mark.parametrize("number", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_a_commit_is_undone(number):
    assert Order.objects.filter(product=SEEDED).count() == 3
    Order.objects.all().delete()


async def test_the_rows_are_there():
    assert await Order.objects.filter(product=SEEDED).acount() == 3
