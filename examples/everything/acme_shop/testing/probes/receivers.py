"""Receivers of Django's and the project's signals."""

import sys
import weakref
from collections.abc import Iterable
from functools import partial
from operator import attrgetter
from types import ModuleType
from typing import Any

from django.dispatch import Signal

from ..leaks import Leak, shown
from ..testcode import TestCode
from .base import Probe
from .project import Project


class Receivers(Probe):
    """Watches the receivers of every signal that stands in a module.

    Ignores what importing a module connects, dead receivers, and methods of objects that a library
    made for itself. Costs one comparison a signal. Reverts the list of receivers, silently where no test
    file connects or disconnects anything.
    """

    name, remedy = "receivers", "disconnect it, or connect it in a fixture that disconnects it"
    lists = staticmethod(attrgetter("receivers"))

    def __init__(self, project: Project, tests: TestCode) -> None:
        self.project, self.tests = project, tests

    def note(self) -> None:
        self.imports = self.project.scan()
        self.found = [*self.project.signals.values()]
        self.then = {name: [*one.receivers] for name, one in self.project.signals.items()}
        self.saved = [*self.then.values()]

    def leaks(self) -> Iterable[Leak]:
        if self.project.scan() != self.imports:  # Imports may connect receivers: that stays.
            self.note()
        if [*map(self.lists, self.found)] == self.saved:
            return
        for part, signal in self.project.signals.items():
            now, then = signal.receivers, self.then.get(part, [])
            added = [entry for entry in now if entry not in then and self.is_leak(entry)]
            gone = [entry for entry in then if entry not in now and self.is_leak(entry)]
            if added or gone:
                words = [f"connected {shown(receiver(entry))}" for entry in added]
                words += [f"disconnected {shown(receiver(entry))}" for entry in gone]
                named = self.tests.mentions(part.rpartition(".")[2])
                silent = not (named and self.tests.calls("connect", "disconnect", "receiver"))
                then = [*then]  # accept() changes the noted list.
                yield self.leak(
                    part,
                    ", ".join(words),
                    partial(put, signal, then),
                    there=partial(then.__ne__, now),
                    silent=silent,
                )

    def accept(self, part: str) -> None:
        # In place, since self.saved holds the lists.
        self.then.setdefault(part, [])[:] = self.project.signals[part].receivers

    def is_leak(self, entry: Any) -> bool:
        one = receiver(entry)
        owner = getattr(one, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            return self.project.owns(sys.modules.get(type(owner).__module__))
        return one is not None


def receiver(entry: Any) -> Any:
    """The function behind an entry; None when it is gone."""
    return entry[1]() if isinstance(entry[1], weakref.ReferenceType) else entry[1]


def put(signal: Signal, then: list[Any]) -> None:
    signal.receivers[:] = then
    signal.sender_receivers_cache.clear()
