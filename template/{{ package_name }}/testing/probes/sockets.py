"""Sockets that a test left open."""

import socket
import threading
import weakref
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any

from ..leaks import Leak
from .base import Probe


class Sockets(Probe):
    """Watches the sockets that a test creates, by weak references.

    Ignores those of threads that were there before the test, like a pool's, and those that nobody
    holds any more. Costs one reference a socket. Reverts by closing it.
    """

    name, remedy = "sockets", "close it, or use it as a context manager"

    def __init__(self) -> None:
        self.made: list[weakref.ref[socket.socket]] = []
        self.earlier: set[int | None] = set()
        self.events = {"socket.__new__": self.created}

    def created(self, made: Any, *rest: Any) -> None:
        thread = threading.get_ident()
        if thread == threading.main_thread().ident or thread not in self.earlier:
            with suppress(TypeError):
                self.made.append(weakref.ref(made))

    def note(self) -> None:
        self.earlier = {thread.ident for thread in threading.enumerate()}
        self.made = []

    def renew(self) -> None:
        self.made = []

    def open(self) -> Iterator[socket.socket]:
        return (made for one in self.made if is_open(one) and (made := one()) is not None)

    def leaks(self) -> Iterable[Leak]:
        for made in self.open():
            part, state = described(made)
            reference = weakref.ref(made)  # A leak keeps no socket alive.
            yield self.leak(
                part, state, partial(close, reference), there=partial(is_open, reference)
            )

    def accept(self, part: str) -> None:
        accepted = {id(made) for made in self.open() if described(made)[0] == part}
        self.made = [reference for reference in self.made if id(reference()) not in accepted]


def is_open(reference: weakref.ref[socket.socket]) -> bool:
    made = reference()
    return made is not None and made.fileno() != -1


def close(reference: weakref.ref[socket.socket]) -> None:
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
