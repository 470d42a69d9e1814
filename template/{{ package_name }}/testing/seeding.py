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
_seeds_of_module = pytest.StashKey[dict[str, Seed]]()


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
    def copy(_module_seeds: dict[Seed, bytes], db: None) -> Any:
        if function not in _module_seeds:
            pytest.fail(
                f"The seed {function.__name__!r} has no rows in this module: define or import it there, "
                "or name it in the test's arguments.",
                pytrace=False,
            )
        return pickle.loads(_module_seeds[function])  # noqa: S301, our own bytes

    _seeds_defined.append((function, copy))
    return copy


def pytest_collection_finish(session: pytest.Session) -> None:
    for item in session.items if _seeds_defined else ():
        if module := item.getparent(pytest.Module):
            seeds = module.stash.setdefault(_seeds_of_module, {})
            for function, fixture in _seeds_defined:
                name, file = function.__name__, Path(function.__code__.co_filename)
                asked = name in getattr(item, "fixturenames", ())
                if getattr(module.obj, name, None) is fixture or (
                    asked and file.name == "conftest.py" and module.path.is_relative_to(file.parent)
                ):
                    seeds[name] = function


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    module = item.getparent(pytest.Module)
    seeds = module.stash.get(_seeds_of_module, {}) if module else {}
    if seeds and _commits(item):
        pytest.fail(
            f"{item.name} commits, but the module's seed {next(iter(seeds))!r} is an open transaction: "
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


@pytest.fixture(scope="module", autouse=True)
def _module_seeds(request: pytest.FixtureRequest) -> Generator[dict[Seed, bytes]]:
    """Django's own class-wide transaction, for a module; each test opens its savepoint inside."""
    seeds = request.node.stash.get(_seeds_of_module, {})
    if not seeds:
        yield {}
        return
    request.getfixturevalue("django_db_setup")
    blocker = request.getfixturevalue("django_db_blocker")

    class ModuleCase(TestCase):
        __module__, __qualname__ = "pytest.mark", "django_db"  # Where Django tells to add a database.
        databases = _databases(request)

    with ExitStack() as stack:
        stack.enter_context(blocker.unblock())
        stack.callback(ModuleCase.doClassCleanups)
        ModuleCase.setUpClass()
        stack.callback(ModuleCase.tearDownClass)
        stack.enter_context(one_connection_per_database())
        copies = {function: _copied(function) for function in seeds.values()}
        for alias in ModuleCase.databases:
            # Now, or PostgreSQL checks the seed's deferred constraints again in every test.
            connections[alias].check_constraints()
        stack.enter_context(blocker.block())
        yield copies


def _copied(function: Seed) -> bytes:
    value = run_async(function()) if iscoroutinefunction(function) else function()
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise TypeError(
            f"The seed {function.__name__!r} returned what cannot be copied for each test ({error}): "
            "return model instances and plain values."
        ) from error


def _databases(request: pytest.FixtureRequest) -> Any:
    """Those that the module's tests name: pytest-django has set these up."""
    aliases = {"default"}
    for item in request.session.items:
        if item.getparent(pytest.Module) is request.node:
            cls, mark = getattr(item, "cls", None), item.get_closest_marker("django_db")
            named = validate_django_db(mark)[2] if mark else None
            if issubclass(cls or object, TestCase):
                named = getattr(cls, "databases", None)
            aliases.update(connections if named == "__all__" else named or ())
    return aliases


# What a kept test database holds when no test runs: written by each run, compared by the next.
PRISTINE = "testing_pristine_rows"


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Under ``--reuse-db``, stop when the database is not as the last run's set-up left it."""
    if (fixturedef.argname, fixturedef.scope) != ("django_db_setup", "session"):
        return (yield)
    if not request.getfixturevalue("django_db_keepdb"):
        return (yield)
    reused: set[str] = set()

    def check(using: str, **kwargs: Any) -> None:
        if using not in reused:  # Django sends this once for each app, before anything changes.
            reused.add(using)
            _stop_if_rows_were_left(using)

    pre_migrate.connect(check)
    try:
        result = yield
    finally:
        pre_migrate.disconnect(check)
    with request.getfixturevalue("django_db_blocker").unblock():
        for alias in reused:
            _write_pristine(alias)
    return result


def _rows(alias: str) -> dict[str, int]:
    connection = connections[alias]
    rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows[table] = cursor.fetchone()[0]
    return rows


def _stop_if_rows_were_left(alias: str) -> None:
    connection, rows = connections[alias], _rows(alias)
    if "django_migrations" not in rows:  # Just created.
        return
    if PRISTINE in rows:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT name, number FROM {PRISTINE}")  # noqa: S608
            pristine = dict(cursor.fetchall())
        left = {table: n - pristine.get(table, 0) for table, n in rows.items() if table != PRISTINE}
        found = ", ".join(f"{table}: {n}" for table, n in sorted(left.items()) if n > 0)
        problem = f"holds rows that an earlier run left behind ({found})" if found else ""
    else:
        problem = "was made without a record of the rows that belong in it"
    if problem:
        name = connection.settings_dict["NAME"]
        pytest.exit(f"The reused test database {name} {problem}: run once with --create-db.", 1)


def _write_pristine(alias: str) -> None:
    rows = _rows(alias)
    with connections[alias].cursor() as cursor:
        if rows.pop(PRISTINE, None) is None:
            cursor.execute(f"CREATE TABLE {PRISTINE} (name varchar(200), number integer)")
        cursor.execute(f"DELETE FROM {PRISTINE}")  # noqa: S608
        cursor.executemany(f"INSERT INTO {PRISTINE} VALUES (%s, %s)", [*rows.items()])  # noqa: S608
