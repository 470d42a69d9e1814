"""Environment variables."""

import os
import time
from functools import partial
from typing import Any

from .. import compat
from ..leaks import ABSENT, Leak, change
from ..testcode import TestCode
from .base import Snapshot


class Environ(Snapshot):
    """Watches every variable but pytest's PYTEST_CURRENT_TEST.

    Ignores nothing else. Costs one copy of a dict of bytes. Reverts the variable, and for TZ also
    calls ``time.tzset()``: silently where no code of the test may set that variable, since production
    code sets defaults, too. A secret's value is masked.
    """

    name, remedy = "environ", "use monkeypatch.setenv()"

    def __init__(self, tests: TestCode) -> None:
        super().__init__()
        self.tests = tests
        self.environ, self.encoded = os.environ, compat.encoded_environ()

    def now(self) -> dict[Any, Any]:
        now = self.encoded.copy()
        now.pop(b"PYTEST_CURRENT_TEST", None)
        return now

    def compared(self, part: Any, before: Any, after: Any) -> Leak:
        name, old, new = map(decoded, (part, before, after))
        remedy = "use monkeypatch.delenv()" if after is ABSENT else self.remedy
        return self.leak(
            name,
            change(name, old, new),
            partial(self.put, name, old),
            there=lambda: self.now().get(part, ABSENT) != before,
            remedy=remedy,
            silent=not self.tests.sets(name),
        )

    def put(self, part: str, value: Any) -> None:
        self.environ.pop(part, None)  # A test may have replaced os.environ, too.
        if value is not ABSENT:
            self.environ[part] = value
        if part == "TZ":
            time.tzset()

    def accept(self, part: str) -> None:
        super().accept(os.fsencode(part))


def decoded(value: Any) -> Any:
    return os.fsdecode(value) if isinstance(value, bytes) else value
