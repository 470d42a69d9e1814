"""What the isolation guard costs: CPU of a run with it over the same run without, in pairs, in one run.

    .cache/tools/bin/python benchmarks/isolation.py [pairs]

Three suites in a generated project (SQLite): 1000 empty tests, 500 database tests, and the empty ones
again in a project of 400 more modules, since the cost of a test must not grow with what is imported.
Each run's start-up (the same suite with every test deselected) is taken off. Of the runs, the least
counts: what else the machine does only adds.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
import shapes

EMPTY = """
import pytest

@pytest.mark.parametrize("n", range(1000))
def test_empty(n):
    pass
"""
DATABASE = """
import pytest
from tests.orders.factories import OrderFactory

@pytest.mark.django_db
@pytest.mark.parametrize("n", range(500))
def test_database(n):
    assert OrderFactory().pk
"""
MODULE = """
import json, uuid

TABLE = {'a': [1]}

class Thing:
    handlers = []

    def call(self):
        pass
"""
# Without the guard, and without what it stands on.
OFF = [
    "--isolation=off",
    "-p",
    "no:socket",
    "-o",
    "addopts=--ds=acme_shop.test_settings -p acme_shop.testing",
]


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = shapes.copy_template(Path(folder, "template"))
        path = shapes.render(template, Path(folder, "project"), {})
        project = shapes.Project(path, shapes.environment(path, "3.11"))
        bench = path / "tests" / "bench"
        bench.mkdir()
        (bench / "__init__.py").write_text('"""Suites of the benchmark."""\n')
        (bench / "test_empty.py").write_text(EMPTY)
        (bench / "test_database.py").write_text(DATABASE)
        measure(project, "1000 empty tests", "test_empty", 1000, pairs)
        measure(project, "500 database tests", "test_database", 500, pairs)
        for number in range(400):
            (bench / f"module_{number}.py").write_text(MODULE)
        imports = "".join(f"from . import module_{number}\n" for number in range(400))
        (bench / "test_empty.py").write_text(imports + EMPTY)
        measure(project, "1000 empty tests, 400 more modules", "test_empty", 1000, pairs)


def measure(project: shapes.Project, title: str, name: str, tests: int, pairs: int) -> None:
    pairs_of_runs = [(run(project, name, []), run(project, name, OFF)) for _ in range(pairs)]
    on, off = map(min, zip(*pairs_of_runs, strict=True))
    print(
        f"{title:36} on {on:.2f} s CPU, off {off:.2f} s: {on / off:.2f} times, "
        f"{(on - off) / tests * 1e6:+.0f} microseconds a test",
        flush=True,
    )


def run(project: shapes.Project, name: str, options: list[str]) -> float:
    whole = cpu(project, name, options)
    return whole - cpu(project, name, [*options, "-k", "nothing_is_named_so"])


def cpu(project: shapes.Project, name: str, options: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["pytest", "-q", "-p", "no:randomly", f"tests/bench/{name}.py", *options]
    done = subprocess.run(command, cwd=project.path, env=project.environ(), capture_output=True, text=True)
    if done.returncode not in (0, 5):
        sys.exit(done.stdout)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
