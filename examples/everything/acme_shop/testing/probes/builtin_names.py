"""The names of ``builtins``: pytest, the guard and every probe need them, so they are put back first."""

import builtins
from typing import Any

from ..leaks import ABSENT, Leak, change

REMEDY = "use monkeypatch.setattr(builtins, ...)"


class Builtins:
    """Watches the functions and classes of ``builtins``; names that are added count as none.

    It is no probe, since a probe could not run: ``end`` of the guard calls it before any of them. Costs a
    copy and a comparison of a dict.
    """

    def __init__(self) -> None:
        self.live = vars(builtins)
        self.noted = self.live.copy()

    def note(self) -> None:
        self.noted = self.live.copy()

    def restored(self) -> list[Leak]:
        """Put back what was replaced or deleted, and name it."""
        replaced: list[tuple[str, Any, Any]] = []
        if self.live != self.noted:
            for key, before in self.noted.items():
                after = self.live.get(key, ABSENT)
                if after is not before:
                    self.live[key] = before
                    replaced += [(key, before, after)]
        return [
            Leak("attributes", f"builtins.{key}", change(key, before, after), REMEDY, bool)
            for key, before, after in replaced
            if callable(before)
        ]
