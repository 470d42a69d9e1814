"""Sockets that a test left open."""

import asyncio
import socket
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ..leaks import Leak
from ..testcode import TestCode
from .base import Probe
from .frames import callers, is_of_interpreter

Reference = weakref.ref[socket.socket]
# How a leak names the pair of sockets that wakes a loop, and its remedy.
OF_LOOP, REMEDY = "event loop", "close it, or use asyncio.run()"


class Sockets(Probe):
    """Watches the sockets that the code of a test creates, by weak references.

    Ignores those that production code or a library creates, like the connections of a pool, those of
    threads that were there before the test, those of the loop that ``asyncio.get_event_loop()`` makes,
    and those that nobody holds any more. Costs one reference a socket. Reverts by closing it; a pair that
    wakes an event loop, with its loop.
    """

    name, remedy = "sockets", "close it, or use it as a context manager"

    def __init__(self, tests: TestCode) -> None:
        self.tests = tests
        self.made: list[Reference] = []
        # The event loops that these wake.
        self.loops: dict[Reference, weakref.ref[asyncio.AbstractEventLoop]] = {}
        self.earlier: set[int | None] = set()
        self.events = {"socket.__new__": self.created}

    def created(self, made: Any, *rest: Any) -> None:
        thread = threading.get_ident()
        if thread != threading.main_thread().ident and thread in self.earlier:
            return
        file, loop, is_current = creator()
        if is_current or file not in {str(one.file) for one in self.tests.code()}:
            return
        with suppress(TypeError):
            reference = weakref.ref(made)
            self.made.append(reference)
            if loop:
                self.loops[reference] = weakref.ref(loop)

    def note(self) -> None:
        self.earlier = {thread.ident for thread in threading.enumerate()}
        self.renew()

    def renew(self) -> None:
        self.made, self.loops = [], {}

    def open(self) -> Iterator[tuple[Reference, socket.socket]]:
        return ((one, made) for one in self.made if is_open(one) and (made := one()) is not None)

    def loop_of(self, reference: Reference) -> asyncio.AbstractEventLoop | None:
        """The event loop that the socket wakes."""
        loop = self.loops.get(reference)
        return loop() if loop else None

    def leaks(self) -> Iterable[Leak]:
        for reference, made in self.open():  # A leak keeps no socket alive.
            there = partial(is_open, reference)
            if loop := self.loop_of(reference):
                yield self.leak(OF_LOOP, "not closed", loop.close, there=there, remedy=REMEDY)
            else:
                part, state = described(made)
                yield self.leak(part, state, partial(close, reference), there=there)

    def accept(self, part: str) -> None:
        accepted = [
            one
            for one, made in self.open()
            if part == (OF_LOOP if self.loop_of(one) else described(made)[0])
        ]
        self.made = [one for one in self.made if one not in accepted]


def creator() -> tuple[str, asyncio.AbstractEventLoop | None, bool]:
    """Whose code makes a socket: its file, the loop that is made with it, whether as the current one."""
    loop, is_current = None, False
    for frame in callers():
        if not is_of_interpreter(frame):
            return frame.f_code.co_filename, loop, is_current
        called = frame.f_code.co_name
        is_current = is_current or called == "get_event_loop"
        made = frame.f_locals.get("self") if called == "__init__" else None
        if isinstance(made, asyncio.AbstractEventLoop):
            loop = made
    return "", loop, is_current


def is_open(reference: Reference) -> bool:
    made = reference()
    return made is not None and made.fileno() != -1


def close(reference: Reference) -> None:
    if (made := reference()) is not None:
        made.close()


def described(made: socket.socket) -> tuple[str, str]:
    """Its address and its state: ``("127.0.0.1:8000", "listening")``."""
    where, state = "not bound", "open"
    with suppress(OSError):
        where = address(made.getsockname()) or where
    with suppress(OSError, AttributeError):
        if made.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            state = "listening"
    with suppress(OSError):
        state = f"connected to {address(made.getpeername()) or 'another socket'}"
    return where, state


def address(name: Any) -> str:
    if not isinstance(name, tuple):
        return str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
