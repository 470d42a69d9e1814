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
"""

import pickle
from collections.abc import Callable, Generator
from contextlib import ExitStack
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any

import pytest
from django.db import connections
from django.test import TestCase

from .. import compat
from ..clients import run_async
from .items import commits, databases
from .rollback import one_connection_per_database
from .transactions import SEEDS_COMMITTED

Seed = Callable[[], Any]

# Every function that @seed decorated, its fixture's function, and its fixture.
_seeds_defined: list[tuple[Seed, Callable[..., Any], Any]] = []
_seeds = pytest.StashKey[list[Seed]]()


def seed(function: Seed) -> Any:
    """Make a fixture of a function, sync or async and without arguments, that creates rows.

    In a test module, its rows are there for every test of the module, whichever run and in any
    order. In a conftest.py, for the modules in which a test requests it. The fixture's value is a
    fresh copy (by ``pickle``) of what the function returned, so return a few objects rather than
    hundreds: each test that requests the seed pays for its copy. Databases: those that the module's
    ``django_db`` marks and ``TestCase`` classes name.

    A test that commits (``transaction=True``, ``live_server``) fails in such a module.
    """
    if _needs_arguments(function):
        raise TypeError(
            f"A seed takes no arguments: make {function.__qualname__!r} a function of the module, "
            "not of a class, which creates all of its rows itself."
        )

    def copy(request: pytest.FixtureRequest, db: None) -> Any:
        if not request.config.pluginmanager.has_plugin("hermetic-seeds"):
            pytest.fail(
                f"The seed {function.__name__!r} has no rows: seeds are switched off "
                "(-p no:hermetic-seeds).",
                pytrace=False,
            )
        if function not in request.node.getparent(pytest.Module).stash.get(_seeds, ()):
            pytest.fail(
                f"The seed {function.__name__!r} has no rows in this module: define it here or in "
                "a conftest.py, and name it in the test's arguments.",
                pytrace=False,
            )
        copies = request.getfixturevalue("_seeded_module")
        return pickle.loads(copies[function])  # noqa: S301, our own bytes

    copy.__doc__ = function.__doc__ or "Rows created once for the module; this test's copy."
    fixture = pytest.fixture(name=function.__name__)(copy)
    _seeds_defined.append((function, copy, fixture))
    return fixture


def _needs_arguments(function: Seed) -> bool:
    """Whether it cannot be called as it is; a decorator may give arguments to what it wraps."""
    if isinstance(function, staticmethod | classmethod):
        return True
    rest = Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD
    return any(
        one.default is Parameter.empty and one.kind not in rest
        for one in signature(function, follow_wrapped=False).parameters.values()
    )


def pytest_collection_finish(session: pytest.Session) -> None:
    """Find the modules with seeds; tests of other modules pay nothing."""
    modules: dict[pytest.Module, list[pytest.Function]] = {}
    for item in session.items if _seeds_defined else ():
        if isinstance(item, pytest.Function):
            modules.setdefault(item.getparent(pytest.Module), []).append(item)
    for module, items in modules.items():
        # The functions, not the names: another fixture may override a seed.
        asked = {
            id(compat.fixture_function(item, name)) for item in items for name in item.fixturenames
        }
        seeds = [
            function
            for function, copy, fixture in _seeds_defined
            if id(copy) in asked or getattr(module.obj, function.__name__, None) is fixture
        ]
        module.stash[_seeds] = seeds
        for item in items:
            if seeds and "_seeded_module" not in item.fixturenames:
                item.fixturenames.insert(0, "_seeded_module")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    if "_seeded_module" in getattr(item, "fixturenames", ()) and commits(item):
        seeds = ", ".join(
            repr(function.__name__) for function in item.getparent(pytest.Module).stash[_seeds]
        )
        pytest.fail(
            f"{item.name} commits, but its module is one open transaction, for the seed {seeds}: "
            "move this test to a module without seeds.",
            pytrace=False,
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
        stack.callback(_undo_commits, request.config)
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


def _undo_commits(config: pytest.Config) -> None:
    """Remove what a test committed, if the run has an image of the database, for tests that commit."""
    images = getattr(config.pluginmanager.get_plugin("hermetic-restore"), "images", {})
    for alias in SEEDS_COMMITTED & images.keys():
        images[alias].restore()
    SEEDS_COMMITTED.clear()


def _copied(function: Seed) -> bytes:
    value = run_async(function()) if iscoroutinefunction(function) else function()
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise TypeError(
            f"The seed {function.__name__!r} returned what cannot be copied for each test "
            f"({error}): return model instances and plain values."
        ) from error


def _databases(request: pytest.FixtureRequest) -> set[str]:
    """Those that the module's tests name: pytest-django has set these up."""
    items = [one for one in request.session.items if one.getparent(pytest.Module) is request.node]
    return {"default"}.union(*map(databases, items))
