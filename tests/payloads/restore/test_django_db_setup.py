"""The rows of a module's django_db_setup serve several tests that commit, and no other module."""

import pytest

from .models import Box, Shelf


@pytest.fixture(scope="module")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        Box.objects.create(shelf=Shelf.objects.create(name="of the module"))


@pytest.mark.parametrize("number", range(3))
@pytest.mark.django_db(transaction=True, databases=["default", "other"])
def test_committing(number):
    assert Box.objects.get().shelf.name == "of the module"
    Shelf.objects.all().delete()


@pytest.mark.django_db
def test_rolling_back():
    Box.objects.get()
