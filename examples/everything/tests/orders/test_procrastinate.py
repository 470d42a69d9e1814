"""One example per situation with Procrastinate; TESTING.md says when to use which."""

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError, transaction
from django.utils import timezone
from procrastinate.contrib.django import app
from procrastinate.contrib.django.exceptions import ReadOnlyModel
from procrastinate.contrib.django.models import ProcrastinateEvent, ProcrastinateJob
from procrastinate.exceptions import AlreadyEnqueued, TaskNotFound

from acme_shop.housekeeping import remove_old_jobs, retry_stalled_jobs
from acme_shop.orders import services
from acme_shop.orders.jobs import count_orders, process_order
from acme_shop.orders.models import Order

from .factories import OrderFactory


@pytest.mark.django_db
def test_an_order_defers_its_job(settings, assert_deferred, run_jobs):
    settings.DISABLE_AUTO_WORKER_SPAWN = False

    order = OrderFactory.create()

    assert_deferred(process_order, {"order_id": order.pk}, queue="default")
    run_jobs()
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED
    assert_deferred(process_order, times=0)


@pytest.mark.django_db
def test_nothing_is_deferred_in_tests(assert_deferred):
    OrderFactory.create()

    assert_deferred(process_order, times=0)


@pytest.mark.django_db
def test_a_rollback_takes_the_job_back(settings, assert_deferred):
    settings.DISABLE_AUTO_WORKER_SPAWN = False

    with transaction.atomic():
        OrderFactory.create()
        assert_deferred(process_order)
        transaction.set_rollback(True)

    assert_deferred(process_order, times=0)


@pytest.mark.django_db
async def test_a_job_in_an_async_test(assert_deferred, run_jobs):
    order = await Order.objects.acreate(product="tea")

    await process_order.defer_async(order_id=order.pk)
    await count_orders.defer_async()

    await sync_to_async(assert_deferred)(process_order, {"order_id": order.pk})
    await sync_to_async(run_jobs)()
    await order.arefresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_an_async_job(run_jobs, caplog):
    caplog.set_level("INFO", "procrastinate")
    OrderFactory.create_batch(2)

    count_orders.defer()
    run_jobs()

    assert "Result: 2" in caplog.text


@pytest.mark.django_db
def test_a_task_is_a_function():
    assert process_order(OrderFactory.create().pk) is True


def test_a_job_in_memory(in_memory_app):
    count_orders.defer()

    (job,) = in_memory_app.connector.jobs.values()
    assert (job["queue_name"], job["lock"], job["status"]) == ("exports", "export", "todo")


async def test_a_job_in_memory_in_an_async_test(in_memory_app):
    await process_order.defer_async(order_id=1)

    (job,) = in_memory_app.connector.jobs.values()
    assert job["args"] == {"order_id": 1}


def test_where_and_when_a_job_runs(in_memory_app, assert_deferred, time_machine):
    time_machine.move_to("2030-01-01T12:00Z", tick=False)

    process_order.configure(
        queue="slow", priority=5, lock="order-1", schedule_in={"hours": 1}
    ).defer(order_id=1)

    assert_deferred(
        process_order,
        {"order_id": 1},
        queue="slow",
        priority=5,
        lock="order-1",
        scheduled_at=timezone.now() + timedelta(hours=1),
    )


@pytest.mark.django_db
def test_a_scheduled_job_is_left_waiting(run_jobs, assert_deferred):
    order = OrderFactory.create()
    process_order.configure(schedule_in={"hours": 1}).defer(order_id=order.pk)

    run_jobs()
    assert_deferred(process_order, attempts=0)

    run_jobs(scheduled=True)
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_a_queueing_lock_lets_one_job_wait(assert_deferred):
    count_orders.defer()

    with pytest.raises(AlreadyEnqueued), transaction.atomic():
        count_orders.defer()

    assert_deferred(count_orders, queueing_lock="export")


class Deadlocked:
    """A service whose first calls meet a deadlock."""

    def __init__(self, times):
        self.times, self.calls = times, 0

    def __call__(self, order_id):
        self.calls += 1
        if self.calls <= self.times:
            raise OperationalError("deadlock detected")
        return True


def test_a_retry_is_scheduled(in_memory_app, run_jobs, assert_deferred, monkeypatch):
    monkeypatch.setattr(services, "process_order", Deadlocked(times=1))
    process_order.defer(order_id=1)

    run_jobs()

    (job,) = assert_deferred(process_order, attempts=1)
    assert timedelta(0) < job.scheduled_at - timezone.now() <= timedelta(seconds=2)


@pytest.mark.django_db
def test_retries(run_jobs, assert_deferred, monkeypatch):
    service = Deadlocked(times=2)
    monkeypatch.setattr(services, "process_order", service)
    process_order.defer(order_id=1)

    run_jobs(scheduled=True)

    assert service.calls == 3


@pytest.mark.django_db
def test_retries_end(run_jobs, monkeypatch):
    service = Deadlocked(times=99)
    monkeypatch.setattr(services, "process_order", service)
    process_order.defer(order_id=1)

    with pytest.raises(OperationalError, match="deadlock"):
        run_jobs(scheduled=True)

    assert service.calls == 1 + process_order.retry_strategy.max_attempts


@pytest.mark.django_db
def test_an_error_reaches_the_test(run_jobs):
    process_order.defer(order_id=0)

    with pytest.raises(Order.DoesNotExist):
        run_jobs()


def test_every_error_reaches_the_test(in_memory_app, run_jobs, monkeypatch):
    monkeypatch.setattr(services, "process_order", lambda order_id: 1 / order_id)
    for order_id in (0, 1, 0):
        process_order.defer(order_id=order_id)

    with pytest.raises(ExceptionGroup) as group:
        run_jobs()

    assert group.group_contains(ZeroDivisionError)
    assert len(group.value.exceptions) == 2


def test_a_misspelt_task_reaches_the_test(in_memory_app, run_jobs):
    app.configure_task("orders.jobs.proces_order").defer(order_id=1)

    with pytest.raises(TaskNotFound, match="proces_order"):
        run_jobs()


@pytest.mark.django_db
def test_a_job_that_breaks_its_transaction(run_jobs):
    order = OrderFactory.create()

    @app.task
    def create_it_again():
        Order.objects.create(pk=order.pk, product="again")

    create_it_again.defer()
    with pytest.raises(Exception, match="duplicate key"):
        run_jobs()

    assert Order.objects.get().product == order.product


@pytest.mark.django_db
def test_arguments_must_survive_json():
    with pytest.raises(TypeError, match="not JSON serializable"):
        process_order.defer(order_id=object())  # type: ignore[arg-type]


def test_arguments_must_survive_json_in_memory_too(in_memory_app):
    with pytest.raises(TypeError, match="not JSON serializable"):
        process_order.defer(order_id=object())  # type: ignore[arg-type]


@pytest.mark.django_db
def test_a_periodic_task_comes_when_it_is_due(time_machine, run_jobs):
    time_machine.move_to("2030-01-01T03:16Z")
    run_jobs(periodic=True)
    assert not ProcrastinateJob.objects.filter(task_name=remove_old_jobs.name).exists()

    time_machine.move_to("2030-01-01T03:18Z")
    run_jobs(periodic=True)
    assert ProcrastinateJob.objects.get(task_name=remove_old_jobs.name).status == "succeeded"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("days", "kept"), [(6, {"succeeded", "failed"}), (8, {"failed"}), (31, set())]
)
def test_jobs_that_ended_long_ago_are_removed(writable_procrastinate_models, run_jobs, days, kept):
    process_order.defer(order_id=OrderFactory.create().pk)
    process_order.defer(order_id=0)
    with pytest.raises(Order.DoesNotExist):
        run_jobs()
    ProcrastinateEvent.objects.update(at=timezone.now() - timedelta(days=days))

    remove_old_jobs.configure(queue="upkeep").defer(timestamp=0)
    run_jobs()

    jobs = ProcrastinateJob.objects.filter(task_name=process_order.name)
    assert {*jobs.values_list("status", flat=True)} == kept


@pytest.mark.django_db
def test_the_job_of_a_dead_worker_starts_again(
    writable_procrastinate_models, run_jobs, assert_deferred
):
    ProcrastinateJob.objects.create(
        task_name=process_order.name,
        args={"order_id": OrderFactory.create().pk},
        status="doing",
        queue_name="default",
        priority=0,
        attempts=0,
        abort_requested=False,
    )

    run_jobs(queues=["default"])  # Nothing to run: a worker has it, or had it.
    retry_stalled_jobs.configure(queue="upkeep").defer(timestamp=0)
    run_jobs(queues=["upkeep"])

    assert_deferred(process_order, attempts=1)


@pytest.mark.django_db
def test_upkeep_goes_before_the_backlog(run_jobs):
    process_order.defer(order_id=OrderFactory.create().pk)
    retry_stalled_jobs.configure().defer(timestamp=0)

    run_jobs(concurrency=1)

    started = ProcrastinateEvent.objects.filter(type="started").order_by("id")
    assert [event.job.task_name for event in started] == [
        retry_stalled_jobs.name,
        process_order.name,
    ]


@pytest.mark.django_db
def test_models_are_read_only():
    with pytest.raises(ReadOnlyModel):
        ProcrastinateJob.objects.create(task_name="x")


def test_a_real_worker(procrastinate_worker):
    order = OrderFactory.create()
    process_order.defer(order_id=order.pk)
    process_order.defer(order_id=0)

    procrastinate_worker()

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED
    assert [*ProcrastinateJob.objects.order_by("id").values_list("status", flat=True)] == [
        "succeeded",
        "failed",
    ]


async def test_a_real_worker_in_an_async_test(procrastinate_worker):
    await count_orders.defer_async()

    await asyncio.to_thread(procrastinate_worker)

    assert (await ProcrastinateJob.objects.aget()).status == "succeeded"


async def test_a_waiting_worker_is_notified(procrastinate_listener):
    order = await Order.objects.acreate(product="tea")

    job_id = await process_order.defer_async(order_id=order.pk)

    assert await procrastinate_listener(job_id) == "succeeded"
    await order.arefresh_from_db()
    assert order.status == Order.Status.PROCESSED
