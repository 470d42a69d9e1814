"""A TCP proxy that is cut, hangs and heals: a fault of a server that nobody else notices."""

import socket
import threading
from contextlib import suppress


class Proxy:
    """Listens on `port` and passes bytes to `target`; close() ends it."""

    def __init__(self, host: str, port: int):
        self.target = host, port
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.flowing = threading.Event()
        self.flowing.set()
        self.listener: socket.socket | None = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection(self.target)
                self.pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=[source, sink], daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.flowing.wait()
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def hang(self) -> None:
        """Accept and acknowledge everything, and pass nothing on."""
        self.flowing.clear()

    def cut(self) -> None:
        """End every connection and refuse new ones."""
        if self.listener:
            self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.flowing.set()
        for pair in self.pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
        self.pairs.clear()

    def heal(self) -> None:
        self.flowing.set()
        if self.listener is None:
            self.listener = socket.create_server(("127.0.0.1", self.port))
            threading.Thread(target=self._accept, args=[self.listener], daemon=True).start()

    close = cut
