"""What pytest and Django know about a project, asked from pytest itself: it knows every layout.

``of(folder)`` starts pytest with this module as a plugin, which writes the facts down once everything is
configured, and ends the process before a test is collected.
"""

import ast
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from . import configuration

TARGET = "HERMETIC_FACTS"
PACKAGES = ("hermetic-django", "django", "pytest", "pytest-django")
LINES = 12  # The end of a traceback says what is wrong.
SKIPPED = {"node_modules", "site-packages", "__pycache__", "build", "dist"}
MAKERS = {"setup_databases", "create_test_db"}


class Unknown(Exception):
    """pytest did not start; the message has the end of its output."""


def of(folder: Path, *options: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as temporary:
        target = Path(temporary, "facts.json")
        done = subprocess.run(
            # The project may make warnings errors, like the one that a line of adopt's prevents.
            [sys.executable, "-m", "pytest", "-p", __name__, "-W", "ignore", *options],
            cwd=folder,
            env={**os.environ, TARGET: str(target)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        if not target.exists():
            raise Unknown("\n".join(done.stdout.strip().splitlines()[-LINES:]))
        return json.loads(target.read_text())


def pytest_configure(config: Any) -> None:
    """As a plugin of that run. Without it, the module has no hook: the variable is what asks."""
    if target := os.environ.get(TARGET):
        config.pluginmanager.register(Writer(Path(target)), "hermetic-facts")


class Writer:
    def __init__(self, target: Path) -> None:
        self.target = target

    def pytest_sessionstart(self, session: Any) -> None:
        """By now each pytest_configure has run, also one that calls settings.configure()."""
        self.target.write_text(json.dumps(facts(session.config)))
        os._exit(0)  # Nothing is to be torn down: no worker, no database, no report.


def facts(config: Any) -> dict[str, Any]:
    root = config.rootpath
    found = {
        "root": str(root),
        "file": str(config.inipath or ""),
        # Else a conftest.py names the settings, later than any option could.
        "named": bool(config.getoption("ds", default=None) or ini(config, "DJANGO_SETTINGS_MODULE")),
        # Not by the ini options, which are known also without it.
        "plugin": config.getoption("isolation_report", default=None) is not None,
        "options": {
            name: bool(config.getoption(name, default=None)) for name in ("disable_socket", "allow_hosts")
        },
        "asyncio_mode": asyncio_mode(config),
        # pytest-asyncio warns in every run until it is set.
        "loop_scope": ini(config, "asyncio_default_fixture_loop_scope") or not ini(config, "asyncio_mode"),
        "versions": {name: installed(name) for name in PACKAGES},
        "settings": None,
        "conftests": [conftest for conftest in map(read, conftests(root)) if any(conftest.values())],
    }
    for name in ("isolation", "isolation_baseline", "isolation_addopts"):
        found[name] = ini(config, name)
    found["isolation"] = (found["isolation"] or "").strip("\"'")  # As the plugin reads it.
    from django.conf import settings

    if settings.configured:
        found["settings"] = of_settings(settings)
    return found


def ini(config: Any, name: str) -> Any:
    try:
        return config.getini(name)
    except (KeyError, ValueError):  # The plugin that has it is not loaded.
        return None


def asyncio_mode(config: Any) -> str | None:
    """What the project chose, or ``unset``; None without pytest-asyncio."""
    if (mode := ini(config, "asyncio_mode")) is None:
        return None
    chosen = config.getoption("asyncio_mode", default=None)
    written = config.inipath and "asyncio_mode" in configuration.read(config.inipath)
    return chosen or (mode if written else "unset")


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def conftests(root: Path) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(root):
        folders[:] = [one for one in folders if one not in SKIPPED and not one.startswith((".", "venv"))]
        if "conftest.py" in files:
            found.append(Path(folder, "conftest.py"))
    return found


def read(conftest: Path) -> dict[str, Any]:
    """Where a conftest.py configures or names settings, or its django_db_setup makes no test database."""
    found: dict[str, Any] = {"configures": None, "names": None, "database": None}
    text = conftest.read_bytes()
    if b"DJANGO_SETTINGS_MODULE" in text:
        found["names"] = str(conftest)
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return found
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "settings.configure":
            found["configures"] = f"{conftest}:{node.lineno}"
        elif isinstance(node, ast.FunctionDef) and node.name == "django_db_setup":
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            # Empty, or without the fixture that it overrides: the database of the settings is used.
            if not any(one.arg == "django_db_setup" for one in arguments) and not makes_database(node):
                found["database"] = f"{conftest}:{node.lineno}"
    return found


def makes_database(function: ast.FunctionDef) -> bool:
    """Whether it makes a test database by itself, or asks for the fixture that it overrides in its body."""
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            asked = [one.value for one in node.args if isinstance(one, ast.Constant)]
            if name in MAKERS or (name == "getfixturevalue" and "django_db_setup" in asked):
                return True
    return False


def of_settings(settings: Any) -> dict[str, Any]:
    module = sys.modules.get(getattr(settings, "SETTINGS_MODULE", None) or "")
    layers = getattr(settings, "CHANNEL_LAYERS", {})
    return {
        "module": module.__name__ if module else None,
        "file": getattr(module, "__file__", None),
        "is_class": bool(os.environ.get("DJANGO_CONFIGURATION")),
        "apps": [*settings.INSTALLED_APPS],
        "caches": backends(settings.CACHES, "django.core.cache.backends", "LocMemCache", "DummyCache"),
        "storages": storages(settings),
        "layers": backends(layers, "channels.layers", "InMemoryChannelLayer"),
        "hasher": settings.PASSWORD_HASHERS[0],
        "engines": {alias: one.get("ENGINE") for alias, one in settings.DATABASES.items()},
        "celery": celery(),
        "queued": queued(getattr(settings, "TASKS", {})),
        "runner": settings.TEST_RUNNER,
    }


def queued(tasks: dict[str, Any]) -> dict[str, str]:
    """The aliases whose tasks do not run in the caller: Django's, or those of its backport."""
    names = {alias: options.get("BACKEND", "") for alias, options in tasks.items()}
    return {
        alias: "django_tasks" if name.startswith("django_tasks") else "django.tasks"
        for alias, name in names.items()
        if not name.endswith(("ImmediateBackend", "DummyBackend"))
    }


def backends(settings: dict[str, Any], package: str, *harmless: str) -> dict[str, str]:
    """The aliases whose backend is none of these, nor derived from one, and its name."""
    from django.utils.module_loading import import_string

    modules = {"LocMemCache": ".locmem", "DummyCache": ".dummy"}
    found = {}
    for alias, options in settings.items():
        name = options.get("BACKEND", "")
        try:
            classes = tuple(import_string(f"{package}{modules.get(one, '')}.{one}") for one in harmless)
            if issubclass(import_string(name), classes):
                continue
        except ImportError:
            pass
        found[alias] = name
    return found


def storages(settings: Any) -> dict[str, str]:
    """The storage of uploaded files, by the setting that names it. Static files are not written by tests."""
    storage = getattr(settings, "STORAGES", {}).get("default", {}).get("BACKEND")
    old = getattr(settings, "DEFAULT_FILE_STORAGE", None)
    if old and settings.is_overridden("DEFAULT_FILE_STORAGE"):
        return {"DEFAULT_FILE_STORAGE": old}
    return {"STORAGES": storage} if storage else {}


def celery() -> dict[str, Any] | None:
    """How the project's app is configured; None when nothing imported Celery."""
    if "celery" not in sys.modules:
        return None
    app = sys.modules["celery"].current_app
    return {
        "namespace": getattr(app, "namespace", None),
        "eager": bool(app.conf.task_always_eager),
        "memory": str(app.conf.broker_url or "").startswith("memory:"),
        "results": str(app.conf.result_backend or ""),
    }
