"""Patches of unittest.mock that a test started and did not stop."""

from typing import Any

from .. import compat
from ..leaks import Leak
from .base import Snapshot


class Patches(Snapshot):
    """Watches what ``mock.patch(...).start()`` keeps for ``stopall()``.

    Ignores patches by decorator or ``with``, which end themselves. Costs a pass over an empty list.
    Reverts by ``stop()``.
    """

    name, remedy = "patches", "stop() it, or use the monkeypatch fixture or `with patch(...)`"

    def __init__(self) -> None:
        super().__init__()
        self.started = compat.started_patches()

    def now(self) -> dict[str, Any]:
        return {target(patch): patch for patch in self.started}

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        return self.differing(part, before, "still patched", revert=after.stop)

    def put(self, part: str, value: Any) -> None:
        """Nothing to put back: ``compared`` says how to stop a patch."""


def target(patch: Any) -> str:
    """What is patched: ``shop.orders.views.render``."""
    if not hasattr(patch, "attribute"):
        return "a dict"
    owner = getattr(patch.target, "__qualname__", getattr(patch.target, "__name__", "object"))
    module = getattr(patch.target, "__module__", None)
    return ".".join(filter(None, (module, owner, patch.attribute)))
