"""Subprocesses that outlive their test."""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ..audit import Audit
from ..leaks import Leak
from . import disk
from .base import Probe
from .threads import living

IS_LINUX = sys.platform == "linux"
# Found and bound here: a test may set PATH, and mock what is in subprocess.
PS = shutil.which("ps") or "/bin/ps"
popen = partial(subprocess.Popen[str], stdout=subprocess.PIPE, text=True, errors="replace")


class Subprocesses(Probe):
    """Watches this process's running children, once a test started one.

    Ignores children that were there before, and zombies. Costs nothing for a test that starts none, a
    list of all processes for others: of ``/proc``, or by ``ps`` where there is none. Where both cannot be
    read it names nothing. Reverts by killing the child and closing its pipes.
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
            with suppress(OSError):
                self.before = {pid for pid, _ in self.children()}
                self.started = True

    def note(self) -> None:
        self.started = False

    renew = note

    def leaks(self) -> Iterable[Leak]:
        for pid, command in self.known() if self.started else ():
            if pid not in self.before:
                there = partial(self.is_running, pid)
                yield self.leak(
                    command, f"pid {pid}, still running", partial(kill, pid), there=there
                )

    def accept(self, part: str) -> None:
        self.before |= {pid for pid, command in self.known() if command == part}

    def is_running(self, pid: int) -> bool:
        return pid in dict(self.known())

    def known(self) -> list[tuple[int, str]]:
        """The running children; none where they cannot be listed."""
        with suppress(OSError):
            return self.children()
        return []

    def children(self) -> list[tuple[int, str]]:
        """(pid, command) of each running child."""
        with self.audit.paused():
            found = [*(from_proc() if IS_LINUX else from_ps())]
        return [
            (pid, command)
            for pid, parent, state, command in found
            if parent == os.getpid() and not state.startswith("Z")
        ]


def from_proc() -> Iterator[tuple[int, int, str, str]]:
    """(pid, its parent, state, command) of each process: ``7 (a command) S 1 ...`` in its file."""
    for name in disk.names("/proc"):
        if name.isdigit() and (content := disk.content(f"/proc/{name}/stat")):
            start, _, end = content.decode(errors="replace").rpartition(")")
            state, parent = end.split()[:2]
            yield int(name), int(parent), state, start.partition("(")[2]


def from_ps() -> Iterator[tuple[int, int, str, str]]:
    with popen([PS, "-A", "-o", "pid=,ppid=,stat=,comm="]) as ps:
        listing, _ = ps.communicate()
    for pid, parent, state, command in (line.split(None, 3) for line in listing.splitlines()):
        if int(pid) != ps.pid:
            yield int(pid), int(parent), state, command


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
