"""Rows that the tests of a module share: created once, rolled back after the module's last test.

    @seed
    def shop():
        return SimpleNamespace(owner=UserFactory(), products=ProductFactory.create_batch(500))

    @pytest.mark.django_db
    def test_rename(shop):
        shop.owner.username = "bob"  # This test's own copy,
        shop.owner.save()  # and rolled back after this test.

The module is one transaction and each test a savepoint in it (as ``setUpTestData`` is for a
``TestCase`` class), so nothing is deleted by hand, and a run that is killed leaves no row behind.
Rows that a committing test of a killed run did leave in a database kept by ``--reuse-db`` stop the
next run with their tables' names.
"""

import pickle
from collections.abc import Callable, Generator
from contextlib import ExitStack
from functools import partial
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.db.models.signals import pre_migrate
from django.test import TestCase, TransactionTestCase
from pytest_django.fixtures import validate_django_db

from .async_db import one_connection_per_database, run_async

Seed = Callable[[], Any]

_seeds_defined: list[tuple[Seed, Any]] = []
_seeds = pytest.StashKey[list[Seed]]()


def seed(function: Seed) -> Any:
    """Make a fixture of a function, sync or async and without arguments, that creates rows.

    In a test module, its rows are there for every test of the module, whichever run and in any
    order. In a conftest.py, for the modules in which a test asks for it. The fixture's value is a
    fresh copy (by ``pickle``) of what the function returned, so return a few handles rather than
    hundreds of instances: each test that asks pays for its copy. Databases: those that the module's
    ``django_db`` marks and ``TestCase`` classes name.

    A test that commits (``transaction=True``, ``live_server``) fails in such a module.
    """

    @pytest.fixture(name=function.__name__)
    def copy(request: pytest.FixtureRequest, db: None) -> Any:
        if function not in request.node.getparent(pytest.Module).stash.get(_seeds, ()):
            pytest.fail(
                f"The seed {function.__name__!r} has no rows in this module: define it here or in "
                "a conftest.py, and name it in the test's arguments.",
                pytrace=False,
            )
        copies = request.getfixturevalue("_seeded_module")
        return pickle.loads(copies[function])  # noqa: S301, our own bytes

    _seeds_defined.append((function, copy))
    return copy


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find the modules with seeds; tests of other modules pay nothing."""
    modules: dict[pytest.Module, list[pytest.Function]] = {}
    for item in session.items if _seeds_defined else ():
        if isinstance(item, pytest.Function):
            modules.setdefault(item.getparent(pytest.Module), []).append(item)
    for module, items in modules.items():
        asked = {name for item in items for name in item.fixturenames}
        seeds = [seed for seed, fixture in _seeds_defined if _is_of(module, asked, seed, fixture)]
        module.stash[_seeds] = seeds
        for item in items:
            if seeds and "_seeded_module" not in item.fixturenames:
                item.fixturenames.insert(0, "_seeded_module")


def _is_of(module: pytest.Module, asked: set[str], function: Seed, fixture: Any) -> bool:
    name, file = function.__name__, Path(function.__code__.co_filename)
    if file.name == "conftest.py":
        return name in asked and module.path.is_relative_to(file.parent)
    return getattr(module.obj, name, None) is fixture


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if "_seeded_module" in getattr(item, "fixturenames", ()) and _commits(item):
        seeds = ", ".join(
            repr(function.__name__) for function in item.getparent(pytest.Module).stash[_seeds]
        )
        pytest.fail(
            f"{item.name} commits, but its module is one open transaction, for the seed {seeds}: "
            "move this test to a module without seeds.",
            pytrace=False,
        )


def _commits(item: pytest.Item) -> bool:
    cls, mark = getattr(item, "cls", None) or object, item.get_closest_marker("django_db")
    return (
        not {"transactional_db", "live_server"}.isdisjoint(getattr(item, "fixturenames", ()))
        or (mark is not None and any(validate_django_db(mark)[:2]))
        or (issubclass(cls, TransactionTestCase) and not issubclass(cls, TestCase))
    )


@pytest.fixture(scope="module")
def _seeded_module(
    request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any
) -> Generator[dict[Seed, bytes]]:
    """Django's own class-wide transaction, for a module; each test opens its savepoint inside."""

    class ModuleCase(TestCase):
        __module__ = "pytest.mark"  # Where Django's messages say to add a database.
        __qualname__ = "django_db"
        databases = _databases(request)

    with ExitStack() as stack:
        stack.enter_context(django_db_blocker.unblock())
        stack.callback(ModuleCase.doClassCleanups)
        ModuleCase.setUpClass()
        stack.callback(ModuleCase.tearDownClass)
        stack.enter_context(one_connection_per_database())
        copies = {function: _copied(function) for function in request.node.stash[_seeds]}
        for alias in ModuleCase.databases:
            # Now, or PostgreSQL checks the seed's deferred constraints again in every test.
            connections[alias].check_constraints()
        stack.enter_context(django_db_blocker.block())
        yield copies


def _copied(function: Seed) -> bytes:
    value = run_async(function()) if iscoroutinefunction(function) else function()
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise TypeError(
            f"The seed {function.__name__!r} returned what cannot be copied for each test "
            f"({error}): return model instances and plain values."
        ) from error


def _databases(request: pytest.FixtureRequest) -> Any:
    """Those that the module's tests name: pytest-django has set these up."""
    aliases = {"default"}
    for item in request.session.items:
        if item.getparent(pytest.Module) is request.node:
            cls, mark = getattr(item, "cls", None), item.get_closest_marker("django_db")
            named = validate_django_db(mark)[2] if mark else None
            if issubclass(cls or object, TestCase):
                named = cls.databases
            aliases.update(connections if named == "__all__" else named or ())
    return aliases


# What a kept test database holds when no test runs: written by each run, compared by the next.
PRISTINE = "testing_pristine_rows"


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("reuse_db"):
        config.pluginmanager.register(_KeptDatabases(config))


class _KeptDatabases:
    """Under ``--reuse-db``, stop when a database is not as the last run's set-up left it."""

    def __init__(self, config: pytest.Config) -> None:
        self.aliases: set[str] = set()
        # An exit does not reach the terminal from one of pytest-xdist's workers: fail each test.
        worker = hasattr(config, "workerinput")
        self.stop = partial(pytest.fail, pytrace=False) if worker else pytest.exit

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        # A project's own django_db_setup, on top of pytest-django's, adds to what belongs there.
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


def _rows(alias: str) -> dict[str, int]:
    connection = connections[alias]
    rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows[table] = cursor.fetchone()[0]
    return rows


def _problem(alias: str) -> str:
    rows = _rows(alias)
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
    rows = _rows(alias)
    with connections[alias].cursor() as cursor:
        if rows.pop(PRISTINE, None) is None:
            cursor.execute(f"CREATE TABLE {PRISTINE} (name varchar(200), number integer)")
        cursor.execute(f"DELETE FROM {PRISTINE}")  # noqa: S608
        cursor.executemany(f"INSERT INTO {PRISTINE} VALUES (%s, %s)", [*rows.items()])  # noqa: S608
