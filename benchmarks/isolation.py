"""What the isolation guard costs: CPU with it over CPU without, in turn, in one run.

    .cache/tools/bin/python benchmarks/isolation.py [rounds]

In a generated project (SQLite): 1000 empty tests, 500 database tests; and the empty ones again with 400 more
modules, once of a library, since the cost of a test must not grow with what is imported, and once of the
project's own, whose names are compared after each test.
Two ratios each: of whole runs, start-up included, which is what a user waits for; and of a test alone, from
the second one on. The median of the rounds' ratios counts. One pair of runs shows the memory that 4000 more
tests take.
"""

import re
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import cpu
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
# For Linux.
MANY = """
import resource
from pathlib import Path

import pytest

@pytest.mark.parametrize("n", range(1, 5001))
def test_many(n):
    if n in (1000, 5000):
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        print("MEMORY", pages * resource.getpagesize() // 1024)
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
    "addopts=--ds=acme_shop.test_settings -p acme_shop.testing.plugin",
]


class Seconds(NamedTuple):
    """CPU of a run, and of one of its tests."""

    run: float
    test: float


def main(rounds: int) -> None:
    cpu.keep_to_one_processor()
    with tempfile.TemporaryDirectory() as folder:
        project = prepare(Path(folder))
        bench = project.path / "tests" / "bench"
        measure(project, "1000 empty tests", "test_empty", rounds)
        measure(project, "500 database tests", "test_database", rounds)
        grow(project, bench)
        library = Path(folder, "library")
        (library / "parts").mkdir(parents=True)
        (library / "library.py").write_text("import parts\n")
        (library / "parts" / "__init__.py").write_text(modules(library / "parts"))
        project.env["PYTHONPATH"] = str(library)
        (bench / "test_empty.py").write_text(f"import library\n{EMPTY}")
        measure(project, "1000 empty tests, library of 400 modules", "test_empty", rounds)
        (bench / "test_empty.py").write_text(modules(bench) + EMPTY)
        measure(project, "1000 empty tests, 400 more modules", "test_empty", rounds)


def prepare(folder: Path, packages: Sequence[str] = ()) -> shapes.Project:
    """A default project with test_empty.py and test_database.py in tests/bench."""
    template = shapes.copy_template(folder / "template")
    path = shapes.render(template, folder / "project", {})
    cpu.add_packages(path, packages)
    bench = path / "tests" / "bench"
    bench.mkdir()
    (bench / "__init__.py").write_text('"""Suites of the benchmark."""\n')
    (bench / "conftest.py").write_text(cpu.CONFTEST)
    (bench / "test_empty.py").write_text(EMPTY)
    (bench / "test_database.py").write_text(DATABASE)
    return shapes.Project(path, shapes.environment(path, "3.11"))


def modules(package: Path) -> str:
    """Write 400 modules, and return the lines that import them."""
    for number in range(400):
        (package / f"module_{number}.py").write_text(MODULE)
    return "".join(f"from . import module_{number}\n" for number in range(400))


def measure(project: shapes.Project, title: str, name: str, rounds: int) -> None:
    run(project, name, [])  # It compiles the modules.
    pairs = [(run(project, name, []), run(project, name, OFF)) for _ in range(rounds)]
    whole = statistics.median(on.run / off.run for on, off in pairs)
    alone = statistics.median(on.test / off.test for on, off in pairs)
    added = statistics.median(on.test - off.test for on, off in pairs)
    print(
        f"{title:40} the run {whole:.2f} times, a test alone {alone:.2f} times, "
        f"{added * 1e6:+.0f} microseconds; {rounds} rounds",
        flush=True,
    )


def grow(project: shapes.Project, bench: Path) -> None:
    """Memory between two tests of a long run, read in these alone, so that no measured test pays for it."""
    (bench / "test_many.py").write_text(MANY)
    grown = []
    for options in ([], OFF):
        first, last = re.findall(r"MEMORY (\d+)", output(project, "test_many", ["-s", *options]))
        grown.append(int(last) - int(first))
    print(
        f"{'from test 1000 to test 5000':40} {grown[0]} KiB with the guard, {grown[1]} KiB without",
        flush=True,
    )


def run(project: shapes.Project, name: str, options: list[str]) -> Seconds:
    before = cpu.of_children()
    shown = output(project, name, options)
    return Seconds(cpu.of_children() - before, cpu.of_a_test(shown))


def output(project: shapes.Project, name: str, options: list[str]) -> str:
    command = ["pytest", "-q", "-p", "no:randomly", f"tests/bench/{name}.py", *options]
    done = project.run(*command, check=False)
    if done.returncode:
        sys.exit(done.stdout)
    return done.stdout


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 9)
