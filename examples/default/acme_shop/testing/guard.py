"""The guard: notes the state before a test's own fixtures, and compares it after their teardown.

    waiting --begin--> watching --end--> waiting      once a test: reset, note; compare, revert, report
                        |    ^
                        v    |
                       set_up                         of a fixture of a broader scope

``begin`` is called before the first function-scoped fixture of a test, so broader ones are set up by
then; ``end`` is a finalizer of the test, added first and so called last. State that fixtures of a
broader scope (class, module, session) hold is theirs until they end (scopes.py).
"""

import asyncio
import gc
import sys
from collections.abc import Callable, Generator
from contextlib import nullcontext, suppress
from contextvars import copy_context
from functools import partial
from typing import Any
from warnings import catch_warnings, simplefilter

import pytest
from django.conf import settings
from django.urls import get_resolver
from django.utils.module_loading import import_string

from . import compat
from .audit import Audit
from .baseline import Baseline
from .leaks import Leak, Leaked
from .loop import running_tasks
from .network import OUTSIDE, REMEDY, Network
from .probes import Probe, Project, probes
from .probes.builtin_names import Builtins
from .resets import resets
from .scopes import Scopes
from .testcode import TestCode

# What a set-up may raise, without what ends the run.
ERRORS = (Exception, pytest.fail.Exception, pytest.skip.Exception)

# What the traceback of a failed test keeps: what its functions opened, and the executor of async_to_sync.
KEPT_BY_TRACEBACK = ("sockets:", "threads:ThreadPoolExecutor")

# What pytest keeps of a failed test for a debugger, until the next test begins.
LAST = ("last_type", "last_value", "last_traceback", "last_exc")


class Guard:
    """Reports leaks as errors (mode ``fail``), or at the end of the run (``warn``)."""

    def __init__(self, config: pytest.Config, mode: str, baseline: Baseline) -> None:
        self.config, self.mode, self.baseline = config, mode, baseline
        self.keep = config.getini("isolation_keep")
        self.detailed = config.getoption("--isolation-report")
        self.item: pytest.Item | None = None  # The test that is watched.
        self.current: pytest.Item | None = None  # The one whose teardown runs.
        self.early: list[Leak] = []  # Found before its end: tasks of its loop, its transaction.
        self.left: list[tuple[str, list[Leak]]] = []  # Since the last report: whose, and what.
        self.due, self.parent = True, None  # Whether the state has to be noted anew.
        self.stale: set[str] = set()  # Else, the probes that have to.
        self.broken: dict[str, str] = {}  # Probes that are off, and the errors that they raised.
        self.said: set[str] = set()  # Those of them that a test's report says.
        self.audit, self.network = Audit(), Network()
        self.probes: list[Probe] = []
        self.builtins = Builtins()
        self.has_failed = False  # Whether the test did, so far.
        self.is_unawaited = False  # Whether the test failed with a coroutine that it did not await.
        self.scopes = Scopes(self)

    @pytest.hookimpl(trylast=True)  # pytest-cov measures no thread that is older than its start.
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        if not settings.configured:  # No Django project: nothing to guard.
            self.config.pluginmanager.unregister(self)
            return
        with suppress(compat.Renamed):
            compat.thread_sensitive_executor().submit(bool).result()  # Its thread outlives tests.
        # A conftest.py or plugin with hooks is called between tests: what it keeps is no test's doing.
        is_plugin = self.config.pluginmanager.get_hookcallers
        self.project = Project(f"{self.config.rootpath}/", is_plugin)
        self.tests = TestCode(self.config)
        for name, make in probes(self.config, self.project, self.audit, self.tests).items():
            try:
                self.probes.append(make())
            except Exception as error:
                self.switch_off(name, error)

    def pytest_sessionfinish(self) -> None:
        self.audit.on = False

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Import what the first request would: it registers receivers, and sets logging up again.

        Only then begin to watch: collecting raises audit events, too, and each has its price.
        """
        self.tests.collected = {item.path for item in session.items}
        if session.items:
            with suppress(Exception):
                _ = get_resolver().url_patterns
            with suppress(Exception):
                import_string(settings.ASGI_APPLICATION)
            handlers = dict(self.network.events)
            for probe in self.probes:
                for event, handler in probe.events.items():
                    handlers[event] = partial(self.heard, probe, handler)
            self.audit.watch(handlers)

    def heard(self, probe: Probe, handler: Callable[..., Any], *args: Any) -> None:
        """An error of the handler is the probe's, and not that of the code that caused the event."""
        try:
            handler(*args)
        except Exception as error:
            self.switch_off(probe.name, error)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        node = request.node
        if not isinstance(node, pytest.Item):
            return (yield from self.scopes.set_up(fixturedef, request))
        # An error before the yield would leave pytest's fixture half set up, for every later test.
        error = self.begin(node, request) if self.item is not node else None
        # pytest-asyncio 1.3 asks for the thread's loop, which is made for it, and stays.
        by_asyncio = fixturedef.func.__module__.startswith("pytest_asyncio")
        with self.audit.paused() if by_asyncio else nullcontext():
            result = yield
        if error:
            raise error
        if isinstance(result, asyncio.Runner):
            # Its finalizer cancels what is left, and every fixture that uses it is done by then.
            fixturedef.addfinalizer(partial(self.note_tasks, node, result))
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Run the test in a copy of the context, so that its context variables end with it.

        But a fixture that resets one, which the test has set through it, needs the context of the test.
        """
        if self.item is not item and (error := self.begin(item)):
            raise error
        if not self.tests.resets_variables():
            item.runtest = partial(copy_context().run, item.runtest)
        try:
            return (yield)
        finally:
            vars(item).pop("runtest", None)

    def begin(
        self, item: pytest.Item, request: pytest.FixtureRequest | None = None
    ) -> BaseException | None:
        """Begin to watch a test; return what went wrong, which is this test's error alone."""
        marks = {mark.name for mark in item.iter_markers()}
        if request and "django_db" in marks:
            # Now, so that what it changes is not taken for the test's doing. Its error is the test's.
            with suppress(*ERRORS):
                request.getfixturevalue("django_db_setup")
        self.item, self.early, self.has_failed = item, [], False
        self.tests.begin(item.path)
        item.addfinalizer(partial(self.end, item))
        try:
            for what in resets(self.project.memoised.values(), self.scopes.stored()):
                self.count(item, "reset", what)
        except ERRORS as error:
            return error
        self.builtins.note()
        self.due, self.parent = self.due or self.parent is not item.parent, item.parent
        self.note()
        opened = "socket_enabled" in getattr(item, "fixturenames", ())
        self.network.allowed = opened or not marks.isdisjoint(("enable_socket", "allow_hosts"))
        self.network.is_tolerated = partial(self.is_tolerated, item.nodeid)
        self.audit.on = True
        return None

    def is_tolerated(self, test: str, leak: str) -> bool:
        return self.mode == "warn" or (test, leak) in self.baseline.known

    def note(self) -> None:
        """Note the state, or, where it is as the last check left it, that the next test begins."""
        due, stale, self.due, self.stale = self.due, self.stale, False, set()
        for probe in self.probes:  # switch_off() replaces the list.
            try:
                (probe.note if due or probe.name in stale else probe.renew)()
            except Exception as error:
                self.switch_off(probe.name, error)

    def switch_off(self, probe: str, error: Exception) -> None:
        """An error in a probe costs that probe, and no test; the report says so."""
        self.probes = [one for one in self.probes if one.name != probe]
        self.broken[probe] = f"{probe}: {type(error).__name__}: {error}"
        self.due = True

    def found(self, probe: Probe) -> list[Leak]:
        try:
            return [*probe.leaks()]
        except Exception as error:
            self.switch_off(probe.name, error)
            return []

    def end(self, item: pytest.Item) -> None:
        """After the teardown of the test's own fixtures, and before that of broader ones."""
        self.item, self.audit.on = None, False
        builtins = self.builtins.restored()  # First: what follows needs them.
        leaks = self.early + self.network.leaks()
        for probe in self.probes:
            # One after another: what one reverts, like a patch, the next does not see.
            leaks += filter(self.revert, self.found(probe))
        patched = {leak.part for leak in leaks if leak.probe == "patches"}
        leaks += [leak for leak in builtins if leak.part not in patched]
        for name in self.broken.keys() - self.said:
            self.said.add(name)
            item.user_properties.append(("isolation off", self.broken[name]))
        tolerated = [pattern for mark in item.iter_markers("leaks") for pattern in mark.args]
        if leaks := [one for one in leaks if not one.matches([*tolerated, *self.keep])]:
            self.left.append(("", leaks))

    def revert(self, leak: Leak) -> bool:
        """Put back what is still there; whether to report it."""
        with catch_warnings():
            # What the leak alone held, like a file, would warn in the next test.
            simplefilter("ignore", ResourceWarning)
            try:
                if leak.matches(self.keep) or not leak.there():
                    return False
                leak.revert()
                if leak.there():  # It cannot be reverted, like a thread.
                    self.stale.add(leak.probe)
            except Exception as error:
                self.switch_off(leak.probe, error)
        is_kept = self.has_failed and leak.name.startswith(KEPT_BY_TRACEBACK)
        is_silent = leak.silent or is_kept
        if is_silent and self.current:
            self.count(self.current, "reset", leak.name)
        return not is_silent

    def note_tasks(self, item: pytest.Item, runner: asyncio.Runner) -> None:
        self.early += running_tasks(runner.get_loop(), item.function.__qualname__, self.tests)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """All that a test and the fixtures that end with it left is one error."""
        self.current = item
        try:
            result = yield
        except ERRORS as error:
            if leaked := self.report(item):
                raise BaseExceptionGroup("The teardown failed", [error, leaked]) from None
            raise
        if leaked := self.report(item):
            raise leaked
        return result

    def report(self, item: pytest.Item) -> Leaked | None:
        left, self.left = self.baseline.new(item, self.left), []
        for title, leaks in left:
            for leak in leaks:
                self.count(item, "reported", leak.name)
                if self.mode == "warn":
                    where = title or item.nodeid
                    item.user_properties.append(
                        ("isolation warning", (where, leak.name, str(leak)))
                    )
        return Leaked(left) if left and self.mode == "fail" else None

    def count(self, item: pytest.Item, what: str, name: str) -> None:
        if self.detailed:
            item.user_properties.append((f"isolation {what}", name))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Drop a coroutine that a failed test did not await: its warning would fail a later test."""
        result = yield
        if self.is_unawaited:
            self.is_unawaited = False
            for name in LAST:
                vars(sys).pop(name, None)
            with catch_warnings():
                simplefilter("ignore")
                gc.collect()
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        error = call.excinfo.value if call.excinfo else None
        self.has_failed = self.has_failed or error is not None
        self.is_unawaited = self.is_unawaited or "coroutine" in str(error)
        if isinstance(error, OUTSIDE):
            error.add_note(REMEDY)
            self.count(item, "blocked", str(error))
        report: pytest.TestReport = yield
        if isinstance(error, Leaked) and hasattr(report, "wasxfail"):
            # pytest takes any error of a test that is expected to fail for the expected one.
            report.outcome = "failed"
            del report.wasxfail
        return report
