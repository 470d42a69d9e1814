"""What a collected test does with the database: whether it commits, and which databases it names."""

from typing import Any

import pytest
from django.db import connections
from django.test import TestCase, TransactionTestCase

from .. import compat

COMMITTING = {"transactional_db", "live_server", "django_db_reset_sequences"}


def case_of(item: pytest.Item) -> type[TransactionTestCase] | None:
    """The Django class that sets the test up itself, without pytest-django's fixture."""
    cls = getattr(item, "cls", None) or object
    return cls if issubclass(cls, TransactionTestCase) else None


def commits(item: pytest.Item) -> bool:
    cls, mark = getattr(item, "cls", None) or object, item.get_closest_marker("django_db")
    return (
        not COMMITTING.isdisjoint(getattr(item, "fixturenames", ()))
        or (mark is not None and any(compat.django_db_options(mark)[:2]))
        or (issubclass(cls, TransactionTestCase) and not issubclass(cls, TestCase))
    )


def databases(item: pytest.Item) -> set[str]:
    """The aliases that a test names: pytest-django sets these up."""
    cls, mark = getattr(item, "cls", None) or object, item.get_closest_marker("django_db")
    named: Any = compat.django_db_options(mark)[2] if mark else None
    if issubclass(cls, TransactionTestCase):
        named = cls.databases
    # A test may name a database that only other settings have, and skip itself under these.
    return {*connections}.intersection(connections if named == "__all__" else named or ("default",))
