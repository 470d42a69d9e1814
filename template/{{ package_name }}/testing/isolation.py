"""A test that leaks fails, by name, with the remedy; what it leaked is put back, so nobody suffers.

* **Blocked**: what would escape raises on its own line: the network beyond loopback (pytest-socket),
  look-ups of host names. (Queries outside the test's transaction: async_db.py.)
* **Reset silently**: what production code leaves in a process and may: caches, language, time zone,
  URLconf, mail, stored files, memoised functions, context variables, names that begin with ``_``.
* **Put back and reported**: what only a test can have changed, by the probes of probes.py.

State that fixtures of a broader scope (class, module, session) hold is theirs and not reported.

Options: ``--isolation=fail|warn|off`` or ini ``isolation``; ini ``isolation_keep`` lists what may
outlive tests (fnmatch patterns, like ``attributes:shop.ml._model``); ``--isolation-report`` counts
what was reset, reported and blocked. ``@pytest.mark.leaks("environ:TZ")`` tolerates one leak in one
test, and puts it back all the same.
"""

import asyncio
import warnings
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import suppress
from contextvars import copy_context
from fnmatch import fnmatchcase
from functools import cache, partial
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.core.files.storage import InMemoryStorage, storages
from django.urls import get_resolver
from django.utils.module_loading import import_string
from pytest_socket import SocketBlockedError, SocketConnectBlockedError

from .probes import PROBES, WARNINGS, project, tasks_left, touched

NETWORK = (
    "isolation: the network is blocked beyond loopback; mock the client, override the fixture that "
    "makes it, or mark a test that is meant to go out with @pytest.mark.enable_socket."
)
# What probes.py says when it blocks something itself.
OUTSIDE = ("A test tried to resolve", "A test tried to send")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("isolation")
    group.addoption("--isolation", choices=["fail", "warn", "off"], help="what a leak does")
    group.addoption(
        "--isolation-report", action="store_true", help="count what was reset, reported and blocked"
    )
    parser.addini("isolation", "what a leak does: fail, warn or off", default="fail")
    parser.addini("isolation_keep", "leaks (fnmatch) that may outlive tests", type="linelist")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "leaks(*patterns): tolerate these leaks (fnmatch), putting them back all the same",
    )
    mode = config.getoption("--isolation") or config.getini("isolation")
    if mode not in ("fail", "warn", "off"):
        raise pytest.UsageError(f"ini option isolation is {mode!r}: make it fail, warn or off")
    config.pluginmanager.register(Report(config), "isolation-report")
    if mode != "off":
        config.pluginmanager.register(Isolation(config, mode), "isolation-guard")


class Leak(pytest.fail.Exception):
    """What a test that leaks fails with, at its teardown."""

    __module__ = "builtins"  # Shown without it, as pytest's own outcomes are.


class Report:
    """Shows leaks of mode ``warn``, and the counts of ``--isolation-report``, at the end of the run."""

    def __init__(self, config: pytest.Config) -> None:
        self.counts, self.found = Counter[str](), Counter[str]()
        self.wanted = config.getoption("--isolation-report")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Through the report, so that pytest-xdist brings it from its workers.
        if report.when == "teardown":
            for kind, text in report.user_properties:
                if kind == "isolation warning":
                    self.found[f"{report.nodeid} {text}"] += 1
                elif kind.startswith("isolation "):
                    self.counts[f"{kind.removeprefix('isolation ')}  {text}"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.found:
            terminalreporter.section("isolation: leaks, put back")
            for line in self.found:
                terminalreporter.line(line)
        if self.wanted:
            terminalreporter.section("isolation report")
            for line, count in self.counts.most_common() or [("nothing leaked", 0)]:
                terminalreporter.line(f"{count:5}  {line}")


class Isolation:
    """The guard: notes the state before a test's own fixtures, compares it after their teardown."""

    def __init__(self, config: pytest.Config, mode: str) -> None:
        self.mode, self.keep = mode, config.getini("isolation_keep")
        self.report = config.getoption("--isolation-report")
        self.item: pytest.Item | None = None
        self.due, self.parent = True, None
        project.root = touched.root = f"{config.rootpath}/"
        # A conftest.py or plugin with hooks is called between tests: what it notes is no test's doing.
        project.is_plugin = config.pluginmanager.get_hookcallers

    @pytest.hookimpl(trylast=True)  # pytest-cov measures no thread that is older than its start.
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        SyncToAsync.single_thread_executor.submit(bool).result()  # Its thread outlives every test.
        touched.temporary = str(session.config._tmp_path_factory.getbasetemp())

    def pytest_sessionfinish(self) -> None:
        touched.on = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Import what the first request would: it registers receivers, and sets logging up again.

        Only then begin to watch: collecting, too, raises audit events, and each has its price.
        """
        if session.items:
            with suppress(Exception):
                _ = get_resolver().url_patterns
            with suppress(Exception):
                import_string(settings.ASGI_APPLICATION)
            touched.watch()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        node = request.node
        if isinstance(node, pytest.Item):  # Class-scoped ones too, outside of a class.
            if self.item is not node:
                self.begin(request)
            result = yield
            if isinstance(result, asyncio.Runner):
                # Its finalizer cancels what is left, and every fixture that uses it is done by then.
                fixturedef.addfinalizer(partial(self.check_tasks, node, result))
            return result
        fixturedef.addfinalizer(self.is_due)
        if self.item is None:
            self.is_due()
            return (yield)
        # Asked for by a running test: what it changes is its own, not the test's.
        own = [(probe, {*probe.changes()}) for probe in PROBES]
        touched.on = False
        try:
            return (yield)
        finally:
            for probe, before in own:
                for part in {*probe.changes()} - before:
                    probe.accept(part)
            touched.on = True

    def is_due(self) -> None:
        """A fixture of a broader scope came or went: the next test begins with another state."""
        self.due = True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run the test in a copy of the context, so that its context variables end with it."""
        if self.item is not item:  # It has no fixture of its own.
            self.begin(item)
        item.runtest = partial(copy_context().run, item.runtest)
        try:
            return (yield)
        finally:
            del item.runtest

    def begin(self, request: Any) -> None:
        item = getattr(request, "node", request)
        if item.get_closest_marker("django_db") and isinstance(request, pytest.FixtureRequest):
            # Now, so that what it changes is not taken for the test's doing.
            request.getfixturevalue("django_db_setup")
        self.item = item
        self.reset(item)
        # Else it is as the last test's check left it.
        if self.due or self.parent is not item.parent:
            for probe in PROBES:
                probe.note()
            self.due, self.parent = False, item.parent
        else:
            touched.reset()
            WARNINGS.note()  # pytest gives each test filters of its own.
        touched.hosts_allowed = bool(
            item.get_closest_marker("enable_socket")
            or item.get_closest_marker("allow_hosts")
            or "socket_enabled" in getattr(item, "fixturenames", ())
        )
        touched.on = True
        item.addfinalizer(partial(self.end, item))

    def end(self, item: pytest.Item) -> None:
        """After the teardown of the test's own fixtures, and before that of broader ones."""
        self.item, touched.on = None, False
        leaks = []
        for probe in PROBES:
            for part in [*probe.changes()]:
                name = f"{probe.name}:{part}"
                if matches(self.keep, name):
                    continue
                silent = probe.is_silent(part)
                with warnings.catch_warnings():
                    # What the leak alone held, like a file, would warn in the next test.
                    warnings.simplefilter("ignore", ResourceWarning)
                    probe.undo(part)
                self.due = True
                if not silent:
                    leaks.append((name, probe.remedy_for(part)))
                elif self.report:
                    item.user_properties.append(("isolation reset", name))
        self.tell(item, leaks)

    def check_tasks(self, item: pytest.Item, runner: asyncio.Runner) -> None:
        remedy = "await or cancel it, or use asyncio.TaskGroup"
        names = tasks_left(runner.get_loop())
        if item.function.__qualname__ not in names:  # Else a timeout stopped them, and the test.
            self.tell(item, [(f"tasks:{name}", remedy) for name in names])

    def tell(self, item: pytest.Item, leaks: list[tuple[str, str]]) -> None:
        if not leaks:
            return
        tolerated = [pattern for mark in item.iter_markers("leaks") for pattern in mark.args]
        lines = [
            f"{leak}: {remedy}"
            for leak, remedy in leaks
            if not matches(tolerated, leak) and not matches(self.keep, leak)
        ]
        if self.report:
            item.user_properties += [
                ("isolation reported", line.partition(": ")[0]) for line in lines
            ]
        if lines and self.mode == "warn":
            item.user_properties += [("isolation warning", f"leaks {line}") for line in lines]
        elif lines:
            raise Leak("\n".join(f"leaks {line}" for line in lines), pytrace=False)

    def reset(self, item: pytest.Item) -> None:
        for what in resets():
            if self.report:
                item.user_properties.append(("isolation reset", what))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        error = call.excinfo.value if call.excinfo else None
        blocked = isinstance(error, SocketBlockedError | SocketConnectBlockedError)
        if error and (blocked or str(error).startswith(OUTSIDE)):
            error.add_note(NETWORK)
            if self.report:
                item.user_properties.append(("isolation blocked", str(error)))
        report: pytest.TestReport = yield
        if isinstance(error, Leak) and hasattr(report, "wasxfail"):
            # pytest takes any error of a test that is expected to fail for the expected one.
            report.outcome = "failed"
            del report.wasxfail
        return report


@cache
def model_caches() -> list[Any]:
    """The managers that remember rows: of ContentType and Site, where installed."""
    names = [("contenttypes", "ContentType"), ("sites", "Site")]
    found = [
        apps.get_model(*name) for name in names if apps.is_installed(f"django.contrib.{name[0]}")
    ]
    return [model._default_manager for model in found]


def storages_in_memory() -> list[tuple[str, InMemoryStorage]]:
    found = [(alias, storages[alias]) for alias in settings.STORAGES]
    return [item for item in found if isinstance(item[1], InMemoryStorage)]


def matches(patterns: Iterable[str], leak: str) -> bool:
    return any(fnmatchcase(leak, pattern) or leak == pattern for pattern in patterns)


def resets() -> Generator[str]:
    """Put back what production code leaves in a process, and name what there was."""
    for one in caches.all(initialized_only=True):
        one.clear()
    for manager in model_caches():
        manager.clear_cache()
    if getattr(mail, "outbox", None):
        mail.outbox.clear()
        yield "mail.outbox"
    for alias, storage in storages_in_memory():
        # Private, seen in Django 5.2 and 6.1; listdir() takes ten times as long to find nothing.
        if storage._root._children:
            storage._root._children.clear()
            yield f"storage {alias}"
    for function in project.memoized.values():
        if function.cache_info().currsize:
            function.cache_clear()
            yield f"{function.__module__}.{function.__qualname__} (memoised)"
