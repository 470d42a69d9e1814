"""Tasks that a test left running on its event loop."""

import asyncio
import inspect
from typing import Any

from .leaks import Leak
from .testcode import TestCode

# What makes a task that nobody need await.
MAKERS = ("create_task", "ensure_future", "gather", "as_completed", "TaskGroup")


def running_tasks(loop: asyncio.AbstractEventLoop, test: str, code: TestCode) -> list[Leak]:
    """Those of a loop that is about to be closed, after the test of this qualified name.

    Ignores those that are about to end, since they were cancelled or close a generator. Where no code of the
    test makes tasks, production code did, and only an open websocket of Channels is reported.
    """
    if any(task.cancelling() for task in asyncio.all_tasks(loop)):
        loop.run_until_complete(asyncio.sleep(0))  # Such a task cancels those that it waits for.
    tasks = [task for task in asyncio.all_tasks(loop) if is_left(task)]
    names = [getattr(one.get_coro(), "__qualname__", one.get_name()) for one in tasks]
    if test in names:  # A timeout stopped them, and the test.
        return []
    is_by_test = code.calls(*MAKERS)
    return [
        Leak("tasks", name, "still running", remedy(task), bool)
        for name, task in zip(names, tasks, strict=True)
        if is_by_test or is_of_channels(task)
    ]


def is_left(task: asyncio.Task[Any]) -> bool:
    return not (task.done() or task.cancelling()) and inspect.iscoroutine(task.get_coro())


def is_of_channels(task: asyncio.Task[Any]) -> bool:
    frame = getattr(task.get_coro(), "cr_frame", None)
    return bool(frame and frame.f_globals["__name__"].partition(".")[0] == "channels")


def remedy(task: asyncio.Task[Any]) -> str:
    if is_of_channels(task):
        return "open the websocket with ws_connect, or await communicator.disconnect()"
    return "await or cancel it, or use asyncio.TaskGroup"
