"""What the layer adds to a run of one test, and what the private PostgreSQL costs: CPU seconds.

    .cache/tools/bin/python benchmarks/start.py [rounds]

The baseline is the same test in the same project, with pytest-django as the only plugin. PostgreSQL's
processes are nobody's children, so this program adopts them and waits for them (Linux only).
"""

import ctypes
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("support", "projects")]
import cpu  # noqa: E402
import peers  # noqa: E402
import roles  # noqa: E402
import shapes  # noqa: E402

TEST = """
import pytest
from tests.orders.factories import OrderFactory


@pytest.mark.django_db
def test_one():
    assert OrderFactory().pk
"""
PLAIN_INI = "[pytest]\nDJANGO_SETTINGS_MODULE = acme_shop.test_settings\n"
PLAIN = ["-c", "plain.ini", "--rootdir=.", "-p", "pytest_django.plugin", "--noconftest"]
PACKAGES = [*PLAIN, "-p", "pytest_asyncio.plugin", "-p", "pytest_socket", "-p", "pytest_randomly"]
PACKAGES += ["-W", "ignore::pytest.PytestDeprecationWarning"]
SOCKETS = ["--disable-socket", "--allow-unix-socket", "--allow-hosts=127.0.0.1"]
ONE = "bench/test_one.py"
CONNECT = """
import django
django.setup()
from django.db import connection
with connection.creation._nodb_cursor() as cursor:
    cursor.execute("SELECT 1")
"""
PR_SET_CHILD_SUBREAPER = 36


def main(rounds: int) -> None:
    cpu.keep_to_one_processor()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory() as folder:
        sqlite = with_test(peers.generated(Path(folder), "3.13"))
        private = with_test(peers.generated(Path(folder), "3.13", database="postgresql"))
        server = shapes.Project(private.path, private.venv)
        with roles.role(server, "CREATEDB"):
            own = ["-p", f"{sqlite.package.name}.testing.plugin", *SOCKETS]
            alone = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": "."}
            settings = {"DJANGO_SETTINGS_MODULE": f"{sqlite.package.name}.test_settings"}
            variants: dict[str, Callable[[], object]] = {
                "pytest-django alone": lambda: sqlite.pytest(*PLAIN, ONE, **alone),
                "with the layer and its packages": lambda: sqlite.pytest(*PACKAGES, *own, ONE, **alone),
                "with every plugin of a new project": lambda: sqlite.pytest(ONE),
                "a query on another server": lambda: server.run("python", "-c", CONNECT, **settings),
                "a query on the private server": lambda: private.run("python", "-c", CONNECT, **settings),
            }
            found: dict[str, list[float]] = {name: [] for name in variants}
            for turn in range(rounds + 1):
                for name, run in variants.items():
                    seconds = of_all(run)
                    if turn:  # The first compiles modules and makes databases.
                        found[name].append(seconds)
    for name, values in found.items():
        print(f"  {name:36} {statistics.median(values):.3f} s ({min(values):.3f} to {max(values):.3f})")
    for one, other, what in (
        ("with the layer and its packages", "pytest-django alone", "the layer and its packages"),
        ("a query on the private server", "a query on another server", "start, stop and guard of the server"),
    ):
        more = [a - b for a, b in zip(found[one], found[other], strict=True)]
        print(f"  {what}: +{statistics.median(more):.3f} s; {rounds} rounds")


def with_test(project: shapes.Project) -> shapes.Project:
    (project.path / "bench").mkdir()
    (project.path / "bench" / "__init__.py").touch()
    (project.path / ONE).write_text(TEST)
    (project.path / "plain.ini").write_text(PLAIN_INI)
    return project


def of_all(run: Callable[[], object]) -> float:
    """Seconds of a command and of every process that it left, once those have ended."""
    before = cpu.of_children()
    run()
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return cpu.of_children() - before


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 10)
