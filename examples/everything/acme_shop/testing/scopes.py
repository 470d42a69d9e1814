"""Fixtures of a class, a module or the session: judged when they end.

What such a fixture changes in its set-up is its own while it lives: the tests begin with it. What is
still there after its teardown, and what the teardown itself changed, is a leak of the fixture. Where it
asked for a fixture of the same class, module or session, like a MonkeyPatch, that one ends later and may
undo it, so it is judged after both. pytest calls setUpClass, setup_class and setup_module as fixtures, too.
"""

import inspect
import sys
from collections.abc import Collection, Generator, Iterable
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from . import stores
from .database.rows import Rows
from .leaks import Leak
from .testcode import is_inside

if TYPE_CHECKING:
    from .guard import Guard

# What a fixture asks for that makes queries outside of a test.
DATABASE = {"django_db_setup", "django_db_blocker"}
# pytest's names of the fixtures that call these; what follows is the name of the class or module.
XUNIT = {
    "_unittest_setUpClass_fixture_": ("setUpClass", "tearDownClass"),
    "_xunit_setup_class_fixture_": ("setup_class", "teardown_class"),
    "_xunit_setup_module_fixture_": ("setup_module", "teardown_module"),
}


class Broader:
    """One such fixture while it is set up, and what its set-up changed.

    ``is_judged``: only the project's own are; those of packages come and go as they must. ``number``:
    counts them in the order of their set-up.
    """

    def __init__(
        self, fixturedef: pytest.FixtureDef[Any], node: Any, root: Path, number: int
    ) -> None:
        self.node, self.number, self.changes = node, number, list[Leak]()
        self.rows: Rows | None = None
        self.name, self.asked = fixturedef.argname, {*fixturedef.argnames}
        self.waiting: list[Broader] = []  # Those that asked for this one, and ended.
        self.imported: set[str] = set()  # Namespaces that were not there before.
        self.stored: list[stores.Entry] = []  # What its set-up put into caches and storages.
        # The session's rows end with its database.
        self.is_session = fixturedef.scope == "session"
        asks = DATABASE & {self.name, *self.asked}
        self.may_commit = fixturedef.scope != "session" and bool(asks)
        functions, self.title, undo = described(fixturedef, node)
        self.remedy = f"undo it in {undo}"
        codes = [*filter(None, map(code_of, functions))]
        self.asks_for_any = any("getfixturevalue" in code.co_names for code in codes)
        paths = {Path(code.co_filename) for code in codes}
        self.paths = {*paths, node.path}
        inside = {path for path in paths if is_inside(path, root)}
        self.is_judged = bool(inside)
        if inside:
            self.title += f" in {min(inside).relative_to(root)}"
        # What its own module and the tests' hold ends with them, or is the fixture's bookkeeping.
        files, every = {*map(str, self.paths)}, [*sys.modules.items()] if inside else []
        names = (name for name, module in every if getattr(module, "__file__", None) in files)
        self.modules = tuple(f"attributes:{name}." for name in names)

    def imported_its_module(self, leak: Leak) -> bool:
        """Whether its set-up did so first, maybe while it had patched it: nothing is known of the time before."""
        return leak.probe == "attributes" and leak.part.rpartition(".")[0] in self.imported

    def is_own(self, leak: Leak) -> bool:
        """Its module's, or the database that it opened for the rest of the session."""
        opened = self.is_session and leak.name == "database:django_db_blocker"
        return opened or leak.name.startswith(self.modules)


def described(fixturedef: pytest.FixtureDef[Any], node: Any) -> tuple[list[Any], str, str]:
    """The functions behind a fixture, its name in a message, and where it should undo its changes."""
    for prefix, (method, undo) in XUNIT.items():
        if fixturedef.argname.startswith(prefix):
            owner = node.obj
            if hasattr(owner, "setUpModule"):  # pytest prefers it.
                method, undo = "setUpModule", "tearDownModule"
            names = [method, "setUpTestData"][: 1 + (method == "setUpClass")]
            functions = [getattr(owner, name, None) for name in names]
            title = method if isinstance(owner, ModuleType) else f"{owner.__name__}.{method}"
            return functions, title, undo
    title = f"the {fixturedef.scope} fixture {fixturedef.argname!r}"
    return [fixturedef.func], title, "the fixture, after its yield"


def code_of(function: Any) -> Any:
    """Its code: that of a decorator, like ``@mock.patch``, lies in a library."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    return getattr(function, "__code__", None)


class Scopes:
    """Watches the set-up and the teardown of each fixture of a broader scope."""

    def __init__(self, guard: "Guard") -> None:
        self.guard = guard
        self.under_way: list[Broader] = []  # One set-up may ask for another fixture.
        self.alive: list[Broader] = []
        self.numbers = count()
        self.is_database_ready = False

    def set_up(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        guard = self.guard
        broader = Broader(fixturedef, request.node, guard.config.rootpath, next(self.numbers))
        fixturedef.addfinalizer(partial(self.torn_down, broader))  # Added first, so called last.
        if not (guard.item or self.under_way):
            stores.reset(self.stored())
        before = stores.entries()
        self.alive.append(broader)
        try:
            return (yield from self.watch(broader, fixturedef, request))
        finally:
            broader.stored = stores.added(before)

    def stored(self) -> list[stores.Entry]:
        """What fixtures that have not ended put into caches and storages in memory."""
        return [entry for broader in self.alive for entry in broader.stored]

    def watch(
        self, broader: Broader, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, Any, Any]:
        guard = self.guard
        if not (guard.item or broader.is_judged or self.under_way):
            guard.due = True
            self.is_database_ready |= fixturedef.argname == "django_db_setup"
            return (yield)
        self.note_changes(self.under_way[-1:])
        if self.is_database_ready and broader.is_judged and broader.may_commit:
            broader.rows = Rows(request.getfixturevalue("django_db_blocker").unblock)
        before = set[str]()
        if guard.item:
            # Asked for by a running test: what the test changed is not the fixture's doing.
            before = {leak.name for probe in guard.probes for leak in guard.found(probe)}
        else:
            with guard.tests.of(*broader.paths):
                guard.note()
        self.under_way.append(broader)
        namespaces = {*guard.project.namespaces}
        try:
            with guard.audit.switched(on=broader.is_judged), guard.tests.of(*broader.paths):
                return (yield)
        finally:
            self.note_changes([broader], before)
            broader.imported = guard.project.namespaces.keys() - namespaces
            self.under_way.pop()
            if self.under_way and not guard.item:
                with guard.tests.of(*self.under_way[-1].paths):
                    guard.note()
            fixturedef.addfinalizer(partial(self.begin_teardown, broader))
            self.is_database_ready |= fixturedef.argname == "django_db_setup"

    def note_changes(self, those: Iterable[Broader], before: Collection[str] = ()) -> None:
        """Keep what changed as the fixture's, and take it for the state that tests begin with."""
        guard = self.guard
        for broader in those:
            known = {*before, *(leak.name for leak in broader.changes)}
            with guard.tests.of(*broader.paths):
                for probe in [*guard.probes]:
                    new = [leak for leak in guard.found(probe) if leak.name not in known]
                    unknown = [*filter(broader.imported_its_module, new)]
                    broader.changes += [leak for leak in new if leak not in unknown]
                    for leak in new if guard.item else unknown:
                        probe.accept(leak.part)
            guard.due = guard.due or not guard.item

    def begin_teardown(self, broader: Broader) -> None:
        guard = self.guard
        if broader.is_judged and not guard.item:
            with guard.tests.of(*broader.paths):
                guard.note()
            guard.audit.on = True

    def torn_down(self, broader: Broader) -> None:
        guard, guard.due = self.guard, True
        self.alive.remove(broader)
        if guard.item:
            return
        if broader.is_judged:
            guard.audit.on = False
            waiting = [one for asked in (broader, *self.alive) for one in asked.waiting]
            self.note_changes([broader], {leak.name for one in waiting for leak in one.changes})
        ended = [*broader.waiting, broader]
        for one in self.alive:
            is_asked = one.name in broader.asked or broader.asks_for_any
            if one.node is broader.node and is_asked:
                one.waiting += ended  # It may undo what they changed.
                return
        seen = set[str]()
        for one in sorted(ended, key=lambda one: one.number):
            self.judge(one, seen)

    def judge(self, broader: Broader, seen: set[str]) -> None:
        """Report what it left, but for what one before it changed first: that one's leak is the whole."""
        changes = [
            one for one in broader.changes if one.name not in seen and not broader.is_own(one)
        ]
        seen |= {leak.name for leak in changes}
        if not broader.is_judged:
            return
        guard = self.guard
        tolerated = [
            pattern for mark in broader.node.iter_markers("leaks") for pattern in mark.args
        ]
        with guard.tests.of(*broader.paths):
            left = [replace(leak, remedy=broader.remedy) for leak in changes if guard.revert(leak)]
        left += [
            leak for leak in (broader.rows.leaks() if broader.rows else ()) if guard.revert(leak)
        ]
        if left := [leak for leak in left if not leak.matches(tolerated)]:
            guard.left.append((broader.title, left))
