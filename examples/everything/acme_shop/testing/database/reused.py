"""Under ``--reuse-db``: whether the database is as the last run's set-up left it.

Each run writes down the number of rows of each table, and the next one compares. Rows that a test of
a killed run committed stop the run, with the names of their tables.
"""

from collections.abc import Generator
from functools import partial
from typing import Any

import pytest
from django.db import connections
from django.db.models.signals import pre_migrate

from .rows import counted

# The table that says which rows the database holds between runs.
PRISTINE = "testing_pristine_rows"


class ReusedDatabases:
    """Stops the run when a database is not as the last run's set-up left it."""

    def __init__(self, config: pytest.Config) -> None:
        self.aliases: set[str] = set()
        # An exit does not reach the terminal from one of pytest-xdist's workers: fail each test.
        worker = hasattr(config, "workerinput")
        self.stop = partial(pytest.fail, pytrace=False) if worker else pytest.exit

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        # A project's django_db_setup, on top of pytest-django's, adds to what belongs there.
        if (fixturedef.argname, fixturedef.scope) != ("django_db_setup", "session"):
            return (yield)
        pre_migrate.connect(self.check)
        try:
            result = yield
        finally:
            pre_migrate.disconnect(self.check)
        with request.getfixturevalue("django_db_blocker").unblock():
            for alias in self.aliases:
                _write_pristine(alias)
        return result

    def check(self, using: str, **kwargs: Any) -> None:
        if using in self.aliases:  # Django sends this for each app, before it changes anything.
            return
        self.aliases.add(using)
        if problem := _problem(using):
            name = connections[using].settings_dict["NAME"]
            self.stop(f"The reused test database {name} {problem}: run once with --create-db.")


def _problem(alias: str) -> str:
    rows = counted(alias)
    if rows.pop(PRISTINE, None) is None:
        new = not connections[alias].introspection.django_table_names(only_existing=True)
        return "" if new else "was made without a record of the rows that belong in it"
    with connections[alias].cursor() as cursor:
        cursor.execute(f"SELECT name, number FROM {PRISTINE}")  # noqa: S608
        pristine = dict(cursor.fetchall())
    left = {table: number - pristine.get(table, 0) for table, number in rows.items()}
    found = ", ".join(f"{table}: {number}" for table, number in sorted(left.items()) if number > 0)
    return f"holds rows that an earlier run left behind ({found})" if found else ""


def _write_pristine(alias: str) -> None:
    rows = counted(alias)
    with connections[alias].cursor() as cursor:
        if rows.pop(PRISTINE, None) is None:
            cursor.execute(f"CREATE TABLE {PRISTINE} (name varchar(200), number integer)")
        cursor.execute(f"DELETE FROM {PRISTINE}")  # noqa: S608
        cursor.executemany(f"INSERT INTO {PRISTINE} VALUES (%s, %s)", [*rows.items()])  # noqa: S608
