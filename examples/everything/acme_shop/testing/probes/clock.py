"""Clocks that a test left frozen or travelling."""

import sys
from typing import Any

import time_machine

from .. import compat
from .base import Snapshot


class Clock(Snapshot):
    """Watches time-machine and, once a test imported it, freezegun.

    Ignores other libraries. Costs two look-ups. Reverts by stopping what was started last.
    """

    name, remedy = "clock", "use the time_machine fixture, or travel() as a context manager"

    def now(self) -> dict[str, Any]:
        return {
            "time_machine.travel()": time_machine.escape_hatch.is_travelling(),
            "freezegun.freeze_time()": len(compat.frozen_clocks())
            if "freezegun.api" in sys.modules
            else 0,
        }

    def put(self, part: str, value: Any) -> None:
        if part.startswith("time_machine"):
            while time_machine.escape_hatch.is_travelling() and not value:
                time_machine.travel(0).stop()
        else:
            while len(compat.frozen_clocks()) > value:
                compat.stop_freezegun()
