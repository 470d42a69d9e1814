"""Each toggle's resets, with planted leaks: green as generated, red when the reset is taken out."""

import re
import shutil

import pytest
import shapes
from shapes import COMBINATIONS

POLLUTERS = shapes.PAYLOADS / "polluters"
# What each toggle's plugin undoes: whole lines (indented), or the part of one.
RESETS = {
    "celery": [
        "    _celery_app.set_current()\n    _celery_app.set_default()",
        "        app.close()",
        "    _put_back(_celery_app.tasks, imported | tasks)",
        "imported | ",
        "    _put_back(_celery_app.conf.changes, changes)",
        "        signal.receivers = before",
        "    compat.celery_shared_tasks().intersection_update(shared_tasks)",
        "    compat.celery_memory_results().clear()",
        "    Channel.queues.clear()",
        '    import_module("celery.contrib.testing.tasks")',
        " or compat.celery_current_app() is not _celery_app",
        '    monkeypatch.setattr(_celery_app.log, "setup", lambda *args, **options: None)',
        '    monkeypatch.setattr(DjangoWorkerFixup, "django_setup", lambda self: None)',
    ],
    "channels": [
        "    channel_layers.backends.clear()",
        "        layer.channels.clear()",
        "        layer.groups.clear()",
        "    _kept_channel_layers.put_back()",
        '        request.getfixturevalue("redis_channel_layer")',
        "            await socket.disconnect(timeout=5)",
        ", self.future",
        "    await layer.flush()",
    ],
    "procrastinate": [
        "now | ",
        " | before",
        " if not _is_local(value)",
        "        registry.clear()",
        '        patch.setitem(app.periodic_defaults, "max_delay", -1)',
    ],
    "tasks": [
        '        import_module(f"{name}.signals").task_finished.connect(_raise_error, sender=backend)',
        'task_result.status == "FAILED" and ',
        "            backend.clear()",
    ],
}
# Django's own tasks are no toggle: a project uses them, with 5.2 by a backport, on a backend of production's.
TASKS = 'TASKS = {"default": {"BACKEND": "shop.tasks.InTheCloud", "QUEUES": ["mail"]}}\n'
BACKPORT = "django-tasks==0.12.0"


@pytest.fixture
def polluted(generate):
    """A function: a toggle and a version of Django -> a project with it on, and with its polluters."""

    def get(toggle: str, django_version: str = "5.2"):
        if toggle == "tasks":
            project = generate(django_version=django_version)
            with (project.package / "settings.py").open("a") as settings:
                settings.write(TASKS)
            if django_version == "5.2":
                pyproject = project.path / "pyproject.toml"
                pyproject.write_text(
                    pyproject.read_text().replace("dependencies = [", f'dependencies = ["{BACKPORT}",', 1)
                )
                project.venv = shapes.environment(project.path, "3.11")
        else:
            project = generate(django_version=django_version, **{f"use_{toggle}": True})
        shutil.copy(POLLUTERS / f"test_{toggle}.py", project.path / "tests" / "test_polluters.py")
        return project

    return get


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
@pytest.mark.parametrize("toggle", RESETS)
def test_nothing_leaks(polluted, toggle, django_version):
    project = polluted(toggle, django_version)

    for seed in ("1", "2", "3"):
        project.pytest("-q", "-p", "randomly", f"--randomly-seed={seed}", "tests/test_polluters.py")


@pytest.mark.parametrize(("toggle", "line"), [(toggle, line) for toggle in RESETS for line in RESETS[toggle]])
def test_each_reset_is_needed(polluted, toggle, line):
    project = polluted(toggle)
    path = project.package / "testing" / f"{toggle}.py"
    source = path.read_text()
    assert line in source
    indent = line[: -len(line.lstrip())]
    path.write_text(source.replace(line, f"{indent}pass" if len(indent) > 1 else ""))

    done = project.pytest("-q", "-p", "no:randomly", "tests/test_polluters.py", check=False)

    assert re.search(r"\d (failed|error)", done.stdout), done.stdout


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
def test_jobs_run_as_a_worker_runs_them(generate, django_version):
    project = generate(use_procrastinate=True, django_version=django_version)
    shutil.copy(shapes.PAYLOADS / "jobs" / "test_run_jobs.py", project.path / "tests")

    project.pytest("-q", "tests/test_run_jobs.py")


def test_what_goes_wrong_in_a_websocket_fails_the_test(generate):
    project = generate(use_channels=True)
    shutil.copy(POLLUTERS / "test_channels_failing.py", project.path / "tests" / "test_polluters.py")

    done = project.pytest("-q", "tests/test_polluters.py", check=False)

    assert "Websocket consumers failed in this test" in done.stdout
    assert "/ws/orders/ refused (1000)" in done.stdout
    assert "1 failed, 1 passed, 1 error" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "toggles"),
    [*enumerate(COMBINATIONS)],
    ids=["-".join(key[4:] for key in on if on[key]) or "none" for on in COMBINATIONS],
)
def test_every_combination_is_green(generate, number, toggles):
    """Those that differ in one toggle differ in Django and Python too, so each toggle meets both."""
    project = generate(**toggles, django_version=("5.2", "6.1")[number.bit_count() % 2])

    print(project.venv.name, project.pytest("-q").stdout.splitlines()[-1])


# A suite that reads its messages itself: its settings leave eager tasks off, with a broker in memory.
READS_MESSAGES = """
import pytest
from kombu.transport.memory import Channel

from acme_shop import celery_app


@pytest.mark.parametrize("twin", ["one", "other"])
def test_a_message(twin):
    assert not Channel.queues
    celery_app.send_task("acme_shop.orders.tasks.process_waiting_orders")
    (queue,) = [queue for queue in Channel.queues.values() if queue.qsize()]
    assert queue.qsize() == 1
"""
LAZY = "CELERY_TASK_ALWAYS_EAGER = False\n"
ELSEWHERE = 'CELERY_BROKER_URL = "redis://127.0.0.1:1/0"\n'


def test_messages_go_to_a_broker_in_memory_and_to_no_other(generate):
    """Where the settings leave eager tasks off. The messages end with the test."""
    project = generate(use_celery=True)
    extra, test = project.package / "extra_test_settings.py", project.path / "tests" / "test_messages.py"
    test.write_text(READS_MESSAGES)
    given = extra.read_text()
    outcomes = []

    for settings in (LAZY, LAZY + ELSEWHERE, ""):
        extra.write_text(given + settings)
        done = project.pytest("-q", "-p", "no:cacheprovider", "tests/test_messages.py", check=False)
        outcomes.append(
            (done.stdout.splitlines()[-1].split(" in ")[0], "published to the Celery" in done.stdout)
        )

    assert outcomes == [("2 passed", False), ("2 failed", True), ("2 failed", True)]
