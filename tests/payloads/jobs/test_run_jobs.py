"""What a worker does in production, run_jobs does in a test's transaction."""

import asyncio

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, transaction
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued, TaskNotFound

IN_MEMORY = "in_memory_app"
pytestmark = pytest.mark.django_db


def names():
    return [*Group.objects.order_by("pk").values_list("name", flat=True)]


@pytest.fixture
def note():
    """A task that takes a while, the less the later, and then makes a row."""

    @app.task(lock="one")
    async def note(number):
        await asyncio.sleep(0.01 * (3 - number))
        await Group.objects.acreate(name=str(number))

    return note


@pytest.fixture
def again():
    @app.task(name="again")
    def again(times=1):
        if times:
            app.configure_task("again", schedule_in={"minutes": 5}).defer(times=times - 1)

    return again


@pytest.mark.parametrize("place", ["db", "transactional_db", IN_MEMORY])
@pytest.mark.parametrize("lock", ["one", None])
def test_jobs_run_in_order_and_none_is_left(request, run_jobs, note, place, lock):
    request.getfixturevalue(place)
    for number in range(4):
        note.configure(lock=lock).defer(number=number)

    run_jobs()

    assert names() == ["0", "1", "2", "3"]


def test_a_real_worker_leaves_no_job_of_a_lock(procrastinate_worker, note):
    for number in range(4):
        note.defer(number=number)

    procrastinate_worker()

    assert names() == ["0", "1", "2", "3"]


@pytest.mark.parametrize("place", ["db", IN_MEMORY])
@pytest.mark.timeout(60)
def test_a_job_that_defers_itself_without_an_end(request, run_jobs, again, place):
    request.getfixturevalue(place)
    again.defer(times=1000)

    with pytest.raises(AssertionError, match="Jobs still wait after 100 rounds: again; each run"):
        run_jobs(scheduled=True)


@pytest.mark.timeout(60)
def test_an_error_beside_a_job_without_an_end(run_jobs, again):
    again.defer(times=1000)
    app.configure_task("misspelt").defer()

    with pytest.raises(ExceptionGroup) as group:
        run_jobs(scheduled=True)
    assert {type(error) for error in group.value.exceptions} == {TaskNotFound, AssertionError}


@pytest.mark.timeout(60)
def test_a_job_that_retries_without_an_end(run_jobs):
    @app.task(name="forever", retry=True)
    def forever():
        raise ValueError("never works")

    forever.defer()

    with pytest.raises(AssertionError, match="after 100 rounds: forever") as raised:
        run_jobs(scheduled=True)
    assert isinstance(raised.value.__cause__, ValueError)


@pytest.mark.parametrize("place", ["db", IN_MEMORY])
def test_a_job_that_defers_itself_a_few_times(request, run_jobs, again, place):
    request.getfixturevalue(place)
    again.defer(times=5)
    again.configure(queue="another", schedule_in={"days": 1}).defer(times=0)  # Of another worker.

    run_jobs(scheduled=True, queues=["default"])


def test_a_periodic_task_that_is_already_queued(run_jobs):
    @app.periodic(cron="* * * * *")
    @app.task(queueing_lock="tick")
    def tick(timestamp):
        Group.objects.create(name=str(timestamp))

    tick.defer(timestamp=0)

    run_jobs(periodic=True)

    assert "0" in names()


@pytest.mark.parametrize("outer", [False, True])
def test_a_queueing_lock_that_a_job_meets(run_jobs, outer):
    """In a transaction of the job's own, the error ends it, as in production."""

    @app.task(queueing_lock="held")
    def held(): ...

    def defer():
        Group.objects.create(name="before")
        with pytest.raises(AlreadyEnqueued):
            held.defer()
        Group.objects.create(name="after")

    @app.task(lock="first", priority=1)
    def meets():
        if outer:
            with transaction.atomic():
                defer()
        else:
            defer()

    held.configure(schedule_in={"days": 1}).defer()
    meets.defer()

    if outer:
        with pytest.raises(Exception, match="current transaction is aborted"):
            run_jobs()
    else:
        run_jobs()
    assert names() == ([] if outer else ["before", "after"])


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_database_error_in_a_job(run_jobs, kind):
    if kind == "sync":

        @app.task
        def twice():
            Group.objects.create(name="twin")
            Group.objects.create(name="twin")
    else:

        @app.task
        async def twice():
            await Group.objects.acreate(name="twin")
            await Group.objects.acreate(name="twin")

    Group.objects.create(name="of the test")
    twice.defer()

    with pytest.raises(IntegrityError):
        run_jobs()

    assert ProcrastinateJob.objects.get().status == "failed"
    assert names() == ["of the test"]


async def test_a_database_error_in_a_job_of_an_async_test(run_jobs):
    @app.task
    async def twice():
        await Group.objects.acreate(name="twin")
        await Group.objects.acreate(name="twin")

    await twice.defer_async()

    with pytest.raises(IntegrityError):
        await sync_to_async(run_jobs)()

    assert (await ProcrastinateJob.objects.aget()).status == "failed"


def test_an_async_job_that_works_keeps_its_rows(run_jobs):
    @app.task
    async def several():
        await asyncio.gather(*(Group.objects.acreate(name=str(number)) for number in range(3)))

    several.defer()

    run_jobs()

    assert sorted(names()) == ["0", "1", "2"]


@pytest.mark.parametrize("place", ["db", "transactional_db"])
def test_a_durable_transaction_in_a_job(request, run_jobs, place):
    request.getfixturevalue(place)

    @app.task
    def durable():
        with transaction.atomic(durable=True):
            Group.objects.create(name="durable")

    durable.defer()
    run_jobs()

    assert names() == ["durable"]


def test_a_durable_transaction_in_another(run_jobs):
    @app.task
    def durable():
        with transaction.atomic(), transaction.atomic(durable=True):
            Group.objects.create(name="durable")

    durable.defer()

    with pytest.raises(RuntimeError, match="durable"):
        run_jobs()


@pytest.mark.parametrize("place", ["db", IN_MEMORY])
def test_a_job_that_fails_the_test(request, run_jobs, place):
    request.getfixturevalue(place)

    @app.task
    def fails():
        pytest.fail("the true reason")

    fails.defer()
    with pytest.raises(pytest.fail.Exception, match="the true reason"):
        run_jobs()

    fails.defer()
    fails.defer()
    with pytest.raises(BaseExceptionGroup) as group:
        run_jobs()
    assert len(group.value.exceptions) == 2


async def test_an_async_test_is_told_what_to_call(run_jobs):
    with pytest.raises(SynchronousOnlyOperation, match=r"await sync_to_async\(run_jobs\)\(\)"):
        run_jobs()
