"""Django's own tasks: an error reaches the test that enqueued the task; a result ends with its test."""

from importlib import import_module

import django
import pytest
from django.conf import settings
from django.test import override_settings

NAME = "django.tasks" if django.VERSION >= (6, 0) else "django_tasks"
TWICE = pytest.mark.parametrize("n", range(2))
tasks = import_module(NAME)


@tasks.task(queue_name="mail")
def divide(x):
    return 1 / x


@tasks.task(queue_name="mail")
async def divide_async(x):
    return 1 / x


@pytest.fixture(scope="module", autouse=True)
def stored():
    """A backend beside the project's that only stores what was enqueued."""
    backend = {"BACKEND": f"{NAME}.backends.dummy.DummyBackend", "QUEUES": []}
    with override_settings(TASKS={**settings.TASKS, "stored": backend}):
        yield


@pytest.fixture
def results():
    return tasks.task_backends["stored"].results


@pytest.mark.parametrize("task", [divide, divide_async])
def test_an_error_reaches_the_test(task):
    with pytest.raises(ZeroDivisionError):
        task.enqueue(0)


@pytest.mark.parametrize("task", [divide, divide_async])
async def test_an_error_reaches_an_async_test(task):
    with pytest.raises(ZeroDivisionError):
        await task.aenqueue(0)


def test_a_task_that_succeeds_while_an_error_is_handled():
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        assert divide.enqueue(1).return_value == 1


@TWICE
def test_a_result(n, results):
    assert results == []
    divide.using(backend="stored").enqueue(1)
    assert len(results) == 1


@TWICE
async def test_a_result_of_an_async_test(n, results):
    assert results == []
    await divide.using(backend="stored").aenqueue(1)
    assert len(results) == 1


def test_what_is_enqueued(settings):
    settings.TASKS = {"default": {"BACKEND": f"{NAME}.backends.dummy.DummyBackend", "QUEUES": []}}

    divide.enqueue(0)

    assert [result.task for result in tasks.default_task_backend.results] == [divide]
    assert divide.call(1) == 1
