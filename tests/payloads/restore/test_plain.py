"""Beside test_django_db_setup.py: none of its rows."""

import pytest

from .models import Box, Shelf


@pytest.mark.parametrize("number", range(2))
@pytest.mark.django_db(transaction=True)
def test_committing(number):
    assert Shelf.objects.count() == 2
    Shelf.objects.all().delete()
    assert not Box.objects.exists()
