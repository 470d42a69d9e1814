"""Subprocesses that outlive their test."""

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from ..audit import Audit
from ..leaks import Leak
from .base import Probe
from .threads import living


class Subprocesses(Probe):
    """Watches this process's running children, once a test started one.

    Ignores children that were there before, and zombies. Costs nothing for a test that starts none,
    a run of ``ps`` for others. Reverts by killing the child and closing its pipes.
    """

    name, remedy = "subprocesses", "wait() for it, or use Popen as a context manager"

    def __init__(self, audit: Audit) -> None:
        self.audit = audit
        self.started, self.before = False, set[int]()
        self.events = {
            name: self.start for name in ("subprocess.Popen", "os.posix_spawn", "os.fork")
        }

    def start(self, *command: Any) -> None:
        if not self.started:
            self.before = {pid for pid, _ in self.children()}
            self.started = True

    def note(self) -> None:
        self.started = False

    renew = note

    def leaks(self) -> Iterable[Leak]:
        if self.started:
            for pid, command in self.children():
                if pid not in self.before:
                    there = partial(self.is_running, pid)
                    yield self.leak(
                        command, f"pid {pid}, still running", partial(kill, pid), there=there
                    )

    def accept(self, part: str) -> None:
        self.before |= {pid for pid, command in self.children() if command == part}

    def is_running(self, pid: int) -> bool:
        return pid in dict(self.children())

    def children(self) -> list[tuple[int, str]]:
        """(pid, command) of each running child."""
        with self.audit.paused():
            listing = subprocess.run(
                ["ps", "-A", "-o", "pid=,ppid=,stat=,comm="],  # noqa: S607
                capture_output=True,
                text=True,
                check=False,
            ).stdout
        rows = [line.split(None, 3) for line in listing.splitlines()]
        return [
            (int(pid), command)
            for pid, parent, state, command in rows
            if int(parent) == os.getpid() and not state.startswith("Z") and command != "ps"
        ]


def kill(pid: int) -> None:
    for child in multiprocessing.active_children():
        if child.pid == pid:  # Else its object would not know that it ended.
            child.kill()
            child.join()
            return
    for made in living(subprocess.Popen):
        if made.pid == pid:
            with made:  # Which closes its pipes: open ones would end the run with a traceback.
                made.kill()
    with suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
