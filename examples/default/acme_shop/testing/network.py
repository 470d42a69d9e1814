"""Blocks what would reach beyond this machine: pytest-socket connections, this module the rest."""

import re
import socket
from collections.abc import Callable
from typing import Any

from pytest_socket import SocketBlockedError, SocketConnectBlockedError

from .audit import Handlers
from .leaks import Leak

REMEDY = (
    "isolation: the network is blocked beyond loopback. Mock the client, override the fixture that "
    "creates it, or mark a test that needs the network with @pytest.mark.enable_socket."
)

LOCAL = (None, "", "localhost")
# IPv4, also in short, like 127.1, and IPv6.
ADDRESS = re.compile(r"[\d.]+|.*:.*")


class Blocked(RuntimeError):
    """A test tried to do what would reach beyond its process or its transaction."""


class HostNameBlocked(Blocked):
    """A test tried to resolve a host name."""


class HostNameUnknown(Blocked, socket.gaierror):
    """The same, as code finds it on a machine that is offline: where the layer is being adopted."""


class DatagramBlocked(Blocked):
    """A test tried to send a datagram to another machine."""


class ConnectionBlocked(Blocked):
    """A thread tried to open a database connection outside the test's transaction."""


OUTSIDE = (
    HostNameBlocked,
    HostNameUnknown,
    DatagramBlocked,
    SocketBlockedError,
    SocketConnectBlockedError,
)


class Network:
    """Refuses host names and datagrams, which pytest-socket does not watch.

    ``is_tolerated``: whether the running test may be offline instead of failing, by the leak's name.
    """

    def __init__(self) -> None:
        self.allowed = False
        self.is_tolerated: Callable[[str], bool] = lambda name: False
        self.tried: set[str] = set()
        self.events: Handlers = {
            "socket.getaddrinfo": self.resolve,
            "socket.gethostbyname": self.resolve,
            "socket.sendto": self.send,
            "socket.sendmsg": self.send,
        }

    def resolve(self, host: Any, *rest: Any) -> None:
        __tracebackhide__ = True
        name = host.decode() if isinstance(host, bytes) else host
        if name in LOCAL or ADDRESS.fullmatch(name) or self.allowed:
            return
        sentence = f"A test tried to resolve the host name {name!r}."
        if self.is_tolerated(f"network:{name}"):
            self.tried.add(name)
            raise HostNameUnknown(socket.EAI_NONAME, sentence)
        raise HostNameBlocked(sentence)

    def leaks(self) -> list[Leak]:
        """The host names that the test tried to resolve, and was tolerated."""
        tried, self.tried = sorted(self.tried), set()
        return [Leak("network", name, "resolved", "mock the client", bool) for name in tried]

    def send(self, made: Any, address: Any) -> None:
        __tracebackhide__ = True
        outside = isinstance(address, tuple) and not (
            address[0] in LOCAL or address[0].startswith(("127.", "::1"))
        )
        if outside and not self.allowed:
            raise DatagramBlocked(f"A test tried to send to {address[0]}:{address[1]}.")
