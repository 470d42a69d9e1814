"""Rows that a fixture of a class or module commits, and leaves."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

from django.core.management.color import no_style
from django.db import connections

from ..leaks import Leak

REMEDY = "delete them, or use @seed, whose rows are rolled back"


def counted(alias: str) -> dict[str, int]:
    """The number of rows of each table."""
    connection = connections[alias]
    rows = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT COUNT(*) FROM {connection.ops.quote_name(table)}")  # noqa: S608
            rows[table] = cursor.fetchone()[0]
    return rows


class Rows:
    """Counts the rows before such a fixture is set up, and again after its teardown.

    ``unblock``: a context manager in which queries are allowed. Only databases with an open connection
    are looked at: others may not be set up for tests.
    """

    def __init__(self, unblock: Callable[[], AbstractContextManager[Any]]) -> None:
        self.unblock = unblock
        with unblock():
            self.before = {
                one.alias: counted(one.alias)
                for one in connections.all(initialized_only=True)
                if one.connection is not None and not one.in_atomic_block
            }

    def leaks(self) -> list[Leak]:
        found = []
        with self.unblock():
            for alias, before in self.before.items():
                for table, number in counted(alias).items():
                    if (more := number - before.get(table, 0)) > 0:
                        words = f"{more} row{'s'[: more > 1]} more"
                        revert = (
                            partial(self.empty, alias, table) if not before.get(table) else bool
                        )
                        found.append(Leak("database", table, words, REMEDY, revert))
        return found

    def empty(self, alias: str, table: str) -> None:
        """Remove all rows: the table was empty before."""
        connection = connections[alias]
        with self.unblock(), connection.constraint_checks_disabled():
            connection.ops.execute_sql_flush(
                connection.ops.sql_flush(no_style(), [table], allow_cascade=True)
            )
