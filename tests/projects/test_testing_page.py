"""Every code block of a project's TESTING.md, executed: tests, settings, commands, and what they print."""

import re
import subprocess

import leak
import pytest
import shapes

NOT_HERE = {"DATABASE_URL=": "needs a server: test_services.py"}
# What stands above a test in a module.
HEAD = """
from types import SimpleNamespace

import pytest
from acme_shop.orders.models import Order
from tests.orders.factories import OrderFactory
from tests.users.factories import UserFactory

URL = "/api/orders/"
"""
PROCRASTINATE = """
from procrastinate.contrib.django import app, procrastinate_app
from procrastinate.contrib.django.models import ProcrastinateJob
from procrastinate.testing import InMemoryConnector

@app.task(queue="default")
def my_task(number):
    pass

@pytest.mark.django_db
def test_tasks_know_their_app(monkeypatch):
    in_memory = app.with_connector(InMemoryConnector())
    monkeypatch.setattr(procrastinate_app, "current_app", in_memory)
    my_task.defer(number=1)
    assert not in_memory.connector.jobs
    assert ProcrastinateJob.objects.filter(task_name=my_task.name).count() == 1
"""
ADRF = """
from adrf.routers import SimpleRouter
from adrf.viewsets import ViewSet

class Unrouted(ViewSet):
    async def list(self, request): ...
    async def retrieve(self, request, pk): ...

class Routed(ViewSet):
    async def alist(self, request): ...
    async def aretrieve(self, request, pk): ...

def test_what_is_routed():
    for views, number in (Unrouted, 0), (Routed, 2):
        router = SimpleRouter()
        router.register("things", views, basename="thing")
        assert len(router.urls) == number
"""
# The guard does not watch it, as the page says. In the order of the page's seed, test_f comes first.
POLLUTER = """
import gc

def test_b():
    assert gc.get_threshold()[0] != 1234

def test_f():
    gc.set_threshold(1234)
"""


def blocks(page):
    """The contents of the fences by their language, and the indented blocks as 'text'."""
    found = [(language, text) for language, text in re.findall(r"```(\w+)\n(.+?)```", page, re.DOTALL)]
    indented = re.findall(r"(?:^    .*\n)+", re.sub(r"```.+?```", "", page, flags=re.DOTALL), re.MULTILINE)
    return found + [("text", re.sub("(?m)^    ", "", block)) for block in indented]


@pytest.mark.parametrize("shape", ["default", "everything"])
def test_every_block_runs(generate, shape):
    project = generate(**shapes.catalogue()[shape])
    page = (project.path / "TESTING.md").read_text()
    tests = []
    for language, text in blocks(page):
        if language == "python":
            more = (PROCRASTINATE if "my_task" in text else "") + (ADRF if "my_api" in text else "")
            tests.append(project.path / "tests" / f"test_block_{len(tests)}.py")
            tests[-1].write_text(HEAD + more + text)
        elif language == "toml":
            configuration = project.path / "pyproject.toml"
            configuration.write_text(configuration.read_text().replace("[tool.pytest]\n", text))
        elif text.startswith("ERROR"):
            check_the_leaks(project, text)
        elif "pollution" not in text:
            run(project, text, PYTEST_ADDOPTS="tests/test_smoke.py")

    done = project.pytest("-q", *map(str, tests))

    passed = re.search(r"(\d+) passed", done.stdout)
    assert int(passed[1]) >= len(tests) == page.count("```python")


def run(project, commands, **environ):
    lines = [line for line in commands.splitlines() if not line.startswith(tuple(NOT_HERE))]
    env = project.environ(UV_PROJECT_ENVIRONMENT=str(project.venv), UV_NO_SYNC="1", **environ)
    done = subprocess.run(
        ["bash", "-c", "set -e\n" + "\n".join(lines)],
        cwd=project.path,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def check_the_leaks(project, text):
    (project.path / "tests" / "test_discount.py").write_text(leak.TEST)
    printed = project.pytest("tests/test_discount.py", check=False).stdout
    assert all(line in printed for line in text.splitlines()), printed
    (project.path / "tests" / "test_discount.py").unlink()


def test_the_polluter_command_finds_the_polluter(generate):
    project = generate(include_sample=False)
    page = (project.path / "TESTING.md").read_text()
    (command,) = (text for _, text in blocks(page) if "pollution" in text)
    (project.path / "tests" / "test_a.py").write_text(POLLUTER)

    printed = run(project, command)

    assert "tests/test_a.py::test_f" in printed, printed


def test_the_picture_of_a_leak_is_a_run(generate):
    assert leak.PICTURE.read_text() == leak.picture(generate()), "run `make pictures`"


def test_pytest_describes_every_fixture_of_the_layer(generate):
    printed = generate(**shapes.catalogue()["everything"]).pytest("--fixtures").stdout

    described = re.findall(r"^(\w+)(?: \[.+\])? -- acme_shop/\S+\n +(.+)", printed, re.MULTILINE)
    assert (
        "sample_users",
        "Users for the modules whose tests request them: `staff` and `customer`.",
    ) in described
    assert "ws_connect" in dict(described)
    assert not [name for name, text in described if text == "no docstring available"]
