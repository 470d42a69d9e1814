"""Each test leaves something behind in Celery, and its twin looks for it: any order must pass."""

import logging
import os

import pytest
from celery import Celery, current_app, shared_task, signals
from celery.result import AsyncResult
from kombu import Connection

pytest_plugins = "celery.contrib.pytest"
TWICE = pytest.mark.parametrize("n", range(2))
HANDLERS = pytest.StashKey[list]()


@TWICE
def test_another_app_becomes_the_current_one(n, monkeypatch):
    monkeypatch.syspath_prepend(".")  # Each new app adds to the path.
    assert current_app.conf.task_always_eager is True
    Celery("rogue").set_default()


@TWICE
def test_configuration(n):
    assert current_app.conf.result_expires != 7
    current_app.conf.result_expires = 7


@TWICE
def test_a_task_of_the_same_name(n):
    @shared_task(name="local")
    def local():
        return n

    assert local.delay().get() == n


@TWICE
def test_a_task_of_a_module_that_a_test_imports_first(n, tmp_path, monkeypatch):
    (tmp_path / "lazily_imported.py").write_text(
        "from celery import shared_task\n\n@shared_task\ndef lazy(): return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from lazily_imported import lazy

    assert lazy.delay().get() == 1


@TWICE
def test_a_task_that_a_later_app_would_register(n, monkeypatch):
    monkeypatch.syspath_prepend(".")
    assert "local" not in Celery("other").tasks

    @shared_task(name="local")
    def local(): ...


@TWICE
def test_a_signal_receiver(n):
    seen = []
    assert not signals.task_success.receivers
    signals.task_success.connect(lambda **kwargs: seen.append(n), weak=False)

    @shared_task(name="signalled")
    def signalled(): ...

    signalled.delay()
    assert len(seen) == 1


@TWICE
def test_a_result(n):
    @shared_task(name="stored")
    def stored():
        return n

    assert AsyncResult("same-id").state == "PENDING"
    stored.apply_async(task_id="same-id")
    assert AsyncResult("same-id").result == n


@TWICE
def test_a_message(n, request):
    request.getfixturevalue("_celery_publishing_refused").undo()
    with Connection("memory://") as connection:
        queue = connection.SimpleQueue("letters")
        assert queue.qsize() == 0
        queue.put(n)
        queue.close()


@pytest.fixture
def celery_config():
    return {"broker_url": "memory://", "result_backend": "cache+memory://"}


@TWICE
def test_celerys_own_fixtures(n, celery_app, celery_worker):
    @celery_app.task
    def double(number):
        return 2 * number

    celery_worker.reload()
    assert double.delay(n).get(timeout=10) == 2 * n


@TWICE
def test_a_broker_of_another_app_is_refused(n, monkeypatch):
    monkeypatch.syspath_prepend(".")
    app = Celery("other", broker="redis://127.0.0.1:1/0")
    app.set_current()
    with pytest.raises(pytest.fail.Exception, match="published to the Celery broker"):
        app.send_task("nothing")


def own_handlers():
    """But for pytest's, which come and go with each phase of a test."""
    return [one for one in logging.getLogger().handlers if not type(one).__module__.startswith("_pytest")]


@pytest.fixture
def handlers_before(request):
    now = own_handlers()
    assert request.config.stash.setdefault(HANDLERS, now) == now
    return now


@TWICE
def test_a_live_worker_leaves_log_handlers_alone(n, handlers_before, celery_live_worker):
    assert own_handlers() == handlers_before
    assert "CELERY_LOG_LEVEL" not in os.environ
