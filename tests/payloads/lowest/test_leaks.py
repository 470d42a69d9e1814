"""One leak, and the next test is whole."""

import pytest
from django.contrib.auth.models import Group


def test_leaves_the_database_open(django_db_setup, django_db_blocker):
    django_db_blocker.unblock()


def test_victim():
    with pytest.raises(RuntimeError, match="Database access not allowed"):
        Group.objects.count()
