"""Entries of ``sys.modules``."""

import sys
from collections.abc import Iterable
from functools import partial

from ..leaks import ABSENT, Leak
from .base import Probe
from .project import Project


class Modules(Probe):
    """Watches the foreign modules that the project imports, and entries without a spec.

    Ignores imports: a module that was imported stays. Ignores what a package puts beside itself, and
    names that begin with ``_``. Costs one look-up a watched module. Reverts the entry.
    """

    name, remedy = "modules", "use monkeypatch.setitem(sys.modules, ...)"

    def __init__(self, project: Project) -> None:
        self.project = project

    def note(self) -> None:
        self.project.scan()

    def leaks(self) -> Iterable[Leak]:
        watched = self.project.modules
        for name, module in watched.items():
            now = sys.modules.get(name, ABSENT)
            if now is not module:
                word = "removed" if now is ABSENT else "replaced"
                yield self.leak(name, word, partial(sys.modules.__setitem__, name, module))
        if len(sys.modules) != len(self.project.seen):
            for name in sorted(sys.modules.keys() - self.project.seen):
                package, dot, _ = name.partition(".")
                fake = not has_spec(name) and not (dot and has_spec(package))
                if fake and not name.startswith("_") and name not in watched:
                    yield self.leak(name, "added", partial(sys.modules.pop, name, None))

    def accept(self, part: str) -> None:
        self.project.modules.pop(part, None)


def has_spec(name: str) -> bool:
    return getattr(sys.modules.get(name), "__spec__", None) is not None
