"""A leak as an object, and the block of text that a person reads."""

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import pytest
from django.views.debug import SafeExceptionReporterFilter

ABSENT = type("Absent", (), {"__repr__": lambda self: "unset"})()
# Django hides these values on its error page.
SECRET = SafeExceptionReporterFilter.hidden_settings
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+| id='\d+'")
CREDENTIALS = re.compile(r"(?<=://)[^/@\s'\"]*@")


@dataclass(frozen=True)
class Leak:
    """State that outlives its test.

    ``probe``: the kind of state. ``part``: what changed, named after the place where it is defined.
    ``change``: from what to what. ``remedy``: what the test should do instead. ``revert``: a function
    that puts the state back. ``there``: whether it still differs, however much later it is asked.
    ``silent``: production code may do this, so it is reverted unreported.
    """

    probe: str
    part: str
    change: str
    remedy: str
    revert: Callable[[], object]
    there: Callable[[], object] = lambda: True
    silent: bool = False

    @property
    def name(self) -> str:
        """What ``isolation_keep`` and ``@pytest.mark.leaks`` match: ``environ:PAYMENTS``."""
        return f"{self.probe}:{self.part}"

    def matches(self, patterns: Iterable[str]) -> bool:
        return any(self.name == one or fnmatchcase(self.name, one) for one in patterns)

    def __str__(self) -> str:
        return f"{self.name} ({self.change}): {self.remedy}"


class Leaked(pytest.fail.Exception):
    """What a test that leaks fails with, at its teardown: a block of text for each that left something.

    ``left``: whose (``""``: the test's own), and the leaks.
    """

    __module__ = "builtins"  # pytest shows its own outcomes without a module, too.

    def __init__(self, left: Sequence[tuple[str, Sequence[Leak]]]) -> None:
        self.left = left
        super().__init__("\n".join(block(leaks, title) for title, leaks in left), pytrace=False)


def block(leaks: Sequence[Leak], title: str = "") -> str:
    """All leaks of a test, or of ``title``. The first line is what pytest's short summary shows."""
    of = f" of {title}" if title else ""
    if len(leaks) == 1:
        return f"1 leak{of}: {leaks[0]}"
    names = ", ".join(leak.name for leak in leaks)
    return "\n  ".join([f"{len(leaks)} leaks{of}: {names}", *map(str, leaks)])


def change(name: str, before: Any, after: Any) -> str:
    """``'old' → 'new'``, on one line; the value of a secret is masked.

    Where both look alike once they are cut, what a container has more or less: ``+['new']``; or the one
    item that differs in it: ``[0]['OPTIONS']['debug'] False → True``.
    """
    secret = bool(SECRET.search(name))
    old, new = shown(before, secret), shown(after, secret)
    if old == new and not secret and isinstance(before, list | set | dict):
        with suppress(Exception):
            where, *inner = differing(before, after)
            if where:
                return f"{where} {change(where, *inner)}"
            more = [one for one in after if one not in before]
            less = [one for one in before if one not in after]
            parts = [f"{sign}{shown(some)}" for sign, some in (("+", more), ("-", less)) if some]
            return " ".join(parts) or f"{old} → {new}"
    return f"{old} → {new}"


def differing(before: Any, after: Any) -> tuple[str, Any, Any]:
    """The path to the one item of two containers that differs, and that item; an empty path for several."""
    where = ""
    while (
        type(before) is type(after)
        and isinstance(before, list | dict)
        and len(before) == len(after)
    ):
        keys = [*before] if isinstance(before, dict) else range(len(before))
        other = [key for key in keys if before[key] != after[key]]
        if len(other) != 1:
            break
        where += f"[{other[0]!r}]"
        before, after = before[other[0]], after[other[0]]
    return where, before, after


def shown(value: Any, secret: bool = False, limit: int = 40) -> str:
    """A value as a message shows it: short, the same in each run, without credentials."""
    if value is ABSENT:
        return "unset"
    if value is None:
        return "None"
    if secret and isinstance(value, str | bytes | int | dict | list | tuple | set):
        return "***"
    try:
        text = getattr(value, "__qualname__", None) if callable(value) else None
        text = " ".join((text or ADDRESS.sub("", repr(value))).split())
    except Exception:  # Its repr() fails, or wants a database.
        text = f"<{type(value).__qualname__}>"
    text = CREDENTIALS.sub("***@", text)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
