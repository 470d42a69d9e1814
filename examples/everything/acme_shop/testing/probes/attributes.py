"""Attributes: names in the project's modules, classes and objects, in what it imports, and settings."""

from collections.abc import Iterable
from functools import partial
from itertools import compress
from operator import ne, or_
from types import ModuleType
from typing import Any

from django.apps import apps
from django.core.signals import setting_changed

from .. import compat
from ..leaks import ABSENT, Leak, change
from ..testcode import TestCode
from .base import Probe, is_private
from .namespace import (
    PLAIN,
    Namespace,
    Settings,
    fills_itself,
    grew,
    is_cleaned_up,
    is_given_up,
    put,
    remove,
)
from .project import Project

OVERRIDDEN = "overridden, not undone"


class Attributes(Probe):
    """Watches each namespace that ``Project`` found, and Django's settings.

    Ignores what an import registers, names of libraries other than functions and classes, ``__dunder__``
    names, and one object deeper than module, class and module-level object; names of other test files,
    and those of libraries that the code of the test does not spell; a container of a test class or module
    whose teardown names it. Costs one comparison in C that stops
    at the identity of each value. Reverts the value, and the content of a container: silently for
    ``_private`` names, and for what no test file changes.
    """

    name, remedy = "attributes", Namespace.remedy

    def __init__(self, project: Project, tests: TestCode) -> None:
        self.project, self.tests = project, tests
        self.settings: Settings | None = None
        self.files: list[Any] = []  # The code that may run, as TestCode found it.
        self.watched = Compared([])
        self.known: dict[int, Compared] = {}  # By the identity of these.
        self.size = 0

    def note(self) -> None:
        self.imports = self.project.scan()
        wrapped = compat.settings_object()
        if self.settings is None or self.settings.owner is not wrapped:
            self.settings = Settings("settings", wrapped)
        self.files = self.tests.found
        if self.size != len(self.project.namespaces):
            self.size, self.known = len(self.project.namespaces), {}
        if id(self.files) not in self.known:
            self.known[id(self.files)] = Compared(self.by_the_test())
        self.watched = self.known[id(self.files)]
        for namespace in self.changed():
            namespace.save()

    def renew(self) -> None:
        if self.files is not self.tests.found or self.imports != self.project.imports:
            self.note()

    def by_the_test(self) -> Iterable[Namespace]:
        """The namespaces that production code may fill, or that the code of the test can change."""
        others, names = self.tests.others(), self.tests.patched()
        for one in self.project.namespaces.values():
            if (one.foreign and (names is None or not names.isdisjoint(one.vars))) or (
                not one.foreign and one.file not in others
            ):
                yield one

    def changed(self) -> list[Namespace]:
        settings = self.settings
        if any([one.follow() for one in self.watched.objects]):  # A list, since each has to.
            self.known = {}
            self.watched = Compared(self.by_the_test())
        return [*([settings] if settings and settings.changed() else []), *self.watched.changed()]

    def leaks(self) -> Iterable[Leak]:
        settings = self.settings
        assert settings is not None, "note() comes first"
        if compat.settings_object() is not settings.owner:
            revert = partial(end_overrides, settings.owner)
            there = partial(is_overridden, settings.owner)
            self.files = []  # Receivers that hear of the revert may change more: note it all anew.
            yield self.leak("settings", OVERRIDDEN, revert, there=there, remedy=settings.remedy)
            return
        imported = self.project.scan() != self.imports
        named: set[int] = set()
        for namespace in self.changed():
            found = [*namespace.changes()]
            if imported:  # What an import registers stays, as the module does.
                found = [
                    (key, before, after)
                    for key, before, after in found
                    if (self.tests.assigns(key) if before is ABSENT else not grew(before, after))
                ]
            if self.tests.calls("reload") and (again := [one for one in found if is_again(*one)]):
                found = [one for one in found if one not in again]
                yield self.reloaded(namespace, again)
            elif not found:  # What libraries keep there for each use.
                namespace.save()
            if found and namespace is settings:
                self.files = []
            for key, before, after in found:
                if after is namespace.values.get(key, ABSENT):  # One list, say, under two names.
                    if id(after) in named:
                        continue
                    named.add(id(after))
                if is_filled(namespace, key, after) and is_cleaned_up(namespace.owner, key):
                    namespace.keep(key)
                    continue
                if after is None and is_given_up(namespace.owner, key, before):
                    namespace.keep(key)
                    continue
                silent = is_private(key) or self.is_production(namespace, key, before, after)
                yield self.leak(
                    f"{namespace.name}.{key}",
                    "" if silent else change(key, before, after),  # Its repr() may be slow.
                    namespace.reverter(key),
                    there=namespace.difference(key),
                    remedy=namespace.remedy,
                    silent=silent,
                )

    def is_production(self, namespace: Namespace, key: str, before: Any, after: Any) -> bool:
        """Whether production code may have changed this name of the project, or whether it answers as before."""
        if namespace is self.settings:
            overridden = getattr(namespace.owner, "default_settings", None)
            return before is ABSENT and getattr(overridden, key, ABSENT) == after
        if namespace.foreign:
            return not self.tests.replaced(key, after)
        if after is ABSENT and is_refilled(namespace.owner, key, before):
            return True
        if before is ABSENT:
            # A class that fills itself, where the test sets an attribute of that name on an instance.
            fills = isinstance(namespace.owner, type) and not self.tests.creates(key)
            if fills or is_effective(namespace.owner, key, after):
                return True
        return not self.tests.changes(key)

    def reloaded(self, namespace: Namespace, again: list[tuple[str, Any, Any]]) -> Leak:
        """One leak for a module; silent where each function and class is defined as it was."""
        reverts = [namespace.reverter(key) for key, before, after in again]
        differences = [namespace.difference(key) for key, before, after in again]
        return self.leak(
            namespace.name,
            "reloaded",
            lambda: [revert() for revert in reverts],
            there=lambda: any(differs() for differs in differences),
            remedy="reload it in a fixture that puts its names back, or in another process",
            silent=all(is_same(before, after) for key, before, after in again),
        )

    def accept(self, part: str) -> None:
        if part == "settings":
            self.note()
            return
        owner = part.rpartition(".")[0]
        found = self.settings if owner == "settings" else self.project.namespaces[owner]
        if found:
            found.save()


class Compared:
    """Namespaces in lists, to compare what they hold with what was noted in C.

    One list of all values comes first: most tests change none.
    """

    def __init__(self, namespaces: Iterable[Namespace]) -> None:
        self.every = [*namespaces]
        self.objects = [one for one in self.every if not isinstance(one.owner, type | ModuleType)]
        self.values = [one.vars.values() for one in self.every]
        self.listed = [one.listed for one in self.every]
        self.contents = [one.containers for one in self.every], [one.saved for one in self.every]
        self.last: list[Any] = []  # All values, when nothing had changed,
        self.notes = -1  # and what was noted then.

    def changed(self) -> list[Namespace]:
        now: list[Any] = []
        for values in self.values:  # Faster than chain() over them.
            now += values
        try:
            is_noted = self.notes == Namespace.notes and now == self.last
            if is_noted and self.contents[0] == self.contents[1]:
                return []
            # Lists are faster to compare than dicts; an order that differs is looked at, and no change.
            differ = map(or_, map(ne, map(list, self.values), self.listed), map(ne, *self.contents))
            found = [*compress(self.every, differ)]
        except Exception:  # Values that cannot be compared.
            found = [one for one in self.every if one.changed()]
        if not found:
            self.last, self.notes = now, Namespace.notes
        return found


def end_overrides(owner: Any) -> None:
    """Undo ``override_settings().enable()`` as ``disable()`` would: receivers hear of each setting."""
    holder, names = compat.settings_object(), set[str]()
    while holder is not owner and hasattr(holder, "default_settings"):
        here = {name for name in vars(holder) if name.isupper()}
        if "INSTALLED_APPS" in here and apps.stored_app_configs:
            apps.unset_installed_apps()
        names |= here
        holder = holder.default_settings
    compat.set_settings_object(owner)
    for name in sorted(names):
        value = getattr(owner, name, None)
        setting_changed.send_robust(type(owner), setting=name, value=value, enter=False)


def is_overridden(owner: Any) -> bool:
    return compat.settings_object() is not owner


def is_filled(namespace: Namespace, key: str, value: Any) -> bool:
    """Whether it is the container that was noted, with other content."""
    return any(name == key and live is value for name, live in namespace.live)


def is_again(key: str, before: Any, after: Any) -> bool:
    """Whether a function or class was defined once more, in the same place."""
    if type(before) is not type(after) or not hasattr(before, "__qualname__"):
        return False
    return (before.__module__, before.__qualname__) == (after.__module__, after.__qualname__)


def is_same(before: Any, after: Any) -> bool:
    """Whether two definitions have the same code and the same values."""
    if isinstance(before, type) and isinstance(after, type):
        own, other = (
            {key: value for key, value in vars(cls).items() if key[:2] != "__"}
            for cls in (before, after)
        )
        return own.keys() == other.keys() and all(is_same(own[key], other[key]) for key in own)
    code = [getattr(getattr(one, "__func__", one), "__code__", None) for one in (before, after)]
    if code[0]:
        return code[0] == code[1]
    return type(before) is type(after) and (type(before) not in PLAIN or before == after)


def is_refilled(owner: Any, key: str, before: Any) -> bool:
    """Whether an object answers the same without its own attribute: a later use fills it in again."""
    if not fills_itself(owner):
        return False
    try:
        again = getattr(owner, key, ABSENT)
        return again is before or bool(again == before)
    except Exception:  # It cannot answer without it.
        return False


def is_effective(owner: Any, key: str, value: Any) -> bool:
    """Whether the owner answers the same without its own attribute: it inherits it, or fills itself."""
    if isinstance(owner, type):
        inherited = next((vars(cls)[key] for cls in owner.__mro__[1:] if key in vars(cls)), ABSENT)
        return inherited is value or (type(inherited) is type(value) and bool(inherited == value))
    if not fills_itself(owner):
        return False
    try:
        remove(owner, key)
        return is_refilled(owner, key, value)
    except Exception:  # It does not let go of it.
        return False
    finally:
        put(owner, key, value)
