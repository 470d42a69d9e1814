"""Celery in tests: eager tasks, no broker, nothing kept from one test to the next.

test_settings.py makes tasks run in the caller, through the real serializer. This module reverts what
a test changes in Celery's process-wide state, and refuses to publish: Celery would wait for a broker
for up to 20 s, or put the message into the developer's broker.
"""

from collections.abc import Generator
from importlib import import_module
from typing import Any

import pytest
from celery import Celery, Task, signals
from celery.contrib.testing.worker import start_worker
from celery.fixups.django import DjangoWorkerFixup
from celery.worker import WorkController
from kombu.messaging import Producer
from kombu.transport.memory import Channel

from . import compat

SIGNALS = [signal for signal in vars(signals).values() if isinstance(signal, signals.Signal)]


def pytest_configure(config: pytest.Config) -> None:
    # As an error it would hide the sentence of _celery_publishing_refused, which has the remedy.
    config.addinivalue_line("filterwarnings", "ignore:task_always_eager has no effect on send_task")


@pytest.fixture(scope="session", autouse=True)
def _celery_app() -> Celery:
    """The project's app, the current one. What Celery imports late is imported now: it changes
    loggers, and registers tasks.
    """
    app = compat.celery_current_app()
    app.autodiscover_tasks(force=True)
    import_module("celery.app.amqp")
    import_module("celery.apps.worker")
    import_module("celery.contrib.testing.tasks")
    return app


@pytest.fixture(scope="session")
def _celery_leaves_eager_off(_celery_app: Celery) -> bool:
    return not _celery_app.conf.task_always_eager


@pytest.fixture(autouse=True)
def _celery_isolation(_celery_app: Celery) -> Generator[None]:
    """Put back the current app, its configuration and tasks, signal receivers, messages, results."""
    tasks, changes = dict(_celery_app.tasks), dict(_celery_app.conf.changes)
    receivers = {signal: list(signal.receivers or ()) for signal in SIGNALS}
    shared_tasks, apps = set(compat.celery_shared_tasks()), set(compat.celery_apps())
    yield
    for app in set(compat.celery_apps()) - apps:
        app.close()
    _celery_app.set_current()
    _celery_app.set_default()
    # A module that a test is the first to import stays imported, so its tasks stay registered.
    imported = {name: task for name, task in _celery_app.tasks.items() if not _is_local(task)}
    _put_back(_celery_app.tasks, imported | tasks)
    _put_back(_celery_app.conf.changes, changes)
    for signal, before in receivers.items():
        signal.receivers = before
    compat.celery_shared_tasks().intersection_update(shared_tasks)
    compat.celery_memory_results().clear()
    Channel.queues.clear()


def _is_local(task: Task) -> bool:
    return "<locals>" in task.run.__qualname__


def _put_back(current: dict[str, Any], before: dict[str, Any]) -> None:
    current.clear()
    current.update(before)


@pytest.fixture(autouse=True)
def _celery_publishing_refused(
    _celery_app: Celery, _celery_leaves_eager_off: bool
) -> Generator[pytest.MonkeyPatch]:
    """Everything that Celery sends (delay, send_task, control) goes through one method of kombu.

    A project whose settings leave eager tasks off reads its messages itself, from a broker in memory;
    so does a test with another app, which the fixtures of ``celery.contrib.pytest`` make.
    """

    publish = Producer.publish

    def refuse(self: Producer, *args: Any, **options: Any) -> Any:
        in_memory = _celery_leaves_eager_off or compat.celery_current_app() is not _celery_app
        if in_memory and self.connection.get_transport_cls().driver_type == "memory":
            return publish(self, *args, **options)
        # pytest.fail, since code that survives a dead broker catches Exception.
        pytest.fail(
            f"A test published to the Celery broker (routing key {options.get('routing_key')!r}): "
            "keep CELERY_TASK_ALWAYS_EAGER on and call the task itself, since send_task() is never "
            "eager, or ask for the fixture celery_live_worker."
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Producer, "publish", refuse)
        yield patch


@pytest.fixture
def celery_retries(settings: Any) -> None:
    """Eager tasks retry, at once; a task that fails for good has ``result.state`` FAILURE.

    Without it, the first ``self.retry()`` or ``autoretry_for`` raises ``celery.exceptions.Retry`` to
    the caller: with ``task_eager_propagates`` on, Celery 5.7 makes one attempt, whatever ``throw``
    says. The waiting time is in the ``countdown`` of ``Retry``; eager tasks never wait.
    """
    settings.CELERY_TASK_EAGER_PROPAGATES = False


@pytest.fixture
def celery_live_worker(
    transactional_db: None,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    _celery_app: Celery,
    _celery_publishing_refused: pytest.MonkeyPatch,
) -> Generator[WorkController]:
    """A real worker, in a thread, on a broker in memory: tasks run as they do in production.

        def test_it(celery_live_worker):
            assert process_order.delay(order.pk).get(timeout=10) is True

    It has another database connection, so the test commits, and what it wrote is undone. A worker
    closes the connections of the thread that starts it (celery #4511): in a test that rolls back, it
    would lose the transaction.
    """
    settings.CELERY_TASK_ALWAYS_EAGER = False
    _celery_publishing_refused.undo()
    # A worker sets up the logging of its process, and Django's again: caplog would lose its handler.
    monkeypatch.setattr(_celery_app.log, "setup", lambda *args, **options: None)
    monkeypatch.setattr(DjangoWorkerFixup, "django_setup", lambda self: None)
    with start_worker(_celery_app, pool="solo", perform_ping_check=False) as worker:
        yield worker
        # A message wakes it up: left alone, it looks only every 2 s whether it has to stop.
        _celery_app.control.shutdown(destination=[worker.hostname])
