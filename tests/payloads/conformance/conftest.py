"""After every test, the tables are empty: a row that is found was committed, by that test."""

import pytest
from django.db import connections
from django.test import TransactionTestCase

databases = {"default"}
check = pytest.StashKey()


def pytest_collection_finish(session):
    for item in session.items:
        mark, cls = item.get_closest_marker("django_db"), item.cls or object
        databases.update((mark and mark.kwargs.get("databases")) or ())
        databases.update(cls.databases if issubclass(cls, TransactionTestCase) else ())


@pytest.fixture(scope="session", autouse=True)
def database(request, django_db_setup, django_db_blocker):
    request.config.stash[check] = lambda: nothing_committed(django_db_blocker)
    yield
    nothing_committed(django_db_blocker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    yield
    if nextitem:
        item.config.stash[check]()


def nothing_committed(blocker):
    from shop.orders.models import Order
    from shop.users.models import User

    if connections["default"].in_atomic_block:  # A seed, until its module ends.
        return
    committed = {}
    with blocker.unblock():
        for alias in databases:
            for rows in (Order.objects.using(alias), User.objects.using(alias)):
                if rows.exists():
                    committed[f"{alias}.{rows.model._meta.db_table}"] = rows.count()
                    rows.delete()
    assert not committed, f"committed: {committed}"
