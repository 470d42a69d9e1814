"""What a test file changes outside of the project's own names: in libraries, objects, registries."""

from collections.abc import Iterable, MutableMapping, MutableSequence, MutableSet
from contextlib import suppress
from typing import Any

from .. import compat
from ..leaks import ABSENT, Leak, change
from ..places import REGISTRIES, Finder, Place, definition
from ..testcode import TestCode
from .base import Probe, is_private
from .namespace import CONTAINERS, copied, fills_itself, is_cleaned_up, is_given_up
from .project import Project

# Where other probes look, and what is emptied before each test.
IGNORED = (
    "django.conf.settings",
    "django.core.mail.outbox",
    "logging.disable",
    "os.environ",
    "sys.argv",
    "sys.modules",
    "sys.path",
    "warnings.filters",
)


class Watched:
    """One place: the value of ``name`` in an owner, or what a container holds."""

    def __init__(self, label: str, owner: Any, name: str, content: Any = ABSENT) -> None:
        self.label, self.owner, self.name, self.container = label, owner, name, content
        self.value = self.read()
        self.saved = copied(self.value)

    def read(self) -> Any:
        own = getattr(self.owner, "__dict__", None)
        if self.container is not ABSENT:
            # Its owner may have a copy of it by now, as after an autodiscover() that failed.
            now = (own or {}).get(self.name, self.container)
            return content(now if is_container(now) else self.container)
        if own is None:
            return getattr(self.owner, self.name, ABSENT)
        return own.get(self.name, ABSENT)

    def differs(self) -> bool:
        now = self.read()
        try:
            return type(now) is not type(self.value) or bool(now != self.saved)
        except Exception:  # Values that cannot be compared.
            return now is not self.value

    def revert(self) -> None:
        with suppress(AttributeError, TypeError):  # It cannot be set any more.
            if self.container is not ABSENT:
                refill(self.container, copied(self.saved))
                if self.name in (getattr(self.owner, "__dict__", None) or ()):
                    setattr(self.owner, self.name, self.container)
            elif self.value is ABSENT:
                delattr(self.owner, self.name)
            else:
                if type(self.value) in CONTAINERS:
                    refill(self.value, copied(self.saved))
                setattr(self.owner, self.name, self.value)
            if self.name == "class_lookups":
                compat.clear_class_lookups(self.owner)


class Places(Probe):
    """Watches each place that the file of the test, a conftest.py or a helper assigns, deletes or fills.

    Ignores what other probes watch, properties, objects that the test creates, modules that nothing
    imported yet, and what a conftest.py with hooks holds, since pytest calls those between tests. Costs a
    microsecond a place, in the files that change any. Reverts the value or content.
    """

    name, remedy = "attributes", "use the monkeypatch fixture, or revert it in a fixture"

    def __init__(self, project: Project, tests: TestCode) -> None:
        self.is_plugin, self.tests = project.is_plugin, tests
        self.files: list[Any] = []
        self.watched: list[Watched] = []
        self.settings: Any = None

    def note(self) -> None:
        self.files, self.settings = self.tests.found, compat.settings_object()
        finders = [file.finder for file in self.tests.code()]
        found = {one.label: one for finder in finders for one in self.watched_by(finder)}
        self.watched = [*found.values()]

    def watched_by(self, finder: Finder) -> Iterable[Watched]:
        is_plugin = finder.module and self.is_plugin(finder.module)
        for place in finder.places:
            if is_plugin and place.path[0] not in finder.imports:
                continue
            with suppress(Exception):  # Production's code may raise when it is looked at.
                yield from watched_at(finder, place)

    def renew(self) -> None:
        if self.files is not self.tests.found:
            self.note()

    def leaks(self) -> Iterable[Leak]:
        if compat.settings_object() is not self.settings:
            # As in Attributes: receivers of setting_changed may have changed more, so note it all anew.
            self.files = []
            return
        for one in self.watched:
            if one.differs():
                if one.read() is None and is_given_up(one.owner, one.name, one.value):
                    one.value = one.saved = None
                    continue
                words = change(one.name, one.saved, one.read())
                yield self.leak(one.label, words, one.revert, there=one.differs)

    def accept(self, part: str) -> None:
        self.watched = [one for one in self.watched if one.label != part]


def watched_at(finder: Finder, place: Place) -> Iterable[Watched]:
    path, called = place
    if called is None:
        *before, name = path
        if before and isinstance(name, str):
            owner, label = finder.find(tuple(before))
            label = f"{definition(owner) or label}.{name}"
            if owner not in (ABSENT, None) and not label.startswith(IGNORED):
                yield Watched(label, owner, name)
        return
    found, label = finder.find(path)
    if found is ABSENT or label.startswith(IGNORED):
        return
    if called in REGISTRIES:
        for name in REGISTRIES[called]:
            inner = getattr(found, "__dict__", {}).get(name, ABSENT)
            if is_container(inner):
                yield Watched(f"{label}.{name}", found, name, inner)
            elif called == "register_lookup":  # A class has this container from its first one on.
                yield Watched(f"{label}.{name}", found, name)
    elif is_container(found):
        owner = finder.find(path[:-1])[0] if path[1:] else finder.module
        # There such an object counts what it has filled in: Attributes reverts both, together.
        is_of_object = is_private(label) and path[1:] and fills_itself(owner)
        if not (is_of_object or is_cleaned_up(owner, path[-1])):
            yield Watched(label, found, label.rpartition(".")[2], found)


def is_container(value: Any) -> bool:
    return issubclass(type(value), MutableMapping | MutableSequence | MutableSet)


def content(container: Any) -> Any:
    """A copy as a plain container, all the way down."""
    if isinstance(container, dict):
        return copied(dict(dict.items(container)))
    if isinstance(container, MutableMapping):
        return copied(dict(container.items()))
    return copied(set(container) if isinstance(container, MutableSet) else [*container])


def refill(container: Any, saved: Any) -> None:
    if isinstance(container, dict):
        dict.clear(container)
        dict.update(container, saved)
    elif isinstance(container, bytearray):
        container[:] = bytes(saved)
    elif isinstance(saved, list):
        container.clear()
        container.extend(saved)
    elif isinstance(saved, set):
        container.clear()
        for one in saved:
            container.add(one)
    else:
        container.clear()
        container.update(saved)
