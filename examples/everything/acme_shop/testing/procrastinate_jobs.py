"""How Procrastinate's jobs live in a test: in its transaction or in memory, each in a savepoint."""

import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from asgiref.sync import sync_to_async
from django.db import connections, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.django_connector import DjangoConnector
from procrastinate.testing import InMemoryConnector
from procrastinate.types import JobToDefer

from . import compat


class StrictInMemoryConnector(InMemoryConnector):
    """Refuses the arguments that PostgreSQL refuses, and hands the others on as PostgreSQL does."""

    async def defer_jobs_all(self, jobs: list[JobToDefer]) -> list[dict[str, Any]]:
        jobs = [job._replace(args=json.loads(json.dumps(job.args))) for job in jobs]
        return await super().defer_jobs_all(jobs)


class SavepointConnector(DjangoConnector):
    """A query that fails must not spoil the test's transaction: a queueing lock may be taken.

    In production each query commits, but not those in a transaction that a job opens itself.
    """

    def __init__(self, alias: str = "default") -> None:
        super().__init__(alias)
        depth = len(self.connection.atomic_blocks)
        self.depth = depth and depth + 1  # In a test's transaction, each job has a savepoint.

    def savepoint(self) -> AbstractContextManager[None]:
        if len(self.connection.atomic_blocks) > self.depth:
            return nullcontext()
        return transaction.atomic(using=self.alias)

    def execute_query_one(self, query: Any, **arguments: Any) -> dict[str, Any]:
        with self.savepoint():
            return super().execute_query_one(query, **arguments)

    def execute_query_all(self, query: Any, **arguments: Any) -> list[dict[str, Any]]:
        with self.savepoint():
            return super().execute_query_all(query, **arguments)


def readable_connector() -> Any:
    """A connector through which a worker, or a test, reads jobs on Django's connection."""
    if type(app.connector) is DjangoConnector:
        connector = SavepointConnector(app.connector.alias)
        return compat.readable_django_connector(connector, json.loads)
    return app.connector


def job_savepoint() -> AbstractContextManager[None]:
    """A database error in a job must not spoil the test's transaction, where there is one."""
    alias = getattr(app.connector, "alias", "default")
    if not connections[alias].in_atomic_block:
        return nullcontext()
    atomic = transaction.atomic(using=alias)
    setattr(atomic, compat.mark_of_a_test(), True)  # A job may open a durable transaction.
    return atomic


def savepoint(call_next: Callable[[], Any], context: Any, worker: Any) -> Any:
    """The savepoint of a sync task."""
    with job_savepoint():
        return call_next()


async def async_savepoint(
    call_next: Callable[[], Awaitable[Any]], context: Any, worker: Any
) -> Any:
    """The savepoint of an async task, on the thread of the test's connection."""
    if worker.concurrency > 1:  # Savepoints of jobs that overlap would end in the wrong order.
        return await call_next()
    block = await sync_to_async(job_savepoint)()
    await sync_to_async(block.__enter__)()
    try:
        result = await call_next()
    except BaseException:
        await sync_to_async(block.__exit__)(*sys.exc_info())
        raise
    await sync_to_async(block.__exit__)(None, None, None)
    return result


def make_due() -> dict[int, str]:
    """The jobs that waited for their time and now wait no more: their ids and tasks."""
    if isinstance(app.connector, InMemoryConnector):
        rows = [row for row in app.connector.jobs.values() if row["status"] == "todo"]
        rows = [row for row in rows if row["scheduled_at"]]
        for row in rows:
            row["scheduled_at"] = None
        return {row["id"]: row["task_name"] for row in rows}
    from procrastinate.contrib.django.models import ProcrastinateJob

    waiting = ProcrastinateJob.objects.filter(status="todo", scheduled_at__isnull=False)
    found = dict(waiting.values_list("id", "task_name"))
    if found:
        waiting.update(scheduled_at=None)
    return found
