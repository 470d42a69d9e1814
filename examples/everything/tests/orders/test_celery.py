"""One example per situation with Celery; TESTING.md says when to use which."""

from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from celery import chain, chord, current_app, group, shared_task
from celery.exceptions import Retry
from celery.result import AsyncResult, EagerResult
from django.db import OperationalError
from django.utils import timezone
from kombu.exceptions import EncodeError
from kombu.exceptions import OperationalError as BrokerError

from acme_shop.orders import services, tasks
from acme_shop.orders.models import Order
from acme_shop.orders.tasks import process_order, process_waiting_orders

from .factories import OrderFactory


@pytest.mark.django_db
def test_a_task_runs_in_the_caller():
    order = OrderFactory.create()

    result = process_order.delay(order.pk)

    assert result.get() is True
    assert AsyncResult(result.id).get() is True
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_a_task_is_a_function():
    assert process_order(OrderFactory.create().pk) is True


@pytest.mark.django_db
async def test_a_task_runs_in_an_async_test():
    order = await Order.objects.acreate(product="tea")

    result = await sync_to_async(process_order.delay)(order.pk)

    assert result.result is True


@pytest.mark.django_db
def test_an_error_reaches_the_test():
    with pytest.raises(Order.DoesNotExist):
        process_order.delay(0)


def test_arguments_must_survive_json():
    with pytest.raises(EncodeError):
        process_order.delay(object())  # type: ignore[arg-type]


@pytest.mark.django_db
def test_delay_on_commit_waits_for_the_commit(django_capture_on_commit_callbacks):
    order = OrderFactory.create()

    with django_capture_on_commit_callbacks(execute=True):
        process_order.delay_on_commit(order.pk)  # type: ignore[attr-defined]
        order.refresh_from_db()
        assert order.status == Order.Status.NEW

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_waiting_orders_are_processed(time_machine):
    order = OrderFactory.create()
    assert process_waiting_orders.delay().get() == 0

    time_machine.move_to(timezone.now() + timedelta(minutes=5, seconds=1))

    assert process_waiting_orders.delay().get() == 1
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


def test_a_dead_broker_does_not_fail_the_request(monkeypatch, caplog):
    def refuse(*args, **options):
        raise BrokerError("connection refused")

    monkeypatch.setattr(process_order, "apply_async", refuse)

    assert tasks.send(7) is False
    assert "order 7 waits" in caplog.text


class Deadlocked:
    """A service whose first calls meet a deadlock."""

    def __init__(self, times):
        self.times, self.calls = times, 0

    def __call__(self, order_id):
        self.calls += 1
        if self.calls <= self.times:
            raise OperationalError("deadlock detected")
        return True


def test_retries(celery_retries, monkeypatch):
    service = Deadlocked(times=2)
    monkeypatch.setattr(services, "process_order", service)

    assert process_order.delay(1).get() is True
    assert service.calls == 3


def test_retries_end(celery_retries, monkeypatch):
    service = Deadlocked(times=99)
    monkeypatch.setattr(services, "process_order", service)

    result = process_order.delay(1)

    assert (result.state, service.calls) == ("FAILURE", 1 + process_order.max_retries)
    assert isinstance(result.result, OperationalError)


def test_when_a_retry_is_due(monkeypatch):
    monkeypatch.setattr(services, "process_order", Deadlocked(times=1))

    with pytest.raises(Retry) as retry:
        process_order.delay(1)

    assert 0 <= retry.value.when <= 1


@pytest.mark.django_db
def test_a_countdown_is_not_waited_for():
    assert process_order.apply_async((OrderFactory.create().pk,), countdown=3600).get() is True


@shared_task
def add(x: int, y: int) -> int:
    return x + y


@shared_task
def total(numbers: list[int]) -> int:
    return sum(numbers)


def test_a_chain():
    assert chain(add.s(1, 2), add.s(3)).delay().get() == 6


def test_a_group():
    assert group(add.s(n, n) for n in range(3)).delay().get() == [0, 2, 4]


def test_a_chord():
    assert chord((add.s(n, n) for n in range(3)), total.s()).delay().get() == 6


def test_a_result_must_survive_json():
    @shared_task
    def numbers():
        return {1, 2}

    with pytest.raises(EncodeError):
        numbers.delay()


def test_a_forgotten_eager_is_refused(settings):
    settings.CELERY_TASK_ALWAYS_EAGER = False

    with pytest.raises(pytest.fail.Exception, match="celery_live_worker"):
        process_order.delay(1)


@pytest.mark.filterwarnings("ignore:task_always_eager has no effect")  # Also under -W error.
def test_send_task_is_refused():
    with pytest.raises(pytest.fail.Exception, match="celery_live_worker"):
        current_app.send_task(process_order.name, (1,))


def test_a_live_worker(celery_live_worker):
    order = OrderFactory.create()

    result = process_order.delay(order.pk)

    assert not isinstance(result, EagerResult)
    assert result.get(timeout=30) is True
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED
