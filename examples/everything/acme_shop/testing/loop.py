"""Tasks that a test left running on its event loop."""

import asyncio
from typing import Any

from .leaks import Leak


def running_tasks(loop: asyncio.AbstractEventLoop, test: str) -> list[Leak]:
    """Those of a loop that is about to be closed, after the test of this qualified name."""
    tasks = [task for task in asyncio.all_tasks(loop) if not task.done()]
    names = [getattr(one.get_coro(), "__qualname__", one.get_name()) for one in tasks]
    if test in names:  # A timeout stopped them, and the test.
        return []
    return [
        Leak("tasks", name, "still running", remedy(task), bool)
        for name, task in zip(names, tasks, strict=True)
    ]


def remedy(task: asyncio.Task[Any]) -> str:
    frame = getattr(task.get_coro(), "cr_frame", None)
    if frame and frame.f_globals["__name__"].partition(".")[0] == "channels":
        return "open the websocket with ws_connect, or await communicator.disconnect()"
    return "await or cancel it, or use asyncio.TaskGroup"
