"""What a probe is: it notes one kind of state before a test, and yields what differs after it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar

from ..audit import Handlers
from ..leaks import ABSENT, Leak, change


class Probe:
    """``note`` before a test, ``leaks`` after it; ``accept`` takes one part as it is now.

    A part is accepted when a fixture of a broader scope changed it, which may hold it for longer.
    The guard reverts what ``leaks`` yields, so after a test the noted state holds again.
    """

    name: ClassVar[str]
    remedy: ClassVar[str]
    events: Handlers = {}

    def note(self) -> None:
        """Note the whole state: something outside of tests may have changed it."""
        raise NotImplementedError

    def renew(self) -> None:
        """Prepare for one more test: the noted state holds, since leaks were reverted."""

    def leaks(self) -> Iterable[Leak]:
        raise NotImplementedError

    def accept(self, part: str) -> None:
        raise NotImplementedError

    def leak(self, part: str, change: str, revert: Callable[[], None], **options: Any) -> Leak:
        return Leak(self.name, part, change, options.pop("remedy", self.remedy), revert, **options)


class Snapshot(Probe):
    """A probe of state that is read as a dict of parts, and put back part by part."""

    def __init__(self) -> None:
        self.then: dict[str, Any] = {}

    def now(self) -> dict[str, Any]:
        raise NotImplementedError

    def put(self, part: str, value: Any) -> None:
        raise NotImplementedError

    def note(self) -> None:
        self.then = self.now()

    def leaks(self) -> Iterable[Leak]:
        now, then = self.now(), self.then
        if now == then:
            return
        for part in {**then, **now}:
            before, after = then.get(part, ABSENT), now.get(part, ABSENT)
            if before != after:
                yield self.compared(part, before, after)

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        return self.differing(part, before, change(part, before, after))

    def differing(self, part: str, before: Any, change: str, **options: Any) -> Leak:
        revert = options.pop("revert", partial(self.put, part, before))
        there = options.pop("there", lambda: self.now().get(part, ABSENT) != before)
        return self.leak(part, change, revert, there=there, **options)

    def accept(self, part: str) -> None:
        now = self.now()
        self.then.pop(part, None)
        if part in now:
            self.then[part] = now[part]


def is_private(part: str) -> bool:
    """Whether its last name begins with ``_``: a module's own state, which production code sets."""
    return part.rpartition(".")[2].startswith("_")
