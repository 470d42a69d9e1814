"""Each toggle's resets, with planted leaks: green as generated, red when the reset is taken out."""

import shutil
from pathlib import Path

import pytest

POLLUTERS = Path(__file__).parent / "polluters"


def add_polluters(project, toggle: str) -> str:
    shutil.copy(POLLUTERS / f"test_{toggle}.py", project.path / "tests" / "test_polluters.py")
    return "tests/test_polluters.py"


def take_out(project, module: str, line: str) -> None:
    path = project.package / "testing" / module
    source = path.read_text()
    assert line in source
    path.write_text(source.replace(line, line[: -len(line.lstrip())] + "pass" if line[0] == " " else ""))


def run_in_three_orders(project, module: str) -> None:
    for seed in ("1", "2", "3"):
        project.pytest("-q", "-p", "randomly", f"--randomly-seed={seed}", module)


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
@pytest.mark.parametrize("toggle", ["celery", "channels"])
def test_nothing_leaks(generate, toggle, django_version):
    project = generate(django_version=django_version, **{f"use_{toggle}": True})

    run_in_three_orders(project, add_polluters(project, toggle))


@pytest.mark.parametrize(
    "line",
    [
        "    celery_app.set_current()\n    celery_app.set_default()",
        "        app.close()",
        "    _put_back(celery_app.tasks, imported | tasks)",
        "imported | ",
        "    _put_back(celery_app.conf.changes, changes)",
        "        signal.receivers = before",
        "    _state._on_app_finalizers &= shared_tasks",
        "    _DUMMY_CLIENT_CACHE.clear()",
        "    Channel.queues.clear()",
        "        _logging_put_back(),",
    ],
)
def test_each_reset_of_celery_is_needed(generate, line):
    project = generate(use_celery=True)
    module = add_polluters(project, "celery")
    take_out(project, "celery.py", line)

    assert "failed" in project.pytest("-q", "-p", "no:randomly", module, check=False).stdout


@pytest.mark.parametrize(
    "line",
    [
        "    channel_layers.backends.clear()",
        "            await socket.disconnect(timeout=5)",
        ", self.future",
        "    await layer.flush()",
    ],
)
def test_each_reset_of_channels_is_needed(generate, line):
    project = generate(use_channels=True)
    module = add_polluters(project, "channels")
    take_out(project, "channels.py", line)

    done = project.pytest("-q", "-p", "no:randomly", module, check=False)

    assert "failed" in done.stdout or "error" in done.stdout


def test_what_goes_wrong_in_a_websocket_fails_the_test(generate):
    project = generate(use_channels=True)
    module = add_polluters(project, "channels_failing")

    done = project.pytest("-q", module, check=False)

    assert "Websocket consumers failed in this test" in done.stdout
    assert "/ws/orders/ refused (1000)" in done.stdout
    assert "1 failed, 1 passed, 1 error" in done.stdout


@pytest.mark.parametrize("django_version", ["5.2", "6.1"])
def test_nothing_leaks_through_procrastinate(generate, django_version):
    project = generate(use_procrastinate=True, django_version=django_version)

    run_in_three_orders(project, add_polluters(project, "procrastinate"))


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("        registry.update(now | before)", "        registry.update(now)"),
        ("now | before", "before"),
        ('        patch.setitem(app.periodic_defaults, "max_delay", -1)', "        pass"),
        ("        model._meta.managed = True", "        pass"),
        ("        registry.clear()\n", ""),
        ("if not _is_local(value)", ""),
    ],
)
def test_each_reset_of_procrastinate_is_needed(generate, line, instead):
    project = generate(use_procrastinate=True)
    module = add_polluters(project, "procrastinate")
    path = project.package / "testing" / "procrastinate.py"
    source = path.read_text()
    assert line in source
    path.write_text(source.replace(line, instead))

    assert "failed" in project.pytest("-q", "-p", "no:randomly", module, check=False).stdout
