"""Tests that commit are restored, not flushed: afterwards the database is as django_db_setup left it.

Rows of migrations and of a ``django_db_setup`` of any scope are there in every test, numbers of rows
begin anew, and what threads and other processes wrote is undone, and so are a test's changes of the schema.
An image of each database that such tests use is taken when a ``django_db_setup`` is done, and again
when one of a module or class has ended. Other databases than PostgreSQL and SQLite are flushed.
"""

from collections.abc import Callable, Generator, Iterable
from functools import partial
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

from .. import compat
from ..resets import caching_managers
from .development import development_names
from .image import SQLiteImage
from .image_postgresql import PostgreSQLImage, renewed
from .items import case_of, commits, databases

Image = SQLiteImage | PostgreSQLImage
# What Django sets up: a class; before Django 5.2 its instance.
Case = type[TransactionTestCase] | TransactionTestCase
IMAGES = {"sqlite": SQLiteImage, "postgresql": PostgreSQLImage}


class RestoredDatabases:
    def __init__(self) -> None:
        self.committing: set[str] = set()  # The databases that a test of this run commits to.
        self.named: set[str] = set()  # Those that any test names.
        self.images: dict[str, Image] = {}
        self.development: dict[str, Any] = {}
        self.numbered = True  # Whether numbers begin anew, since no test has rolled back.
        self.begins = False  # Whether a function that commits has only its wider fixtures.

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if settings.configured:
            self.development = development_names()
            for item in session.items:
                self.named |= databases(item)
                self.committing |= databases(item) if commits(item) else set()

    @pytest.hookimpl(wrapper=True, tryfirst=True)  # After what others do when the set-up is done.
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        if fixturedef.argname != "django_db_setup":
            return (yield)
        unblock = request.getfixturevalue("django_db_blocker").unblock
        if fixturedef.scope == "session":
            result = yield
            with unblock():
                self.finish()  # Of a set-up that this one builds on.
                self.take(self.committing)
            fixturedef.addfinalizer(partial(_unblocked, unblock, self.finish))
        else:
            with unblock():
                self.renew(self.images)
                self.take(self.named - self.images.keys())
            depths = {alias: image.depth for alias, image in self.images.items()}
            # First in, so called last: what the set-up changed is undone.
            fixturedef.addfinalizer(partial(_unblocked, unblock, self.go_back, depths))
            result = yield
            with unblock():
                self.take(self.committing)
        return result

    def take(self, aliases: set[str]) -> None:
        taken = list[Image]()
        for alias in sorted(aliases):
            if image := self.images.get(alias) or self.new_image(alias):
                self.images[alias] = image
                if image not in taken:  # Two aliases may be one database.
                    image.take()
                    taken.append(image)

    def new_image(self, alias: str) -> Image | None:
        connection = connections[alias]
        name, kind = connection.settings_dict["NAME"], IMAGES.get(connection.vendor)
        is_test = (
            name != self.development.get(alias) and not connection.settings_dict["TEST"]["MIRROR"]
        )
        for image in self.images.values():
            if _place(image.connection) == _place(connection):
                return image
        return kind(connection) if kind and is_test and kind.is_allowed(connection) else None

    def go_back(self, depths: dict[str, int]) -> None:
        for alias, image in self.images.items():
            while image.depth > depths[alias]:
                image.drop()
            image.restore()

    def finish(self) -> None:
        for image in self.images.values():
            while image.depth:
                image.drop()
            image.close()
        self.images.clear()

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        self.begins = commits(item)
        if self.images and not self.begins:
            self.numbered = False  # A rollback leaves PostgreSQL's sequences where they are.
        self.begins &= case_of(item) is None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Since Django 5.2, a class is set up for its first test before the rest of its ``setUpClass()``."""
        if self.images and (case := case_of(item)) and commits(item):
            self.renew(compat.databases_of(case))

    def renew(self, aliases: Iterable[str]) -> None:
        """What wider fixtures did to the schema is theirs to undo; what the test does is undone."""
        for alias in aliases:
            if (image := self.images.get(alias)) and not image.connection.in_atomic_block:
                image.renew()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, Any, Any]:
        try:
            before, images = compat.committing_case_hooks(), self.images
        except compat.Renamed:  # Then Django flushes.
            self.committing.clear()
            return (yield)

        def tear_down(case: TransactionTestCase) -> None:
            aliases = compat.databases_of(case)
            if not all(alias in images for alias in aliases):
                return before["_fixture_teardown"](case)
            for connection in connections.all(initialized_only=True):
                connection.inc_thread_sharing()
                if not renewed(connection):
                    connection.close()
                connection.dec_thread_sharing()
            compat.keep_connections(case)
            for alias in aliases:
                if not images[alias].restore():
                    before["_fixture_teardown"](case)
            for manager in caching_managers():
                manager.clear_cache()

        def original(name: str) -> Any:
            return getattr(before[name], "__func__", before[name])

        def set_up(case: Case) -> None:
            if self.begins:
                self.renew(compat.databases_of(case))
            self.begins = False
            for image in set(images.values()) if not self.numbered else ():
                image.sequences()
            self.numbered = True
            original("_fixture_setup")(case)

        def reset_sequences(*given: Any) -> None:  # Before Django 5.2, the case comes first.
            if given[-1] not in images:  # Else rows of migrations are there, so 1 may be taken.
                original("_reset_sequences")(*given)

        hooks = {
            "_fixture_setup": set_up,
            "_fixture_teardown": tear_down,
            "_reset_sequences": reset_sequences,
        }
        for name, hook in hooks.items():
            kind = type(before[name])  # A classmethod, a staticmethod or a function.
            is_bare = kind not in (classmethod, staticmethod)
            setattr(TransactionTestCase, name, hook if is_bare else kind(hook))
        try:
            return (yield)
        finally:
            for name, hook in before.items():
                setattr(TransactionTestCase, name, hook)


def _unblocked(unblock: Any, function: Callable[..., None], *arguments: Any) -> None:
    with unblock():
        function(*arguments)


def _place(connection: BaseDatabaseWrapper) -> tuple[str, ...]:
    """What two aliases of one database have in common."""
    settings = connection.settings_dict
    return connection.vendor, *(str(settings[name]) for name in ("HOST", "PORT", "NAME"))
