"""Entries of ``sys.modules``."""

import sys
from collections.abc import Iterable
from functools import partial
from typing import Any

from ..leaks import ABSENT, Leak
from ..testcode import TestCode
from .base import Probe
from .project import Project


class Modules(Probe):
    """Watches the foreign modules that the project imports, and entries without a spec.

    Ignores imports: a module that was imported stays. Ignores what a package puts beside itself, names
    that begin with ``_``, and what no test file changes. Costs one look-up a watched module. Reverts the
    entry.
    """

    name, remedy = "modules", "use monkeypatch.setitem(sys.modules, ...)"

    def __init__(self, project: Project, tests: TestCode) -> None:
        self.project, self.tests = project, tests

    def note(self) -> None:
        self.project.scan()

    def leaks(self) -> Iterable[Leak]:
        watched = self.project.modules
        for name, module in [*watched.items()]:
            now = sys.modules.get(name, ABSENT)
            if now is module:
                continue
            if not self.tests.changes("modules"):  # A package that replaced its module object.
                watched[name] = now
                continue
            word = "removed" if now is ABSENT else "replaced"
            yield self.leak(
                name,
                word,
                partial(sys.modules.__setitem__, name, module),
                there=partial(is_other, name, module),
            )
        if len(sys.modules) != len(self.project.seen):
            for name in sorted(sys.modules.keys() - self.project.seen):
                package, dot, _ = name.partition(".")
                fake = not has_spec(name) and not (dot and has_spec(package))
                test = fake and name not in watched and self.tests.changes("modules")
                if test and not name.startswith("_"):
                    there = partial(sys.modules.__contains__, name)
                    yield self.leak(
                        name, "added", partial(sys.modules.pop, name, None), there=there
                    )

    def accept(self, part: str) -> None:
        self.project.modules.pop(part, None)


def is_other(name: str, module: Any) -> bool:
    return sys.modules.get(name) is not module


def has_spec(name: str) -> bool:
    return getattr(sys.modules.get(name), "__spec__", None) is not None
