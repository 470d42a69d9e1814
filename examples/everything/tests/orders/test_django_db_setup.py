"""The recipe of pytest-django's manual: rows committed for a module, for tests that commit or flush.

Where no test of the module commits, @seed (test_seeds.py) is safer: nothing to delete, and a run
that is killed leaves no row. https://pytest-django.readthedocs.io/en/latest/database.html
"""

from collections.abc import Generator

import pytest

from acme_shop.orders.models import Order

from .factories import OrderFactory

pytestmark = pytest.mark.django_db
SEEDED = "seeded by the recipe"


@pytest.fixture(scope="module")
def django_db_setup(django_db_setup: None, django_db_blocker) -> Generator[None]:
    """Commit the rows once, and delete by hand exactly what was committed."""
    with django_db_blocker.unblock():
        Order.objects.filter(product=SEEDED).delete()  # Of a killed run, under --reuse-db.
        OrderFactory.create_batch(3, product=SEEDED)
    yield
    with django_db_blocker.unblock():
        Order.objects.filter(product=SEEDED).delete()


def test_a_change_is_rolled_back():
    Order.objects.all().delete()


async def test_the_rows_are_there():
    assert await Order.objects.filter(product=SEEDED).acount() == 3
