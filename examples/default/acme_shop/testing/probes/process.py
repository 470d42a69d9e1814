"""State of the process and the interpreter."""

import decimal
import gc
import locale
import logging
import os
import signal
import socket
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

from .. import compat
from ..leaks import Leak, change, shown
from ..testcode import TestCode
from .base import Snapshot

REMEDIES = {
    "cwd": "use monkeypatch.chdir()",
    "sys.path": "use monkeypatch.syspath_prepend()",
    "sys.argv": "use monkeypatch.setattr(sys, 'argv', ...)",
    "os.environ": "use monkeypatch.setenv()",
    "logging.disable": "use caplog, or put it back in a fixture, after its yield",
}
# What code names that sets a part of the process. An object of a module is assigned or filled instead.
SETTERS = {
    "cwd": ("os.chdir", "os.fchdir", "tmpdir.chdir"),
    "recursion limit": ("sys.setrecursionlimit",),
    "umask": ("os.umask",),
    "locale": ("locale.setlocale", "locale.resetlocale"),
    "logging.disable": ("logging.disable",),
    "decimal context": ("decimal.getcontext", "decimal.setcontext"),
    "socket default timeout": ("socket.setdefaulttimeout",),
    "gc.disable()": ("gc.disable", "gc.enable"),
    "handler": ("signal.signal", "add_signal_handler", "remove_signal_handler"),
}
# Not SIGALRM: pytest-timeout sets a handler for each test.
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE")


class Process(Snapshot):
    """Watches what ``parts`` lists: each part has a function that reads it and one that sets it.

    Ignores everything else of the interpreter. Costs one call a part. Reverts by the second function,
    silently where no code of the test names what sets the part: a command or an import may set it.
    """

    name, remedy = "process", "put it back in a fixture, after its yield"

    def __init__(self, tests: TestCode) -> None:
        super().__init__()
        self.tests = tests
        handler = compat.signal_handler()
        numbers = {name: getattr(signal, name) for name in SIGNALS if hasattr(signal, name)}
        self.parts: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
            "cwd": (cwd, os.chdir),
            "sys.path": (lambda: [*sys.path], self.put_path),
            "os.environ": (lambda: id(os.environ), self.put_environ),
            "sys.argv": (lambda: [*sys.argv], partial(setattr, sys, "argv")),
            "sys.excepthook": (lambda: sys.excepthook, partial(setattr, sys, "excepthook")),
            "recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
            "umask": (umask, os.umask),
            "locale": (
                partial(locale.setlocale, locale.LC_ALL),
                partial(locale.setlocale, locale.LC_ALL),
            ),
            "logging.disable": (lambda: logging.root.manager.disable, logging.disable),
            "decimal context": (decimal_context, set_decimal_context),
            "socket default timeout": (socket.getdefaulttimeout, socket.setdefaulttimeout),
            "gc.disable()": (gc.isenabled, lambda on: (gc.enable if on else gc.disable)()),
            **{
                f"{name} handler": (partial(handler, number), partial(signal.signal, number))
                for name, number in numbers.items()
            },
        }

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        if part == "umask":
            words = f"{before:#o} → {after:#o}"
        elif part == "os.environ":
            words = "replaced"
        elif part.endswith(" handler"):
            words = f"{handler_name(before)} → {handler_name(after)}"
        else:
            words = change(part, before, after)
        remedy = REMEDIES.get(part, self.remedy)
        return self.differing(part, before, words, silent=not self.is_named(part), remedy=remedy)

    def is_named(self, part: str) -> bool:
        """Whether the code of the test names what sets that part, or runs code that it holds as text."""
        if part == "sys.path":
            return self.tests.changes("path")
        setters = SETTERS.get("handler" if part.endswith(" handler") else part)
        if setters is None:  # os.environ, sys.argv, sys.excepthook
            return self.tests.spells(part.partition(".")[2])
        return self.tests.mentions("exec", *setters)

    def now(self) -> dict[str, Any]:
        return {part: get() for part, (get, put) in self.parts.items()}

    def note(self) -> None:
        super().note()
        self.path, self.environ = sys.path, os.environ

    def accept(self, part: str) -> None:
        super().accept(part)
        if part == "sys.path":
            self.path = sys.path
        elif part == "os.environ":
            self.environ = os.environ

    def put(self, part: str, value: Any) -> None:
        self.parts[part][1](value)

    def put_path(self, value: list[str]) -> None:
        """Into the list that was noted: other modules may hold it."""
        self.path[:] = value
        sys.path = self.path

    def put_environ(self, value: int) -> None:
        os.environ = self.environ  # noqa: B003, the object itself was replaced.


class Warnings(Snapshot):
    """Watches the warning filters, where pytest's plugin, which gives each test its own, is off.

    Ignores what no test file adds, like the filters of an import. Costs a copy of a list. Reverts the list.
    """

    name, remedy = "warnings", "use pytest.warns(), recwarn, or warnings.catch_warnings()"

    def __init__(self, tests: TestCode) -> None:
        super().__init__()
        self.tests = tests

    def now(self) -> dict[str, Any]:
        self.live = warnings.filters
        return {"filters": [*self.live]}

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        added = [one[:3] for one in after if one not in before]
        silent = not self.tests.calls("simplefilter", "filterwarnings", "resetwarnings")
        there = partial(self.live.__ne__, before)
        return self.differing(part, before, f"added {shown(added)}", there=there, silent=silent)

    def put(self, part: str, value: Any) -> None:
        # Not warnings.filters: while the guard reverts, it ignores warnings by filters of that moment.
        self.live[:] = value


def handler_name(handler: Any) -> str:
    return signal.Handlers(handler).name if isinstance(handler, int) else shown(handler)


def cwd() -> str | None:
    with suppress(FileNotFoundError):
        return os.getcwd()
    return None


def umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def decimal_context() -> tuple[Any, ...]:
    """What decimal.Context() takes, without the flags, which any division may raise."""
    *then, _flags, traps = decimal.getcontext().__reduce__()[1]
    return *then, traps


def set_decimal_context(then: tuple[Any, ...]) -> None:
    *before, traps = then
    decimal.setcontext(decimal.Context(*before, None, traps))
