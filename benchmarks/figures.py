"""Every published figure, measured again: medians and spread, as JSON and as pictures.

    .cache/tools/bin/python benchmarks/figures.py [--quick] [--to docs/figures] [measures]

Each round of a measure runs all its variants in turn, other tools too. CPU on one processor, not time.
A measure that is run alone replaces its figures in figures.json. `--quick` takes fewer rounds and sizes.
`--cookiecutter-django FOLDER` names a checkout of that template, which no package index has.
"""

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests" / folder) for folder in ("support", "projects")]
import async_db  # noqa: E402
import copying  # noqa: E402
import cpu  # noqa: E402
import database  # noqa: E402
import ecosystem  # noqa: E402
import isolation  # noqa: E402
import peers  # noqa: E402
import pictures  # noqa: E402

Variants = dict[str, Callable[[], float]]
OFF = isolation.OFF
PLAIN = ["-o", "addopts="]  # Embedded, the layer is loaded by addopts only.


@dataclass
class Options:
    """How much to run, a folder to write in, what to undo at the end, a checkout of cookiecutter-django."""

    quick: bool
    folder: Path
    stack: ExitStack
    cookiecutter_django: Path | None


@dataclass
class Measure:
    title: str
    unit: str
    rounds: int
    variants: Variants


def asynchronous(options: Options) -> Measure:
    def run(name, *more):
        return lambda: 1000 * ours(name, *more)

    # On SQLite in memory, plain pytest-django fails here: another thread finds the tables locked.
    # pytest-django-asyncio 0.2 fails everywhere, with asgiref 3.13: so it has no figure.
    ours = async_db.prepare("postgresql", options.folder)
    variants = {
        "sync, pytest-django": run("sync", *PLAIN),
        "sync, hermetic": run("sync"),
        "async, pytest-django (leaks)": run("async", *PLAIN),
        "async, hermetic": run("async"),
        "async, transaction=True, pytest-django": run("async, transaction=True", *PLAIN),
        "async, transaction=True, hermetic": run("async, transaction=True"),
    }
    return Measure(
        "A test that inserts a row and reads it, PostgreSQL", "ms", 2 if options.quick else 7, variants
    )


def committing(options: Options) -> Measure:
    variants: Variants = {}
    names = {
        "rolls back": "rolls back",
        "commits, restored": "hermetic",
        "commits, flushed": "Django's flush",
    }
    for tables in (30, 200):
        run = prepare_committing(tables, options.folder / str(tables))
        for name, title in names.items():
            variants[f"{tables} tables, {title}"] = lambda run=run, name=name: 1000 * run(name)
    return Measure("A test that commits three rows", "ms", 2 if options.quick else 7, variants)


def prepare_committing(tables: int, folder: Path) -> Callable[[str], float]:
    """A project with the tests of benchmarks/database.py; what runs one variant: CPU seconds of a test."""
    project = peers.generated(folder)
    (project.path / "bench").mkdir()
    models = database.MODELS.replace("<number>", str(tables - database.OWN_TABLES))
    files = {"__init__": "", "models": models, "settings": database.SETTINGS, "conftest": database.CONFTEST}
    for number, (commits, is_async, tests, _) in enumerate(database.VARIANTS.values()):
        kind, wait, a = ("async ", "await ", "a") if is_async else ("", "", "")
        test = database.TESTS.format(commits=commits, tests=tests, kind=kind, wait=wait, a=a)
        files[f"test_{number}"] = test
    for name, text in files.items():
        (project.path / "bench" / f"{name}.py").write_text(text)

    def run(name: str) -> float:
        number = [*database.VARIANTS].index(name)
        options = [*peers.QUIET, "--ds=bench.settings", *database.VARIANTS[name][-1]]
        # What the conftest notes for the benchmark is no leak.
        keep = ["-o", "isolation_keep=attributes:bench.*"]
        return cpu.of_a_test(project.pytest(*options, *keep, f"bench/test_{number}.py").stdout)

    return run


def seeds(options: Options) -> Measure:
    run = async_db.prepare("sqlite", options.folder)
    names = {
        "no rows": "no seed",
        "@seed, 3 objects requested": "seed, asking for 3 rows",
        "@seed, all 500 requested": "seed, asking for all 500",
        "module's django_db_setup": "recipe (django_db_setup)",
        "created in each test": "seeding in each test",
    }
    variants = {title: lambda name=name: 1000 * run(name) for title, name in names.items()}
    return Measure("A test in a module with 500 rows", "ms", 2 if options.quick else 7, variants)


def guard(options: Options) -> Measure:
    peer = isolation.prepare(options.folder / "peer", ["pytest-hygiene>=0.1"])
    project = isolation.prepare(options.folder)
    variants: Variants = {}
    for kind, name in (("empty", "test_empty"), ("database", "test_database")):
        variants |= {
            f"{kind} test, off": lambda name=name: 1e6 * isolation.run(project, name, OFF).test,
            f"{kind} test, on": lambda name=name: 1e6 * isolation.run(project, name, []).test,
            f"{kind} test, pytest-hygiene": lambda name=name: 1e6 * isolation.run(peer, name, OFF).test,
        }
    return Measure("The guard, on a test", "µs", 2 if options.quick else 9, variants)


def real_suite(options: Options) -> Measure:
    def run(suite, *arguments):
        return lambda: ecosystem.run(suite, bool(arguments), options.folder, *arguments).seconds

    suites = ["django-filter"] if options.quick else ["django-filter", "djangorestframework"]
    variants = {
        f"{suite}, {title}": run(suite, *arguments)
        for suite in suites
        for title, arguments in (
            ("as it is", ()),
            ("guard off", ("--isolation=off",)),
            ("with the layer", ("--isolation=warn",)),
        )
    }
    return Measure("The suite of another project", "s", 2 if options.quick else 5, variants)


def growth(options: Options) -> Measure:
    project = isolation.prepare(options.folder)
    variants: Variants = {}
    for number in (100, 1000) if options.quick else (100, 1000, 10_000):
        name = f"test_{number}"
        text = isolation.DATABASE.replace("range(500)", f"range({number})")
        (project.path / "tests" / "bench" / f"{name}.py").write_text(text)
        variants |= {
            f"{number} tests, off": lambda name=name: 1000 * isolation.run(project, name, OFF).test,
            f"{number} tests, on": lambda name=name: 1000 * isolation.run(project, name, []).test,
        }
    return Measure("A database test, by the number of tests", "ms", 2 if options.quick else 5, variants)


def start(options: Options) -> Measure:
    variants = peers.start(options.folder)
    return Measure("A run of one database test", "s", 2 if options.quick else 7, variants)


def suite(options: Options) -> Measure:
    variants = peers.suite(options.folder, options.stack, options.cookiecutter_django)
    return Measure("A test of the project as generated", "ms", 2 if options.quick else 5, variants)


def migrations(options: Options) -> Measure:
    variants = database.start_up(options.folder, options.quick)
    title = "Two tests, PostgreSQL, by the number of migrations"
    return Measure(title, "s", 2 if options.quick else 5, variants)


def copy(options: Options) -> Measure:
    copying.prepare(options.folder)
    counter = iter(range(1000))

    def ours(template):
        return lambda: copying.copy(options.folder / template, options.folder / f"{template}-{next(counter)}")

    variants: Variants = {"Copier, one file": ours("one"), "hermetic, default": ours("ours")}
    variants |= peers.copies(options.folder, options.cookiecutter_django)
    return Measure("Generating a project", "s", 2 if options.quick else 7, variants)


def faults(options: Options) -> Measure:
    variants = peers.faults(options.folder)
    return Measure("Planted faults that are named", "faults", 1, variants)


MEASURES: dict[str, Callable[[Options], Measure]] = {
    "async": asynchronous,
    "commits": committing,
    "seeds": seeds,
    "guard": guard,
    "real-suite": real_suite,
    "growth": growth,
    "start": start,
    "suite": suite,
    "migrations": migrations,
    "copy": copy,
    "faults": faults,
}


def measured(name: str, measure: Measure) -> dict:
    values: dict[str, list[float]] = {label: [] for label in measure.variants}
    for turn in range(measure.rounds):
        for label, run in measure.variants.items():
            values[label].append(run())
            print(
                f"{name}, round {turn + 1} of {measure.rounds}: {label}: "
                f"{pictures.number(values[label][-1])} {measure.unit}",
                flush=True,
            )
    return {
        "title": measure.title,
        "unit": measure.unit,
        "rounds": measure.rounds,
        "variants": {
            label: {"median": statistics.median(many), "least": min(many), "most": max(many)}
            for label, many in values.items()
        },
    }


def machine() -> dict[str, str]:
    """What the figures depend on; no name of the machine, and no path."""
    model = platform.processor() or platform.machine()
    if (information := Path("/proc/cpuinfo")).exists():
        named = re.search(r"^model name\s*: (.+)$", information.read_text(), re.MULTILINE)
        model = named[1] if named else model
    return {
        "processor": f"{model}, {os.cpu_count()} processors; one is used",
        "system": platform.system(),
        "python": f"3.11 in projects, {platform.python_version()} for Copier",
        "copier": version("copier"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("measures", nargs="*", metavar="measure", help=f"some of {', '.join(MEASURES)}")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and sizes: a few minutes")
    parser.add_argument("--to", type=Path, default=ROOT / "docs" / "figures", help="folder of the results")
    parser.add_argument("--cookiecutter-django", type=Path, metavar="FOLDER", help="a checkout of it")
    arguments = parser.parse_args()
    if unknown := {*arguments.measures} - MEASURES.keys():
        parser.error(f"{', '.join(unknown)} is no measure; choose from {', '.join(MEASURES)}")
    cpu.keep_to_one_processor()
    arguments.to.mkdir(parents=True, exist_ok=True)
    file = arguments.to / "figures.json"
    for name in arguments.measures or MEASURES:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            peer = arguments.cookiecutter_django
            measure = MEASURES[name](Options(arguments.quick, Path(folder), stack, peer))
            result = measured(name, measure)
        published = json.loads(file.read_text()) if file.exists() else {"measures": {}}
        used = ["--quick"] if arguments.quick else []
        used += ["--cookiecutter-django FOLDER"] if arguments.cookiecutter_django else []
        command = "make figures" + (f' ARGS="{" ".join(used)}"' if used else "")
        published["measures"][name] = {"command": command, "commit": commit(), **result}
        published["machine"] = machine()
        file.write_text(json.dumps(published, indent=2, ensure_ascii=False) + "\n")
        (arguments.to / f"{name}.svg").write_text(pictures.bars(result))


def commit() -> str:
    command = ["git", "rev-parse", "--short=10", "HEAD"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()
