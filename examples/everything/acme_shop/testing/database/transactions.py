"""How a test may spoil its transaction: a COMMIT behind Django's back, an atomic() without its end."""

import re
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

from ..leaks import Leak

# What a test did, and should do instead.
LEFT_OPEN = "a transaction left open, rolled back", "use `with transaction.atomic()`"
COMMITTED = (
    "its transaction ended by COMMIT, commit() or executescript(), so its rows stay",
    "use transaction.atomic(), or mark the test @pytest.mark.django_db(transaction=True)",
)
COMMITS = re.compile(r"\s*(COMMIT|END)\b", re.IGNORECASE)
# The databases in which a test committed the rows of its module's seeds.
SEEDS_COMMITTED: set[str] = set()


class TransactionSpoilt(RuntimeError):
    """A test ended its own transaction, or left one open: ``leaks`` says which."""

    def __init__(self, leaks: list[Leak]) -> None:
        self.leaks = leaks
        super().__init__("\n".join(map(str, leaks)))


def transaction_is_gone(connection: BaseDatabaseWrapper) -> bool:
    """Whether SQLite has no transaction where Django has one."""
    if connection.vendor != "sqlite" or not connection.in_atomic_block:
        return False
    with suppress(Exception):  # A connection that is closed.
        return not connection.connection.in_transaction
    return False


def entered(connection: BaseDatabaseWrapper) -> int:
    """How many ``atomic()`` blocks are entered."""
    return len(connection.savepoint_ids) + connection.in_atomic_block


def leave(connection: BaseDatabaseWrapper, depth: int) -> bool:
    """Leave the ``atomic()`` blocks that a test entered and did not leave, and switch autocommit on again.

    Whether there was any block: autocommit is production code's to switch off, too.
    """
    if depth:
        left = entered(connection) > depth
        del connection.savepoint_ids[depth - 1 :], connection.atomic_blocks[depth:]
        return left
    if connection.connection is None or not (
        connection.in_atomic_block or not connection.autocommit
    ):
        return False
    left = connection.in_atomic_block
    connection.in_atomic_block = connection.needs_rollback = False
    connection.savepoint_ids, connection.atomic_blocks, connection.run_on_commit = [], [], []
    connection.rollback()
    connection.set_autocommit(True)
    return left


def begin_again(connection: BaseDatabaseWrapper) -> None:
    """Open the transaction and the savepoints that Django has, after a COMMIT behind its back."""
    SEEDS_COMMITTED.add(connection.alias)
    for wrapper in connection.execute_wrappers:
        if isinstance(wrapper, Committed):
            wrapper.seen = False  # The module's own: its test is named.
    connection.needs_rollback = False
    with suppress(Exception), connection.cursor() as cursor:  # A connection that is closed.
        connection.connection.rollback()
        if connection.vendor == "sqlite":
            cursor.execute("BEGIN")
        for name in filter(None, connection.savepoint_ids):
            cursor.execute(connection.ops.savepoint_create_sql(name))


def raise_spoilt(aliases: Iterable[str], change: str, remedy: str) -> None:
    if leaks := [Leak("database", alias, change, remedy, bool) for alias in sorted(aliases)]:
        raise TransactionSpoilt(leaks)


class Committed:
    """Whether a statement of the test ended its transaction.

    PostgreSQL's transaction begins with the first query, and another one with the first after a COMMIT,
    so there the connection's state says nothing. What psycopg's own ``commit()`` does is not seen.
    """

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.wrappers, self.seen = connection.execute_wrappers, False
        if connection.vendor == "postgresql":
            self.wrappers.insert(0, self)

    def __call__(self, execute: Any, sql: Any, *rest: Any) -> Any:
        if isinstance(sql, str) and COMMITS.match(sql):
            self.seen = True
        return execute(sql, *rest)

    def end(self) -> None:
        if self in self.wrappers:
            self.wrappers.remove(self)
