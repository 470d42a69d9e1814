"""PostgreSQL's image of a database: kept in a schema of the test database itself, and in a copy of it.

Tables that were empty are emptied, those that held rows are refilled where a transaction wrote to them
later, and the sequences are set back: one function, one round trip, on a separate connection. Where
that is not enough, since the test changed the schema, the database is cloned anew from the copy.
"""

import hashlib
from contextlib import suppress
from typing import Any

from django.db import Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from .. import compat
from .image import DatabaseLocked
from .sql_postgresql import HOLDERS, MAKE, MAY_SILENCE_TRIGGERS, RENEW, SILENCE, TAKE


def renewed(connection: BaseDatabaseWrapper) -> bool:
    """Whether an open connection could be made as good as a new one, which costs 5 ms of CPU."""
    if connection.vendor != "postgresql" or connection.connection is None:
        return False
    if not connection.get_new_connection.__module__.startswith("django."):
        return False  # An engine that may set more in a new session.
    idle = connection.connection.info.transaction_status == 0 and not connection.in_atomic_block
    if not idle or connection.errors_occurred or not connection.get_autocommit():
        return False
    try:
        with connection.connection.cursor() as cursor:
            cursor.execute(RENEW)
        connection.run_on_commit = []
        connection.init_connection_state()
        connection_created.send(sender=type(connection), connection=connection)
    except Exception:  # Closed by either side.
        return False
    return True


class PostgreSQLImage:
    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection, self.copied = connection, set[int]()
        self.silent: list[bool] = []
        self.own = connection.copy()  # It stays open, since a new one loads the catalogue anew.
        self.own.inc_thread_sharing()

    @staticmethod
    def is_allowed(connection: BaseDatabaseWrapper) -> bool:
        """Whether the role may create a schema; it may, as the owner of the database."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT has_database_privilege(current_database(), 'CREATE')")
            return cursor.fetchone()[0]

    @property
    def depth(self) -> int:
        return len(self.silent)

    @property
    def schema(self) -> str:
        return f"testing_pristine_{self.depth}"

    @property
    def copy(self) -> str:
        """The database that a changed schema is cloned from; a name of ours, of any test database's."""
        name = f"{self.connection.settings_dict['NAME']} {self.depth}".encode()
        return f"testing_pristine_{hashlib.blake2b(name, digest_size=8).hexdigest()}"

    def take(self) -> None:
        self.silent.append(self.query(MAY_SILENCE_TRIGGERS)[0][0])
        self.own.close()  # The next one is as silent as it may be.
        self.query((MAKE + TAKE).replace("<SCHEMA>", self.schema))
        self.make_copy()

    def make_copy(self) -> None:
        self.copied.discard(self.depth)
        # The role may not, or a connection is open: then the schema is not undone.
        with suppress(Error):
            self.clone(str(self.connection.settings_dict["NAME"]), self.copy)
            self.copied.add(self.depth)

    def renew(self) -> None:
        with suppress(Error):  # Then the schema is undone, as if the test had changed it.
            if self.query(f"SELECT {self.schema}.is_changed()")[0][0]:
                self.query(TAKE.replace("<SCHEMA>", self.schema))
                self.silent[-1] = self.query(MAY_SILENCE_TRIGGERS)[0][0]
                self.make_copy()  # It closes our connection, so the next one is as silent as it may be.

    def drop(self) -> None:
        with suppress(Error):
            self.query(f"DROP SCHEMA {self.schema} CASCADE")
        if self.depth in self.copied:
            self.copied.remove(self.depth)
            with suppress(Error), compat.server_cursor(self.connection) as cursor:
                cursor.execute(f"DROP DATABASE {self.copy}")
        self.silent.pop()
        self.own.close()

    def restore(self) -> bool:
        try:
            restored = self.query(f"SELECT {self.schema}.restore()")[0][0]
        except Error as error:
            # psycopg says sqlstate, psycopg2 pgcode.
            codes = [getattr(error.__cause__, name, None) for name in ("sqlstate", "pgcode")]
            if "55P03" in codes:  # lock_not_available
                raise self.locked() from None
            restored = False  # A trigger or a constraint refused.
        if not restored and self.depth in self.copied:
            self.clone(self.copy, str(self.connection.settings_dict["NAME"]))
            with suppress(Error):  # A renewed copy has rows of wider fixtures.
                self.query(f"SELECT {self.schema}.restore()")
            return True
        return restored

    def sequences(self) -> None:
        self.query(f"SELECT {self.schema}.set_sequences(true)")

    def clone(self, source: str, target: str) -> None:
        self.close()
        quote = self.connection.ops.quote_name
        with compat.server_cursor(self.connection) as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS {quote(target)} WITH (FORCE)")
            cursor.execute(f"CREATE DATABASE {quote(target)} TEMPLATE {quote(source)}")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        new = self.own.connection is None
        with self.own.cursor() as cursor:
            if new and self.silent and self.silent[-1]:
                cursor.execute(SILENCE)
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def locked(self) -> DatabaseLocked:
        """Name who holds the locks, and end their connections, or the next test would wait too."""
        holders = self.query(HOLDERS.replace("<SCHEMA>", self.schema))
        with suppress(Error):
            for process, *_ in holders:
                self.query(f"SELECT pg_terminate_backend({process})")
            self.query(f"SELECT {self.schema}.restore()")
        text = ", ".join(
            f"{name} (process {process}, {state}: {query})"
            for process, name, state, query in holders
        )
        return DatabaseLocked(self.connection.alias, text or "a connection that is closed now")

    def close(self) -> None:
        """Or the database could not be cloned or dropped."""
        name = self.connection.settings_dict["NAME"]
        for connection in [self.own, *connections.all(initialized_only=True)]:
            if connection.settings_dict["NAME"] == name and connection.vendor == "postgresql":
                connection.inc_thread_sharing()
                connection.close()
                getattr(connection, "close_pool", bool)()  # Since Django 5.1.
                connection.dec_thread_sharing()
