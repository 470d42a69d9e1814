"""Django's own tasks (django.tasks, or the backport django-tasks) in tests: errors reach the test.

test_settings.py makes them run in the caller, by a backend that keeps an error in the task's result,
where nobody looks: here it is raised. Results that a DummyBackend stored end with the test.
"""

import sys
from collections.abc import Generator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

NAMES = [name for name in ("django.tasks", "django_tasks") if find_spec(name)]


@pytest.fixture(scope="session", autouse=True)
def _task_errors_are_raised() -> None:
    for name in NAMES:
        backend = import_module(f"{name}.backends.immediate").ImmediateBackend
        import_module(f"{name}.signals").task_finished.connect(_raise_error, sender=backend)


def _raise_error(task_result: Any, **options: Any) -> None:
    """Raise the task's error again: the backend sends this signal while it handles that error."""
    if task_result.status == "FAILED" and (error := sys.exception()):
        raise error


@pytest.fixture(autouse=True)
def _task_results_are_cleared() -> Generator[None]:
    yield
    for name in NAMES:
        clear_results(import_module(name))


def clear_results(tasks: Any) -> None:
    """Forget what the backends of this package keep in memory; before 0.9, django-tasks called them ``tasks``."""
    backends = getattr(tasks, "task_backends", None) or tasks.tasks
    for backend in backends.all(initialized_only=True):
        if hasattr(backend, "clear"):
            backend.clear()
