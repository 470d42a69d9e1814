"""After every test, the database is what the migrations and the set-ups made it, row by row."""

import pytest
from django.db import connections

pristine = pytest.StashKey()


def content(connection):
    """All rows, and the columns of all tables."""
    with connection.cursor() as cursor:
        found = {}
        for table in connection.introspection.table_names(cursor):
            columns = [
                column.name for column in connection.introspection.get_table_description(cursor, table)
            ]
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = columns, sorted(map(repr, cursor.fetchall()))
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM odd.elsewhere")
            found["elsewhere"] = cursor.fetchall()
    return found


@pytest.fixture(scope="module", autouse=True)
def at_first(request, django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        connections["mirror"].ensure_connection()
        request.node.stash[pristine] = {alias: content(connections[alias]) for alias in ("default", "other")}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    yield
    before = item.getparent(pytest.Module).stash.get(pristine, None)
    if before and nextitem and nextitem.path == item.path:
        with item.session.stash["unblock"]():
            for alias, wanted in before.items():
                found = content(connections[alias])
                changed = {name for name in {*wanted, *found} if wanted.get(name) != found.get(name)}
                assert not changed, {name: (wanted.get(name), found.get(name)) for name in changed}


@pytest.fixture(scope="session", autouse=True)
def unblock(request, django_db_blocker):
    request.session.stash["unblock"] = django_db_blocker.unblock
