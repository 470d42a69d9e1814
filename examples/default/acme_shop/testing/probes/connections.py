"""State of Django's database connections that a rollback leaves alone."""

from contextlib import suppress
from typing import Any

import pytest
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .. import compat
from ..leaks import ABSENT, Leak
from .base import Snapshot

ACCESS = "django_db_blocker"


class Connections(Snapshot):
    """Watches ``force_debug_cursor`` and ``execute_wrappers`` of open connections, and pytest-django's block.

    Ignores the schema and the session of the database. Costs two look-ups a connection. Reverts them, and
    empties the query log.
    """

    name, remedy = "database", "use django_assert_num_queries, or connection.execute_wrapper()"

    def __init__(self, config: pytest.Config) -> None:
        super().__init__()
        self.config = config

    def now(self) -> dict[str, Any]:
        # A test without a mark cannot open a connection while this is pytest-django's function.
        now: dict[str, Any] = {ACCESS: BaseDatabaseWrapper.ensure_connection}
        for one in connections.all(initialized_only=True):
            if one.force_debug_cursor:
                now[f"{one.alias}.force_debug_cursor"] = True
            if one.execute_wrappers:
                now[f"{one.alias}.execute_wrappers"] = [*one.execute_wrappers]
        return now

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        if part != ACCESS:
            return super().compared(part, before, after)
        return self.differing(part, before, "not restored", remedy="use it as a context manager")

    def put(self, part: str, value: Any) -> None:
        if part == ACCESS:
            blocker = compat.database_blocker(self.config)
            with suppress(
                IndexError
            ):  # None is left; blocker.is_active is new in pytest-django 4.10.
                while BaseDatabaseWrapper.ensure_connection is not value:
                    blocker.restore()
            return
        alias, _, name = part.rpartition(".")
        if name == "execute_wrappers":
            connections[alias].execute_wrappers[:] = [] if value is ABSENT else value
        else:
            connections[alias].force_debug_cursor = value is True
            connections[alias].queries_log.clear()
