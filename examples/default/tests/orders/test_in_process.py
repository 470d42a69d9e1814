"""Without a queue, an order is processed here, when its transaction commits."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from acme_shop.orders.models import Order

from .factories import OrderFactory


@pytest.fixture(autouse=True)
def _spawn(settings):
    """What production does, for these tests only."""
    settings.DISABLE_AUTO_WORKER_SPAWN = False


@pytest.mark.django_db
def test_an_order_is_processed_on_commit(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        order = OrderFactory.create()
        order.refresh_from_db()
        assert order.status == Order.Status.NEW

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_a_rollback_processes_nothing(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks, transaction.atomic():
        OrderFactory.create()
        transaction.set_rollback(True)

    assert callbacks == []
    assert not Order.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_real_commit_processes_too():
    order = OrderFactory.create()

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_the_command_processes_what_waits(time_machine):
    order = OrderFactory.create()

    assert run_command() == "0 processed"
    time_machine.move_to(timezone.now() + timedelta(minutes=6), tick=False)
    assert run_command() == "1 processed"

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


def run_command():
    shown = StringIO()
    call_command("process_waiting_orders", stdout=shown)
    return shown.getvalue().strip()
