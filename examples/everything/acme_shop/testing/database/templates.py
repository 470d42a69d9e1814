"""Migrated once: a test database is built once for a state of what it depends on, then cloned.

While pytest-django's ``django_db_setup`` runs, Django's ``create_test_db()`` first looks for a kept
database that was built of what is there now (key.py, recorder.py), and copies it. Else it builds one,
as it always does, and keeps a copy (kept.py, kept_postgresql.py). ``-v`` says which, and why.
``--create-db`` builds; ``--reuse-db`` is as ever. Where nothing can be kept, nothing changes.
"""

import inspect
import math
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.creation import BaseDatabaseCreation

from .kept import FOLDER, FORMAT, NotKept, SQLiteTemplates
from .kept_postgresql import PostgreSQLTemplates
from .key import Parts, parts
from .recorder import STARTED, Recorder, changes

Templates = SQLiteTemplates | PostgreSQLTemplates
Build = Callable[[], str]
SHOWN = 3


class TemplateDatabases:
    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.said: list[str] = []  # Of each database: cloned or built.
        self.recorder = Recorder()
        self.fixtures: set[str] = set()  # The files of a project's own fixtures for databases.
        self.folder: Path | None = None

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.recorder.stop()
        # Now, or a fixture would seem to have made the folder.
        if session.items and self.config.pluginmanager.has_plugin("cacheprovider"):
            with suppress(OSError):
                self.folder = self.config.cache.mkdir(FOLDER)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        if fixturedef.argname.startswith("django_db_") and hasattr(fixturedef.func, "__code__"):
            self.fixtures.add(fixturedef.func.__code__.co_filename)
        if (fixturedef.argname, fixturedef.scope) != ("django_db_setup", "session"):
            return (yield)
        create = BaseDatabaseCreation.create_test_db

        def create_test_db(creation: BaseDatabaseCreation, *args: Any, **options: Any) -> str:
            given = inspect.signature(create).bind(creation, *args, **options).arguments
            build = partial(create, creation, *args, **options)
            if given.get("keepdb"):
                return build()
            return self.create(creation.connection, build)

        BaseDatabaseCreation.create_test_db = create_test_db
        try:
            return (yield)
        finally:
            BaseDatabaseCreation.create_test_db = create

    def create(self, connection: BaseDatabaseWrapper, build: Build) -> str:
        """Clone a kept database, or build one and keep it; the name that Django gave it."""
        began = time.perf_counter()
        with ExitStack() as stack:
            try:
                templates = self.templates(connection)
                stack.enter_context(templates.opened())
                wanted = parts(connection, templates.server())
                found, news = self.look_up(templates, wanted, stack)
            except Exception as error:
                name, how = build(), f"built as ever, since {_said(error)}"
            else:
                name = self.clone(templates, found, build) if found else ""
                how = "cloned"
                if not name:
                    news = news or ["the kept one cannot be copied"]
                    name, how = self.build(templates, build, wanted, news)
        seconds = time.perf_counter() - began
        self.said.append(f"test database {connection.alias!r}: {how} ({seconds:.2f} s)")
        return name

    def templates(self, connection: BaseDatabaseWrapper) -> Templates:
        if connection.vendor == "sqlite":
            if not self.folder:
                raise NotKept("pytest's cache is off")
            return SQLiteTemplates(connection, self.folder)
        if connection.vendor == "postgresql":
            if connection.settings_dict["TEST"].get("TEMPLATE"):
                raise NotKept("TEST names a TEMPLATE, which may change")
            return PostgreSQLTemplates(connection, self.config.rootpath)
        raise NotKept(f"{connection.display_name} has no cloning")

    def look_up(
        self, templates: Templates, wanted: Parts, stack: ExitStack
    ) -> tuple[Any, list[str]]:
        """A kept database that is right, and what is new since the one that comes closest."""
        option = partial(self.config.getoption, default=False)
        anew, news = option("create_db"), list[str]()
        # Of pytest-xdist's workers, one builds; --reuse-db has to see the migrations begin.
        since = (math.inf if option("reuse_db") else STARTED) if anew else 0
        for alone in (False, True):  # Whoever waited for the lock may find what another has built.
            lock = stack.enter_context(ExitStack())
            lock.enter_context(templates.locked(alone=alone))
            nearest: list[str] | None = None
            for template, manifest in templates.kept():
                if manifest["time"] < since:
                    continue
                news = [*changes(manifest, wanted)]
                if not news and not templates.is_whole(template, manifest):
                    news = ["the kept one is damaged"]
                if not news:
                    return (template, manifest), []
                nearest = min(nearest or news, news, key=len)
            if not alone:
                lock.close()
        return None, ["--create-db"] if anew else nearest or ["none was kept"]

    def clone(self, templates: Templates, found: tuple[Any, Any], build: Build) -> str:
        try:
            with templates.cloning(found[0]):
                name = build()
        except (Error, sqlite3.Error, OSError, SystemExit):  # Django exits where it may not create.
            templates.connection.close()
            return ""
        self.recorder.take_over(found[1])
        return name

    def build(
        self, templates: Templates, build: Build, wanted: Parts, news: list[str]
    ) -> tuple[str, str]:
        with self.recorder.building():
            name = build()
        for file in self.fixtures:
            self.recorder.note(file)
        how = f"built, new: {', '.join(news[:SHOWN])}{', …' * (len(news) > SHOWN)}"
        try:
            manifest = self.recorder.manifest()
            if self.recorder.outside:
                raise NotKept(self.recorder.outside)
            templates.keep({**manifest, "parts": wanted, "format": FORMAT})
        except Exception as error:
            how += f"; not kept, since {_said(error)}"
        return name, how

    def pytest_unconfigure(self) -> None:
        self.recorder.stop()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workerinput"):
            worker = self.config.workerinput["workerid"]
            self.config.workeroutput["databases"] = [f"{worker}: {text}" for text in self.said]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.said += getattr(node, "workeroutput", {}).get("databases", ())

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.config.option.verbose > 0:
            for text in self.said:
                terminalreporter.line(text)


def _said(error: Exception) -> str:
    """An error in one line."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
