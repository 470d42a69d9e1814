"""What a migration made is there, in each test."""

import pytest
from django.db import connection

from .models import Item


@pytest.mark.parametrize("number", range(4))
@pytest.mark.django_db
def test_row(number):
    assert Item.objects.get().name == "of a migration"
    assert "test_test_" not in str(connection.settings_dict["NAME"])
    assert Item.objects.create(name="mine").pk >= 2


@pytest.mark.parametrize("number", range(2))
@pytest.mark.django_db(transaction=True)
def test_committing(number):
    Item.objects.create(name="mine")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such thing")
@pytest.mark.django_db
def test_extension():
    """A value of the extension's type is understood, in a clone too."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_extension WHERE extname = 'hstore'")
        if cursor.fetchone() == (1,):
            cursor.execute("SELECT 'a=>1'::hstore")
            assert cursor.fetchone() == ({"a": "1"},)
