"""Procrastinate in tests: jobs are rows of the test's transaction, run when the test says so.

Without any fixture a test defers into the real tables, and its rollback takes the jobs back too.
`in_memory_app` needs no database; `run_jobs` runs what was deferred; `assert_deferred` looks at it;
`procrastinate_worker` and `procrastinate_listener` are real workers, for tests that commit.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import suppress
from typing import Any

import pytest
import pytest_asyncio
from asgiref.sync import async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from procrastinate import App, exceptions
from procrastinate.contrib.django import app
from procrastinate.jobs import Job, Status
from procrastinate.periodic import PeriodicDeferrer
from procrastinate.tasks import Task

from . import compat, procrastinate_jobs

UNFINISHED = {Status.TODO, Status.DOING}
LISTENS = """
    SELECT EXISTS (
        SELECT FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN %%'
    ) AS listens
"""
ONCE = {
    "wait": False,
    "install_signal_handlers": False,
    "listen_notify": False,
    "concurrency": 1,  # Else it ends, and leaves a job that is due, while one of the same lock runs.
}
ROUNDS = 100


@pytest.fixture(scope="session", autouse=True)
def _procrastinate_session() -> None:
    """Import every task now, and have Django flush the job tables after a test that commits."""
    from django.apps import apps

    app.perform_import_paths()
    for model in apps.get_app_config("procrastinate").get_models():
        model._meta.managed = True  # They are not, so flush would keep their rows.


@pytest.fixture(autouse=True)
def _procrastinate_isolation() -> Generator[None]:
    """Put back the tasks of the app; no job comes from the clock, only from the test.

    Each worker, also one that ends when the queue is empty, first defers the periodic tasks that
    were due in the last ten minutes: so `run_jobs(periodic=True)` brings them back.
    """
    tasks, periodic = dict(app.tasks), dict(app.periodic_registry.periodic_tasks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(app.periodic_defaults, "max_delay", -1)
        yield
    # A module that a test is the first to import stays imported, so its tasks stay registered.
    for registry, before in ((app.tasks, tasks), (app.periodic_registry.periodic_tasks, periodic)):
        now = {key: value for key, value in registry.items() if not _is_local(value)}
        registry.clear()
        registry.update(now | before)


def _is_local(task: Any) -> bool:
    return "<locals>" in getattr(task, "task", task).func.__qualname__


@pytest.fixture
def in_memory_app() -> Generator[App]:
    """The project's Procrastinate app on a queue in memory, without a database.

        def test_it(in_memory_app):
            send_mail.defer(to="a@example.com")
            (job,) = in_memory_app.connector.jobs.values()

    `connector.jobs` maps the id of a job to its row, a dictionary. Deferring does not join the
    database's transaction here; to test a rollback, leave this fixture out.
    """
    with app.replace_connector(procrastinate_jobs.StrictInMemoryConnector()):
        yield app


@pytest.fixture
def run_jobs() -> Callable[..., None]:
    """Run the jobs that are due one by one, in this thread and in the test's transaction.

        def test_it(run_jobs):
            process_order.defer(order_id=order.pk)
            run_jobs()

    An error that ends a job is raised here, once all due jobs have run; one that is retried is not.
    `scheduled=True` also runs, at once, jobs that are scheduled for later, retries included: inside
    a transaction PostgreSQL's clock stands still; jobs that still wait after 100 rounds fail the
    test. `periodic=True` first defers the periodic tasks that were due in the last ten minutes; the
    fixture `time_machine` says when that is.
    Other options are those of `App.run_worker`, such as `queues`. With `concurrency`, jobs that wait
    for a lock may be left, and a database error in an async task spoils the transaction.
    In an async test: `await sync_to_async(run_jobs)()`.
    """

    def run(*, scheduled: bool = False, periodic: bool = False, **options: Any) -> None:
        errors: dict[int | None, BaseException] = {}

        async def note_error(call_next: Any, context: Any, worker: Any) -> Any:
            try:
                return await call_next()
            except BaseException as error:  # pytest.fail() raises no Exception.
                errors[context.job.id] = error
                raise

        _refuse_in_a_loop()
        with (
            pytest.MonkeyPatch.context() as patch,
            app.replace_connector(procrastinate_jobs.readable_connector()),
        ):
            # A worker runs sync tasks in another thread, so on another connection.
            patch.setattr(*compat.procrastinate_thread_switch(), _in_this_thread)
            if periodic:
                deferrer = PeriodicDeferrer(app.periodic_registry)
                async_to_sync(deferrer.defer_jobs)(deferrer.get_previous_tasks(at=time.time()))
            options = {
                **ONCE,
                "delete_jobs": "never",
                "task_middleware": [
                    procrastinate_jobs.savepoint,
                    procrastinate_jobs.async_savepoint,
                ],
                "worker_middleware": [note_error],
                **options,
            }
            failed = {job.id for job in app.job_manager.list_jobs(status="failed")}
            for _ in range(ROUNDS):
                async_to_sync(app.run_worker_async)(**options)
                waiting = procrastinate_jobs.make_due() if scheduled else {}
                if not waiting:
                    break
            jobs = app.job_manager.list_jobs(status="failed")
        found = [
            errors.get(job.id) or exceptions.TaskNotFound(job.task_name)
            for job in jobs
            if job.id not in failed
        ]
        if waiting:
            endless = AssertionError(
                f"Jobs still wait after {ROUNDS} rounds: {', '.join(sorted({*waiting.values()}))}; "
                "each run defers another one, or retries without an end"
            )
            endless.__cause__ = next((errors[job] for job in waiting if job in errors), None)
            found.append(endless)
        if len(found) > 1:
            raise BaseExceptionGroup("Several jobs failed", found)
        if found:
            raise found[0]

    return run


def _refuse_in_a_loop() -> None:
    """Say what an async test calls: Django says only that it must not call this."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        raise SynchronousOnlyOperation("In an async test: await sync_to_async(run_jobs)()")


async def _in_this_thread(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await sync_to_async(function)(*args, **kwargs)


@pytest.fixture
def assert_deferred() -> Callable[..., list[Job]]:
    """Assert that a task was deferred and not yet run; return the jobs found.

        assert_deferred(process_order, {"order_id": 1}, queue="default", lock=None)

    The arguments are compared whole, when given. Keywords are attributes of `procrastinate.jobs.Job`:
    `queue`, `lock`, `queueing_lock`, `priority`, `scheduled_at` (aware), `attempts`. `times` is how
    many such jobs there are (1), so `times=0` asserts that none was deferred.
    In an async test: `await sync_to_async(assert_deferred)(...)`.
    """

    def check(
        task: Task[..., Any, Any],
        arguments: dict[str, Any] | None = None,
        *,
        times: int = 1,
        **attributes: Any,
    ) -> list[Job]:
        wanted = {"task_name": task.name, **attributes}
        if arguments is not None:
            wanted["task_kwargs"] = arguments
        with app.replace_connector(procrastinate_jobs.readable_connector()):
            waiting = [*app.job_manager.list_jobs(status="todo")]
        found = [
            job
            for job in waiting
            if all(getattr(job, name) == value for name, value in wanted.items())
        ]
        assert len(found) == times, (
            f"{len(found)} job(s) deferred, not {times}, with {wanted}. Waiting jobs: "
            f"{[{name: getattr(job, name) for name in wanted} for job in waiting]}"
        )
        return found

    return check


@pytest.fixture
def writable_procrastinate_models(settings: Any) -> None:
    """Let a test create and change jobs through the models, which are read-only by default.

    https://procrastinate.readthedocs.io/en/stable/howto/django/models.html
    """
    settings.PROCRASTINATE_READONLY_MODELS = False


@pytest.fixture
def procrastinate_worker(transactional_db: None) -> Callable[..., None]:
    """A real worker, on other connections, that runs what is due and ends.

        def test_it(procrastinate_worker):
            process_order.defer(order_id=order.pk)
            procrastinate_worker()
            assert ProcrastinateJob.objects.get().status == "succeeded"

    As in production, an error ends in the job's status, `failed`. It sees committed rows only, so
    the test commits, and what it wrote is undone. Options are those of `App.run_worker`.
    In an async test: `await asyncio.to_thread(procrastinate_worker)`.
    """

    def run(**options: Any) -> None:
        with app.replace_connector(app.connector.get_worker_connector()):
            app.run_worker(**{**ONCE, **options})

    return run


@pytest_asyncio.fixture
async def procrastinate_listener(
    transactional_db: None,
) -> AsyncGenerator[Callable[..., Awaitable[str]]]:
    """A real worker that waits for jobs by LISTEN and NOTIFY; for async tests that commit.

        async def test_it(procrastinate_listener):
            job_id = await process_order.defer_async(order_id=order.pk)
            assert await procrastinate_listener(job_id) == "succeeded"

    The value waits for the end of a job and returns its status; TimeoutError after `timeout`
    seconds (10). Without a notification the worker would look only once a minute.
    """

    async def ended(job_id: int, timeout: float = 10) -> str:  # noqa: ASYNC109
        async with asyncio.timeout(timeout):
            while True:
                status = await app.job_manager.get_job_status_async(job_id)
                if status not in UNFINISHED:
                    return status.value
                await asyncio.sleep(0.01)

    connector = app.connector.get_worker_connector()
    options = {"install_signal_handlers": False, "fetch_job_polling_interval": 60}
    with app.replace_connector(connector):
        async with app.open_async():
            worker = asyncio.create_task(app.run_worker_async(**options))
            # Nothing else tells when it listens.
            while not (await connector.execute_query_one_async(LISTENS))["listens"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            yield ended
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
