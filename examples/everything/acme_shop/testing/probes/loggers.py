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
CALLS |= {"removeFilter", "removeHandler", "setFormatter"}
OF_HANDLER = ("level", "formatter", "filters")


class Loggers(Probe):
    """Watches level, disabled, propagate, handlers and filters of every logger, and of its handlers
    level, formatter and filters.

    Ignores pytest's own handlers, and a new logger named after a module that the test imported first.
    Costs one comparison a logger and handler. Reverts all, silently where no test file configures logging.
    """

    name, remedy = "loggers", "use caplog.set_level(), or a fixture that reverts it"
    read, read_handler = attrgetter(*FIELDS), attrgetter(*OF_HANDLER)

    def __init__(self, tests: TestCode) -> None:
        self.tests = tests
        self.known: dict[str, logging.Logger] = {"root": logging.root}
        self.placeholders: list[str] = []
        self.states: list[State] = []
        self.handlers: dict[logging.Handler, State] = {}
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
        self.handlers.clear()
        for log in self.known.values():
            self.note_handlers(log)

    def note_handlers(self, log: logging.Logger) -> None:
        for one in log.handlers:
            is_real = issubclass(type(one), logging.Handler) and not is_pytests(one)
            if is_real and all(hasattr(one, field) for field in OF_HANDLER):
                self.handlers[one] = of_handler(one)

    def leaks(self) -> Iterable[Leak]:
        self.find()
        is_same = [*map(self.read, self.known.values())] == self.states
        if is_same and [*map(self.read_handler, self.handlers)] == [*self.handlers.values()]:
            return
        for index, (name, log) in enumerate(self.known.items()):
            if index == len(self.states):
                imported = name in sys.modules and name not in self.modules
                self.states.append(state(log) if imported else new_state())
                if imported:
                    self.note_handlers(log)
            before, now = self.states[index], state(log)
            handlers = {one: self.handlers[one] for one in before[3] if one in self.handlers}
            differences = [*differ(FIELDS, before, now)]
            for one, then in handlers.items():
                if changes := [*differ(OF_HANDLER, then, of_handler(one))]:
                    differences.append(f"handler {shown(one)} {', '.join(changes)}")
            if differences:
                by_a_test = self.tests.calls(*CALLS) or self.tests.changes(*FIELDS, "formatter")
                change, revert = ", ".join(differences), partial(put, log, before, handlers)
                there = partial(differs, log, before, handlers)
                yield self.leak(name, change, revert, there=there, silent=not by_a_test)

    def accept(self, part: str) -> None:
        names = [*self.known]
        self.states += [new_state() for _ in names[len(self.states) :]]
        self.states[names.index(part)] = state(self.known[part])
        self.note_handlers(self.known[part])


def state(log: logging.Logger) -> State:
    """Lists copied: they are compared later."""
    level, disabled, propagate, handlers, filters = Loggers.read(log)
    return level, disabled, propagate, [*handlers], [*filters]


def new_state() -> State:
    """What a logger is created with."""
    return logging.NOTSET, False, True, [], []


def of_handler(handler: logging.Handler) -> State:
    level, formatter, filters = Loggers.read_handler(handler)
    return level, formatter, [*filters]


def is_pytests(handler: object) -> bool:
    return type(handler).__module__.startswith("_pytest.")


def differ(fields: tuple[str, ...], before: State, now: State) -> Iterator[str]:
    """Each field that differs, as ``level WARNING → DEBUG`` or ``handlers +1``."""
    for field, then, value in zip(fields, before, now, strict=True):
        if isinstance(then, list):
            signs = [("+", one) for one in value if one not in then]
            signs += [("-", one) for one in then if one not in value]
            yield from (f"{field} {sign}{shown(one)}" for sign, one in signs if not is_pytests(one))
        elif then != value:
            names = map(logging.getLevelName if field == "level" else shown, (then, value))
            yield f"{field} {' → '.join(names)}"


def differs(log: logging.Logger, before: State, handlers: dict[logging.Handler, State]) -> bool:
    return state(log) != before or any(of_handler(one) != then for one, then in handlers.items())


def put(log: logging.Logger, before: State, handlers: dict[logging.Handler, State]) -> None:
    level, disabled, propagate, own, filters = before
    log.setLevel(level)
    log.disabled, log.propagate = disabled, propagate
    log.handlers[:], log.filters[:] = own, filters
    for one, (level_of, formatter, filters_of) in handlers.items():
        one.setLevel(level_of)
        one.formatter, one.filters[:] = formatter, filters_of
