"""Loggers."""

import logging
import sys
from collections.abc import Iterable, Iterator
from functools import partial
from operator import attrgetter
from typing import Any

from ..leaks import Leak, shown
from ..testcode import TestCode
from .base import Probe

State = tuple[Any, ...]
FIELDS = ("level", "disabled", "propagate", "handlers", "filters")
CALLS = {"addFilter", "addHandler", "basicConfig", "dictConfig", "fileConfig", "setLevel"}
CALLS |= {"removeFilter", "removeHandler"}


class Loggers(Probe):
    """Watches level, disabled, propagate, handlers and filters of every logger.

    Ignores pytest's own handlers, and a new logger named after a module that the test imported first.
    Costs one comparison a logger. Reverts all five, silently where no test file configures logging.
    """

    name, remedy = "loggers", "use caplog.set_level(), or a fixture that reverts it"
    read = attrgetter(*FIELDS)

    def __init__(self, tests: TestCode) -> None:
        self.tests = tests
        self.known: dict[str, logging.Logger] = {"root": logging.root}
        self.placeholders: list[str] = []
        self.states: list[State] = []
        self.modules: set[str] = set()
        self.size = -1

    def find(self) -> None:
        """Take in loggers created since, also where there was a placeholder for a parent."""
        registry = logging.root.manager.loggerDict
        became = [
            name for name in self.placeholders if type(registry[name]) is not logging.PlaceHolder
        ]
        if len(registry) == self.size and not became:
            return
        self.size = len(registry)
        loggers = {name: one for name, one in registry.items() if isinstance(one, logging.Logger)}
        self.placeholders = [*registry.keys() - loggers.keys()]
        self.known |= loggers  # Known ones keep their place.

    def note(self) -> None:
        self.find()
        self.modules = {*sys.modules}
        self.states = [*map(state, self.known.values())]

    def leaks(self) -> Iterable[Leak]:
        self.find()
        if [*map(self.read, self.known.values())] == self.states:
            return
        for index, (name, log) in enumerate(self.known.items()):
            if index == len(self.states):
                imported = name in sys.modules and name not in self.modules
                self.states.append(state(log) if imported else new_state())
            before, now = self.states[index], state(log)
            if differences := [*differ(before, now)]:
                by_a_test = self.tests.calls(*CALLS) or self.tests.changes(*FIELDS)
                change, revert = ", ".join(differences), partial(put, log, before)
                there = partial(differs, log, before)
                yield self.leak(name, change, revert, there=there, silent=not by_a_test)

    def accept(self, part: str) -> None:
        names = [*self.known]
        self.states += [new_state() for _ in names[len(self.states) :]]
        self.states[names.index(part)] = state(self.known[part])


def state(log: logging.Logger) -> State:
    """Lists copied: they are compared later."""
    level, disabled, propagate, handlers, filters = Loggers.read(log)
    return level, disabled, propagate, [*handlers], [*filters]


def new_state() -> State:
    """What a logger is created with."""
    return logging.NOTSET, False, True, [], []


def differ(before: State, now: State) -> Iterator[str]:
    """Each field that differs, as ``level WARNING → DEBUG`` or ``handlers +1``."""
    for field, then, value in zip(FIELDS[:3], before, now, strict=False):
        if then != value:
            names = map(logging.getLevelName, (then, value)) if field == "level" else (then, value)
            yield f"{field} {' → '.join(map(str, names))}"
    for field, then, value in zip(FIELDS[3:], before[3:], now[3:], strict=True):
        for sign, one in [("+", one) for one in value if one not in then] + [
            ("-", one) for one in then if one not in value
        ]:
            if not type(one).__module__.startswith("_pytest."):
                yield f"{field} {sign}{shown(one)}"


def differs(log: logging.Logger, before: State) -> bool:
    return state(log) != before


def put(log: logging.Logger, before: State) -> None:
    level, disabled, propagate, handlers, filters = before
    log.setLevel(level)
    log.disabled, log.propagate = disabled, propagate
    log.handlers[:], log.filters[:] = handlers, filters
