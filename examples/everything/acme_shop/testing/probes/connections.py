"""State of Django's database connections that a rollback leaves alone."""

from typing import Any

from django.db import connections

from ..leaks import ABSENT
from .base import Snapshot


class Connections(Snapshot):
    """Watches ``force_debug_cursor`` and ``execute_wrappers`` of open connections.

    Ignores the schema and the session of the database. Costs two look-ups a connection. Reverts both,
    and empties the query log.
    """

    name, remedy = "database", "use django_assert_num_queries, or connection.execute_wrapper()"

    def now(self) -> dict[str, Any]:
        now: dict[str, Any] = {}
        for one in connections.all(initialized_only=True):
            if one.force_debug_cursor:
                now[f"{one.alias}.force_debug_cursor"] = True
            if one.execute_wrappers:
                now[f"{one.alias}.execute_wrappers"] = [*one.execute_wrappers]
        return now

    def put(self, part: str, value: Any) -> None:
        alias, _, name = part.rpartition(".")
        if name == "execute_wrappers":
            connections[alias].execute_wrappers[:] = [] if value is ABSENT else value
        else:
            connections[alias].force_debug_cursor = value is True
            connections[alias].queries_log.clear()
