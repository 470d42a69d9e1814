"""Never the development database: a connection to it ends the run before its first query.

pytest-django's ``django_db_setup`` creates test databases, and gives their names to the connections. A
project's fixture of that name that does not request it leaves the names of the settings: tests would
then read, change and flush the database that development uses. So would a test that asks for ``db`` by
``request.getfixturevalue()`` alone, since pytest-django 4.11 sets up only what tests declare.
"""

from collections.abc import Generator
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper


def development_names() -> dict[str, Any]:
    """The names in the settings, before test databases are there, without those of test databases."""
    names = {}
    for alias, database in connections.settings.items():  # An engine may not be installed.
        name, test = database["NAME"], database["TEST"].get("NAME")
        if name and name not in (test, ":memory:"):  # A settings file may name test databases.
            names[alias] = name
    return names


class DevelopmentDatabases:
    """Notes the names in the settings when the run starts, and refuses to connect to them."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.names: dict[str, Any] = {}
        self.where = ""  # The project's django_db_setup that does not request pytest-django's.

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        if not settings.configured:
            return (yield)
        self.names = development_names()
        connect = BaseDatabaseWrapper.connect

        def checked_connect(connection: BaseDatabaseWrapper) -> None:
            # Django creates test databases through a connection that is none of these.
            alias, name = connection.alias, connection.settings_dict["NAME"]
            own = alias in self.names and connections[alias] is connection
            if own and name == self.names[alias]:
                self.stop(alias, name)
            connect(connection)

        BaseDatabaseWrapper.connect = checked_connect
        try:
            return (yield)
        finally:
            BaseDatabaseWrapper.connect = connect

    def stop(self, alias: str, name: Any) -> None:
        # An exit does not reach the terminal from one of pytest-xdist's workers: fail each test.
        worker = hasattr(self.config, "workerinput")
        stop = partial(pytest.fail, pytrace=False) if worker else partial(pytest.exit, returncode=1)
        reason = (
            f"{self.where} replaces pytest-django's, which creates the test database: add django_db_setup "
            "to its arguments"
            if self.where
            else "pytest-django creates only the test databases that the tests of this run declare: mark "
            "the test with @pytest.mark.django_db, or name db in its arguments"
        )
        stop(
            f"Tests would use the database {str(name)!r} of the settings ({alias}), since {reason}. "
            "Nothing was changed."
        )

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Remember the file and line of a django_db_setup that does not request the one it overrides."""
        overrides = fixturedef.argname == "django_db_setup" not in fixturedef.argnames
        if not overrides or fixturedef.func.__module__.startswith("pytest_django."):
            return
        if code := getattr(fixturedef.func, "__code__", None):
            self.where = f"django_db_setup in {code.co_filename}:{code.co_firstlineno}"
