"""The pytest plugin: options, markers, and the modules that it brings, top to bottom.

* **Blocked**: what would escape raises on its own line: the network beyond loopback (network.py, with
  pytest-socket), and queries outside the test's transaction (database/rollback.py).
* **Reset silently**: what production code leaves in a process, and may (resets.py).
* **Reverted and reported**: what only a test can have changed (probes/).

Load it with ``-p``, before any conftest.py. A part of it is switched off by its name:
``-p no:hermetic-rollback``.
"""

import sys
from collections.abc import Generator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

from . import clients, compat, tasks
from .baseline import Baseline
from .database import rollback, seeds
from .database.development import DevelopmentDatabases
from .database.restore import RestoredDatabases
from .database.reused import ReusedDatabases
from .database.templates import TemplateDatabases
from .guard import Guard
from .outside import outside
from .report import Report

MODES = ("fail", "warn", "off")
PARTS = {"clients": clients, "rollback": rollback, "seeds": seeds, "tasks": tasks}
# Whether the project uses it. The module is there when the project's toggle is on.
TOGGLES = {
    "celery": lambda: "celery" in sys.modules,
    "channels": lambda: apps.is_installed("channels"),
    "procrastinate": lambda: apps.is_installed("procrastinate.contrib.django"),
    "valkey": lambda: True,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("isolation", "isolation: tests that leak")
    group.addoption(
        "--isolation",
        choices=MODES,
        help="a test that leaks fails (default); warn lists leaks at the end; off looks for none",
    )
    group.addoption(
        "--isolation-report",
        action="store_true",
        help="count at the end what was reset silently, reported and blocked",
    )
    group.addoption(
        "--isolation-baseline", metavar="FILE", help="tolerate the leaks that FILE lists"
    )
    group.addoption(
        "--isolation-baseline-update",
        action="store_true",
        help="write this run's leaks into a new baseline, or remove mended ones from the old one",
    )
    parser.addini("isolation", "as --isolation: fail (default), warn or off", default="fail")
    parser.addini(
        "isolation_keep", "leaks that may outlive tests, fnmatch patterns of names", type="linelist"
    )
    parser.addini("isolation_baseline", "file of known leaks; once it exists, new leaks fail")
    parser.addini(
        "isolation_addopts", "options of pytest, added after addopts", type="args", default=[]
    )


@pytest.hookimpl(wrapper=True)  # Before pytest-django reads its options.
def pytest_load_initial_conftests(
    early_config: pytest.Config, args: list[str]
) -> Generator[None, Any, Any]:
    """Add isolation_addopts where addopts ends, which pytest has put before all other options."""
    end = len(early_config.getini("addopts"))
    args[end:end] = early_config.getini("isolation_addopts")
    templates = TemplateDatabases(early_config)
    if early_config.pluginmanager.register(templates, "hermetic-templates"):
        templates.recorder.start()  # Before the project is imported.
    return (yield)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "leaks(*patterns): tolerate leaks of these names (fnmatch) in this test; they are reverted",
    )
    mode = config.getoption("--isolation") or config.getini("isolation").strip("\"'")
    if mode not in MODES:
        raise pytest.UsageError(f"The ini option isolation is {mode!r}: make it fail, warn or off.")
    register, report = config.pluginmanager.register, Report(config)
    for name, part in PARTS.items():
        register(part, f"hermetic-{name}")
    if config.getoption("setupplan", default=False):  # No fixture is set up, and no test runs.
        config.pluginmanager.unregister(rollback)
        return
    try:
        compat.transaction_fixture()
    except compat.Renamed as error:
        report.off[f"rollback: {error}"] += 1
        config.pluginmanager.unregister(rollback)
    register(DevelopmentDatabases(config), "hermetic-development")
    register(RestoredDatabases(), "hermetic-restore")
    if config.getoption("reuse_db", default=False):
        register(ReusedDatabases(config), "hermetic-reused")
    register(report, "hermetic-report")
    if mode != "off":
        baseline = Baseline(config)
        if baseline.update and not baseline.exists:
            mode = "warn"
        elif baseline.exists and not config.getoption("--isolation"):
            mode = "fail"
        register(baseline, "hermetic-baseline")
        register(Guard(config, mode, baseline), "hermetic-guard")
    elif config.getoption("--isolation-baseline-update"):
        raise pytest.UsageError(
            "--isolation-baseline-update needs the guard, which isolation=off switches off."
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What the command line or the settings switched off, so that no run lacks a part unnoticed."""
    names = [f"hermetic-{name}" for name in (*PARTS, *TOGGLES, "development", "guard", "report")]
    off = [name for name in names if config.pluginmanager.is_blocked(name)]
    lines = [f"isolation: -p no: switched off {', '.join(off)}, so tests may leak"] if off else []
    reached = [*outside()] if settings.configured else []
    if reached:
        lines.append(
            f"isolation: {settings.SETTINGS_MODULE} lets tests reach outside by {', '.join(reached)}"
        )
    return lines


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Django is set up by now, so it is known which toggles the project uses."""
    if not settings.configured:
        return
    for database in settings.DATABASES.values():
        if database.get("DURABLE") is False and hasattr(session.config, "workerinput"):
            # The workers of one pytest-xdist run share its private PostgreSQL.
            database["RUN"] = session.config.workerinput["testrunuid"]
    for name, is_used in TOGGLES.items():
        if find_spec(f"{__package__}.{name}") and apps.ready and is_used():
            module = import_module(f"{__package__}.{name}")
            session.config.pluginmanager.register(module, f"hermetic-{name}")
