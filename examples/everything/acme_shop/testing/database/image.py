"""Images of a database: how it was at some moment, and how to go back to it. Here SQLite's.

An image is a stack: ``take()`` notes how the database is now, ``restore()`` goes back to what was noted
last, and says whether it could; ``drop()`` forgets that. ``sequences()`` has the numbering of rows
begin anew. ``depth`` says how many are noted.
"""

import gc
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import suppress

from django.db.backends.base.base import BaseDatabaseWrapper

from .. import compat

# How many seconds a lock on the test database may delay the next test.
PATIENCE = 5


class DatabaseLocked(RuntimeError):
    """Something that a test left open has the test database locked."""

    def __init__(self, alias: str, holders: str) -> None:
        super().__init__(
            f"After this test, database {alias!r} was still locked by {holders}: end the "
            "transaction, thread or process before the test ends."
        )


class SQLiteImage:
    """All pages of the database, in memory; they are copied back whether or not the test wrote."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.pages: list[sqlite3.Connection] = []

    @staticmethod
    def is_allowed(connection: BaseDatabaseWrapper) -> bool:
        return True

    @property
    def depth(self) -> int:
        return len(self.pages)

    def take(self) -> None:
        self.pages.append(sqlite3.connect(":memory:", check_same_thread=False))
        self.copy(self.opened(), self.pages[-1])

    def drop(self) -> None:
        self.pages.pop().close()

    def restore(self) -> bool:
        self.copy(self.pages[-1], self.opened())
        return True

    def opened(self) -> sqlite3.Connection:
        """The database's connection, outside a transaction."""
        self.connection.ensure_connection()
        if self.connection.connection.in_transaction:
            self.connection.connection.rollback()
        if not self.connection.in_atomic_block and not self.connection.get_autocommit():
            self.connection.set_autocommit(True)  # In memory, it is never closed.
        return self.connection.connection

    def copy(self, source: sqlite3.Connection, target: sqlite3.Connection) -> None:
        deadline = time.monotonic() + PATIENCE

        def progress(status: int, remaining: int, total: int) -> None:
            # Python waits for a lock for ever, but lets this function end it.
            locked = status not in (sqlite3.SQLITE_OK, sqlite3.SQLITE_DONE)
            if locked and time.monotonic() > deadline:
                holders = ", ".join(_open_transactions(self.connection))
                raise DatabaseLocked(
                    self.connection.alias, holders or "another process or connection"
                )

        source.backup(target, progress=progress, sleep=0.01)

    def sequences(self) -> None:
        """They are rows of the database, so a rollback takes them back too."""

    def close(self) -> None:
        """Nothing of an image keeps a database from being removed."""


def _open_transactions(connection: BaseDatabaseWrapper) -> Generator[str]:
    """The threads of other connections to this database that are inside a transaction."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for one in gc.get_objects():
        with suppress(Exception):
            other = isinstance(one, BaseDatabaseWrapper) and one is not connection
            if other and one.alias == connection.alias and one.connection.in_transaction:
                thread = names.get(compat.thread_of(one), "that has ended")
                yield f"the connection of thread {thread!r}"
