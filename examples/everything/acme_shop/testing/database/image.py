"""Images of a database: how it was at some moment, and how to go back to it. Here SQLite's.

An image is a stack: ``take()`` notes how the database is now, ``restore()`` goes back to what was noted
last, and says whether it could; ``drop()`` forgets that. ``renew()`` takes a schema over that has changed
since, but no rows. ``sequences()`` has the numbering of rows begin anew. ``depth`` says how many are noted.
"""

import gc
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import suppress
from typing import Any, Self

from django.db.backends.base.base import BaseDatabaseWrapper

from .. import compat

# How many seconds a lock on the test database may delay the next test.
PATIENCE = 5
# To compare more rows takes longer than to copy the pages.
FEW_ROWS = 3000
NUMBERS = 'main."sqlite_sequence"'
WRITES_MORE = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' OR sql LIKE 'CREATE VIRTUAL%'"


class DatabaseLocked(RuntimeError):
    """Something that a test left open has the test database locked."""

    def __init__(self, alias: str, holders: str) -> None:
        super().__init__(
            f"After this test, database {alias!r} was still locked by {holders}: end the "
            "transaction, thread or process before the test ends."
        )


class Rows:
    """What the tables of a small database hold: most tests only fill tables that were empty.

    To empty those is quicker than to copy all pages, after which SQLite reads the schema again.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        tables = [f'main."{name}"' for (name,) in names.fetchall()]
        self.held = {table: rows for table in tables if (rows := _rows(connection, table))}
        self.empty = [table for table in tables if table not in self.held]
        # For more than 500 tables this is an error, and their pages are copied.
        self.filled = " UNION ALL ".join(
            f"SELECT {n} WHERE EXISTS (SELECT 1 FROM {table})"  # noqa: S608
            for n, table in enumerate(self.empty)
        )

    @classmethod
    def of(cls, connection: sqlite3.Connection) -> Self | None:
        """None where triggers and virtual tables write on their own, or the rows are many."""
        with suppress(sqlite3.Error):  # A table without row ids.
            if not connection.execute(WRITES_MORE).fetchone():
                rows = cls(connection)
                return rows if sum(map(len, rows.held.values())) <= FEW_ROWS else None
        return None

    def restore(self, connection: sqlite3.Connection) -> bool:
        """Whether the rows are as they were; where not, nothing is changed."""
        run = connection.execute
        try:
            run("BEGIN IMMEDIATE")
            for (number,) in run(self.filled).fetchall():
                run(f"DELETE FROM {self.empty[number]}")  # noqa: S608
            for table, rows in self.held.items():
                if _rows(connection, table) == rows:
                    continue
                if table != NUMBERS:
                    connection.rollback()
                    return False
                run(f"DELETE FROM {NUMBERS}")  # noqa: S608
                insert = f"INSERT INTO {NUMBERS} (rowid, name, seq) VALUES (?, ?, ?)"  # noqa: S608
                connection.executemany(insert, rows)
            connection.commit()
        except sqlite3.Error:  # Locked, or a constraint.
            connection.rollback()
            return False
        return True


def _versions(connection: sqlite3.Connection) -> list[Any]:
    pragmas = ("schema_version", "user_version")
    return [connection.execute(f"PRAGMA main.{name}").fetchone() for name in pragmas]


def _rows(connection: sqlite3.Connection, table: str) -> list[Any]:
    columns = connection.execute(f"SELECT * FROM {table} LIMIT 0").description  # noqa: S608
    # Expressions, or Django's converters would read the values, and refuse a date that is none.
    values = ", ".join(f"+{_quoted(name)}" for name, *_ in columns)
    query = f"SELECT rowid, {values} FROM {table} LIMIT {FEW_ROWS + 1}"  # noqa: S608
    return connection.execute(query).fetchall()


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _copy_rows(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Give the tables that both have the rows of the first, without what triggers would write."""
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
    )
    run = target.execute
    with target:
        run("BEGIN")
        triggers = run("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            run(f"DROP TRIGGER {_quoted(name)}")
        for (name,) in {*source.execute(tables)}.intersection(run(tables).fetchall()):
            table = _quoted(name)
            cursor = source.execute(f"SELECT * FROM {table}")  # noqa: S608
            before = [column for column, *_ in cursor.description]
            now = [one[1] for one in run(f"PRAGMA table_xinfo({table})") if not one[6]]
            columns = ", ".join(_quoted(one) for one in now if one in before)
            values = ", ".join("?" for one in now if one in before)
            run(f"DELETE FROM {table}")  # noqa: S608
            target.executemany(
                f"INSERT INTO {table} ({columns}) VALUES ({values})",  # noqa: S608
                source.execute(f"SELECT {columns} FROM {table}"),  # noqa: S608
            )
        for _, sql in triggers:
            run(sql)


class SQLiteImage:
    """All pages of the database, in memory, and its rows: those are enough for most tests."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self.pages: list[sqlite3.Connection] = []
        self.rows: list[Rows | None] = []
        self.versions: list[list[Any]] = []

    @staticmethod
    def is_allowed(connection: BaseDatabaseWrapper) -> bool:
        return True

    @property
    def depth(self) -> int:
        return len(self.pages)

    def take(self) -> None:
        pages = sqlite3.connect(":memory:", check_same_thread=False)
        self.copy(self.opened(), pages)
        self.pages.append(pages)
        self.rows.append(Rows.of(self.opened()))
        self.versions.append(_versions(self.opened()))

    def drop(self) -> None:
        self.pages.pop().close()
        self.rows.pop()
        self.versions.pop()

    def restore(self) -> bool:
        rows, connection = self.rows[-1], self.opened()
        is_same = _versions(connection) == self.versions[-1]
        if not (is_same and rows and rows.restore(connection)):
            self.copy(self.pages[-1], connection)
            self.versions[-1] = _versions(connection)
        return True

    def renew(self) -> None:
        self.connection.ensure_connection()
        connection = self.connection.connection
        with suppress(DatabaseLocked, sqlite3.Error):
            if connection.in_transaction or _versions(connection) == self.versions[-1]:
                return
            self.take()
            with suppress(sqlite3.Error):  # Then the rows are those of now.
                _copy_rows(self.pages[-2], self.pages[-1])
                self.rows[-1] = Rows.of(self.pages[-1])
            self.pages.pop(-2).close()
            del self.rows[-2], self.versions[-2]

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
