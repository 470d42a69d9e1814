"""Each test leaves something behind in Procrastinate, and its twin looks for it: any order must pass."""

import asyncio
import logging

import pytest
from procrastinate.contrib.django import app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.testing import InMemoryConnector

TWICE = pytest.mark.parametrize("n", range(2))


@TWICE
def test_a_task_of_the_same_name(n, in_memory_app, run_jobs, caplog):
    caplog.set_level("INFO", "procrastinate")
    assert "local" not in app.tasks

    @app.task(name="local")
    def local():
        return f"made by {n}"

    local.defer()
    run_jobs()
    assert f"made by {n}" in caplog.text


@TWICE
def test_a_task_of_a_module_that_a_test_imports_first(n, in_memory_app, tmp_path, monkeypatch):
    (tmp_path / "lazy_jobs.py").write_text(
        "from procrastinate.contrib.django import app\n\n@app.task\ndef lazy(): return 1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from lazy_jobs import lazy

    assert app.tasks["lazy_jobs.lazy"] is lazy


@TWICE
def test_a_periodic_task(n):
    @app.periodic(cron="* * * * *")
    @app.task(name="tick")
    def tick(timestamp): ...


@TWICE
def test_the_clock_adds_no_job(n, in_memory_app, run_jobs):
    run_jobs()
    assert in_memory_app.connector.jobs == {}


@TWICE
def test_a_job_in_memory(n, in_memory_app):
    assert in_memory_app.connector.jobs == {}
    app.configure_task("anything").defer()


@TWICE
def test_another_connector(n, request):
    assert not isinstance(app.connector, InMemoryConnector)
    request.getfixturevalue("in_memory_app")


@TWICE
@pytest.mark.django_db
def test_a_job_in_the_transaction(n):
    assert not ProcrastinateJob.objects.exists()
    app.configure_task("anything").defer()


@TWICE
@pytest.mark.django_db(transaction=True)
def test_a_committed_job(n):
    assert not ProcrastinateJob.objects.exists()
    app.configure_task("anything").defer()


@TWICE
async def test_a_committed_job_of_an_async_test(n, transactional_db, procrastinate_worker):
    assert not await ProcrastinateJob.objects.aexists()
    await app.configure_task("builtin:procrastinate.builtin_tasks.remove_old_jobs").defer_async(max_hours=1)
    await asyncio.to_thread(procrastinate_worker)
    assert (await ProcrastinateJob.objects.aget()).status == "succeeded"


@TWICE
def test_a_worker_leaves_logging_alone(n, procrastinate_worker, caplog):
    procrastinate_worker()
    logging.getLogger("shop").warning("hello")
    assert "hello" in caplog.text


@TWICE
@pytest.mark.django_db
def test_writable_models(n, request):
    from procrastinate.contrib.django.exceptions import ReadOnlyModel

    with pytest.raises(ReadOnlyModel):
        ProcrastinateJob.objects.create(task_name="x")
    request.getfixturevalue("writable_procrastinate_models")


@TWICE
def test_patched_threads(n, in_memory_app, run_jobs):
    import procrastinate.utils

    assert procrastinate.utils.sync_to_async.__module__ == "procrastinate.utils"
    run_jobs()


@TWICE
def test_a_task_that_is_taken_away(n):
    del app.tasks["builtin:procrastinate.builtin_tasks.remove_old_jobs"]
