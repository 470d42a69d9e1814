"""Threads that outlive their test."""

import gc
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

from .. import compat
from ..leaks import Leak
from ..testcode import TestCode
from .base import Probe


class Threads(Probe):
    """Watches ``threading.enumerate()``.

    Ignores threads where no test file creates any, like a pool that production code starts on first
    use, those of an event loop's executor, those that end within a second, and those whose dropped
    executor ends them when it is collected. Costs a count; a full collection when a thread is new. A
    thread cannot be stopped from outside: it is named once and then accepted.
    """

    name, remedy = "threads", "join() it, or use the executor as a context manager"

    def __init__(self, tests: TestCode) -> None:
        self.tests = tests
        self.then: set[threading.Thread] = set()

    def note(self) -> None:
        self.then = {*threading.enumerate()}

    def leaks(self) -> Iterable[Leak]:
        if threading.active_count() == len(self.then):
            return
        new = {*threading.enumerate()} - self.then
        by_a_test = self.tests.calls("Thread", "ThreadPoolExecutor", "Timer", "start_new_thread")
        innocent = {one for one in new if is_of_event_loop(one) or not by_a_test}
        self.then |= innocent
        if not new - innocent:
            self.then &= {*threading.enumerate()}  # Some of the noted ones ended.
            return
        clear_finished_async_to_sync()
        gc.collect()
        for thread in {*threading.enumerate()} - self.then:
            accept, there = partial(self.then.add, thread), partial(is_running, thread)
            yield self.leak(thread.name, "still running", accept, there=there)

    def accept(self, part: str) -> None:
        self.then |= {one for one in threading.enumerate() if one.name == part}


def is_running(thread: threading.Thread) -> bool:
    thread.join(timeout=1)
    return thread.is_alive()


def is_of_event_loop(thread: threading.Thread) -> bool:
    """Of a loop's default executor, which ends with the loop: this loop outlives the test."""
    return thread.name.startswith("asyncio_")


def clear_finished_async_to_sync() -> None:
    """An error that was logged keeps the frames it passed, and so the executor of async_to_sync."""
    code = compat.async_to_sync_code()
    for frame in living(FrameType):
        if frame.f_code is code:
            with suppress(RuntimeError):  # It still runs.
                frame.clear()


def living(kind: type) -> Iterator[Any]:
    """All objects of a type: by type(), since isinstance() would evaluate lazy ones."""
    return (one for one in gc.get_objects() if issubclass(type(one), kind))
