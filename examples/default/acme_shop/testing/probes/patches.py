"""Patches of unittest.mock that a test started and did not stop."""

from collections.abc import Iterable
from functools import partial
from typing import Any

from .. import compat
from ..leaks import Leak
from .base import Probe


class Patches(Probe):
    """Watches what ``mock.patch(...).start()`` keeps for ``stopall()``.

    Ignores patches by decorator or ``with``, which end themselves. Costs a pass over an empty list.
    Reverts by ``stop()``.
    """

    name, remedy = "patches", "stop() it, or use the monkeypatch fixture or `with patch(...)`"

    def __init__(self) -> None:
        self.started = compat.started_patches()
        self.then: list[Any] = []

    def note(self) -> None:
        self.then = [*self.started]

    def leaks(self) -> Iterable[Leak]:
        for patch in self.started[
            ::-1
        ]:  # Two of one name are stopped in the order that undoes both.
            if patch not in self.then:
                there = partial(self.started.__contains__, patch)
                yield self.leak(target(patch), "still patched", patch.stop, there=there)

    def accept(self, part: str) -> None:
        self.then += [patch for patch in self.started if target(patch) == part]


def target(patch: Any) -> str:
    """What is patched: ``shop.orders.views.render``."""
    if not hasattr(patch, "attribute"):
        return "a dict"
    of_instance = type(patch.target).__qualname__
    owner = getattr(patch.target, "__qualname__", getattr(patch.target, "__name__", of_instance))
    module = getattr(patch.target, "__module__", None)
    return ".".join(filter(None, (module, owner, patch.attribute)))
