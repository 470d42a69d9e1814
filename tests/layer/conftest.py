"""The layer tested as a library, without a template or a project: each run is a forked pytest."""

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

SETTINGS = """
SECRET_KEY = "tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {"debug": False, "api_key": "k", "loaders": []},
    }
]
ROOT_URLCONF = "urls"
USE_TZ = True
API_TOKEN = "s3cret"
PAGE_SIZE = 20
"""
INI = """
[pytest]
addopts = --ds=settings -p hermetic.plugin --disable-socket --allow-unix-socket --allow-hosts=127.0.0.1,::1
    -p no:cacheprovider -p no:xdist -p no:timeout
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings =
    error
    ignore::pytest.PytestAssertRewriteWarning
    ignore:unclosed database in <sqlite3:ResourceWarning
    ignore:A test tried to use socket:UserWarning
"""
# Production code with each kind of state that tests spoil.
SHOP = (Path(__file__).parents[1] / "payloads" / "faults" / "shop.py").read_text()
HEAD = """
import asyncio, gc, logging, os, signal, socket, subprocess, sys, threading, time, warnings
from pathlib import Path
from unittest import mock

import pytest
import shop
from django.conf import settings
from django.test import override_settings
"""
TEARDOWN = re.compile(r"^_+ ERROR at teardown of test_polluter _+\n(.*?)^[_=]{4}", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="session")
def zygote():
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTEST_"))}
    process = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("zygote.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean | {"COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    yield process
    process.communicate()


@pytest.fixture
def project(pytester):
    """The folder of the inner run, with settings, configuration and shop.py; ``makepyfile`` adds tests."""
    pytester.makepyfile(settings=SETTINGS, urls="urlpatterns = []", shop=SHOP)
    pytester.makeini(INI)
    return pytester


@pytest.fixture
def run(project, zygote):
    """A function: options -> the pytest.RunResult of an inner run in ``project``."""

    def get(*options: str) -> pytest.RunResult:
        output = project.path / "output"
        output.unlink(missing_ok=True)
        arguments = [f"--basetemp={project.path / 'basetemp'}", *options]
        zygote.stdin.write(json.dumps([str(project.path), arguments, str(output)]) + "\n")
        zygote.stdin.flush()
        code = int(zygote.stdout.readline())
        return pytest.RunResult(code, output.read_text().splitlines(), [], 0)

    return get


@pytest.fixture
def leaks(project, run):
    """A function: the code of a polluter -> the lines in which the guard names what it left.

    ``victim``: an expression that has to hold in the next test. ``head``: code at the top of the module.
    ``fixtures``: what the polluter asks for. ``files``: more files of the project.
    """

    def get(
        polluter: str,
        victim: str = "True",
        *,
        head: str = "",
        fixtures: str = "",
        marks: str = "",
        files: dict | None = None,
        options: tuple = (),
    ) -> list[str]:
        function = "async def" if "await " in polluter else "def"
        project.makepyfile(
            **(files or {}),
            test_it=f"{HEAD}\n{textwrap.dedent(head)}\n\n{marks}\n"
            f"{function} test_polluter({fixtures}):\n{textwrap.indent(textwrap.dedent(polluter), '    ')}\n\n"
            f"def test_victim():\n    assert {victim}\n",
        )
        result = run(*options)
        text = str(result.stdout) + "\n____\n"
        found = TEARDOWN.search(text)
        lines = found[1].strip().splitlines() if found else []
        outcomes = result.parseoutcomes()
        assert outcomes == {"passed": 2, **({"errors": 1} if found else {})}, text
        if len(lines) > 1:
            assert lines[0].startswith(f"{len(lines) - 1} leaks: ")
            return [line.strip() for line in lines[1:]]
        return [line.removeprefix("1 leak: ") for line in lines]

    return get
