"""Finds what makes a test fail that passes alone, or pass that fails alone.

    uv run python -m <layer>.pollution                       run the suite, take its first victim
    uv run python -m <layer>.pollution tests/test_a.py::test_b    in the order of the last run
    uv run python -m <layer>.pollution tests/test_a.py::test_b --seed 1234    in the order of that run
    uv run python -m <layer>.pollution --reversed --seed 1234             in the order of CI's reversed run

pytest prints the seed at the top of a run ("Using --randomly-seed=1234"). What ran before the victim is
replayed in that order, and halved until one test is left, several that are needed together, or a module
whose import is enough.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

FOLDER = "POLLUTION_FOLDER"
# Whatever pyproject.toml adds: one process, every test, and the cache with the last seed left as it is.
# A test that leaks only warns: the guard names it, and reverts what it left, so it is no victim.
COMMON = ["--maxfail=0", "--isolation=warn", *(["-n0"] if find_spec("xdist") else [])]
PLAIN = [*COMMON, "-p", "no:cacheprovider"]
CACHED = [
    *COMMON,
    "-p",
    "no:lfplugin",
    "-p",
    "no:nfplugin",
]  # The last seed is read from the cache.
IN_ORDER = ["-p", "no:randomly"]
ENDED = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
MOST = 5  # Tests that are needed together.
REVERSED = ["--randomly-dont-reorganize", "--reverse"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """As a plugin of the runs below: run the tests of the file `ids` in its order, or those up to `last`."""
    yield  # Other plugins order them, too.
    folder = Path(os.environ[FOLDER])
    ids, last = ((folder / name).read_text().splitlines() for name in ("ids", "last"))
    order = [item.nodeid for item in items]
    (folder / "order").write_text("".join(f"{name}\n" for name in order))
    if ids:
        found = dict(zip(order, items, strict=True))
        items[:] = [found[name] for name in ids if name in found]
    elif last:
        items[:] = items[: order.index(last[0]) + 1] if last[0] in order else []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Append who failed, in order, to the file `failed`."""
    if report.failed:
        with Path(os.environ[FOLDER], "failed").open("a") as file:
            file.write(f"{report.nodeid}\n")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog=f"python -m {__spec__.name}",
        description=__doc__.replace("<layer>", __spec__.parent),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("victim", nargs="?", help="id of the failing test, path::name")
    parser.add_argument(
        "--seed", default=None, help="of the failing run; by default the last run's, or a new one"
    )
    parser.add_argument(
        "--reversed", action="store_true", help="last test first, as CI runs them at night"
    )
    parser.add_argument("--tests", help="folder of the tests (default: what plain pytest runs)")
    options = parser.parse_args()
    if not find_spec("pytest_randomly"):
        remedy = (
            "add hermetic-django[pollution]" if __spec__.parent == "hermetic" else "run `uv sync`"
        )
        parser.error(f"pytest-randomly, which repeats the order of a run, is missing: {remedy}.")
    # A known seed, so that the order of the run can be asked for again.
    seed = options.seed or ("last" if options.victim else str(int.from_bytes(os.urandom(4))))
    order = ["-p", "randomly", f"--randomly-seed={seed}", *(REVERSED if options.reversed else [])]
    tests = [options.tests] if options.tests else []
    if options.victim:
        return of_victim(options.victim, tests, order, cached=seed == "last")
    return of_suite(tests, order, seed)


def of_suite(tests: list[str], ordering: list[str], seed: str) -> int:
    """Run the suite, and search for what makes its first victim fail: a test that passes alone."""
    say(f"Running {named(tests)} with {shlex.join(ordering[2:])} ...")
    order, failed = run([*tests, *ordering, *PLAIN])
    say(f"{len(failed)} of {len(order)} tests failed.")
    for victim in failed:
        search = Search(victim, order, fails=True)
        if not search.fails_alone():
            return search.polluters()
        say(f"{victim} also fails alone; give its id to search for a test that makes it pass.")
    if not failed:
        say(
            f"Every test passes in this order (seed {seed}); try again, or give the seed of a failing run."
        )
    return 1


def of_victim(victim: str, tests: list[str], ordering: list[str], cached: bool) -> int:
    """Search for what the outcome of this test depends on."""
    say(f"Running {named(tests)} up to {victim}, with {shlex.join(ordering[2:])} ...")
    order, failed = run([*tests, *ordering, *(CACHED if cached else PLAIN)], last=victim)
    if victim not in order:
        say(
            f"{victim} is not among the {len(order)} tests of {named(tests)}: give its id as pytest -v prints it."
        )
        return 2
    search = Search(victim, order, fails=victim in failed)
    return search.setters() if search.fails_alone() else search.polluters()


def named(tests: list[str]) -> str:
    return " ".join(tests) or "the suite"


class Search:
    """The runs for one victim: each is announced, and none is repeated.

    What comes before the victim is a list of units: the id of a test runs it, the path of a file only
    imports it. No other file is collected, so that the import of a module is a suspect like any test.
    """

    def __init__(self, victim: str, order: list[str], fails: bool) -> None:
        self.victim = victim
        at = order.index(victim)
        self.earlier, self.later = order[:at], order[at + 1 :]
        # pytest imports the files of later tests, too, before the first test.
        self.before = [*dict.fromkeys(file_of(one) for one in self.later), *self.earlier]
        self.files = [*dict.fromkeys(file_of(one) for one in order)]
        self.known = {self.key(self.before): fails}
        self.about = 3 + len(self.before).bit_length()
        self.runs = 1

    def key(self, units: Sequence[str]) -> tuple[str, ...]:
        """The tests and files of these units, in the order in which pytest collects files."""
        files = {file_of(one) for one in [*units, self.victim]}
        tests = [one for one in units if "::" in one]
        return *sorted(files, key=lambda file: Path(file).parts), *tests, self.victim

    def fails(self, units: Sequence[str]) -> bool:
        """Whether the victim fails after these units."""
        key = self.key(units)
        if not any("::" in one for one in units) and self.imports_are_innocent:
            return False
        if key not in self.known:
            files, tests = ([one for one in key if ("::" in one) is test] for test in (False, True))
            count, self.runs = len(tests) - 1, self.runs + 1
            after = f"after {count} test{'s' * (count > 1)}"
            what = (after if count else f"{len(files)} modules imported") if units else "alone"
            say(f"run {self.runs} of about {max(self.about, self.runs)}, {what}:", end=" ")
            _, failed = run([*files, *IN_ORDER, *PLAIN], tests)
            self.known[key] = self.victim in failed
            say("it fails" if self.known[key] else "it passes")
        return self.known[key]

    @property
    def imports_are_innocent(self) -> bool:
        """Whether a run has shown that it passes with every file imported."""
        return self.known.get(self.key(self.files)) is False

    def fails_alone(self) -> bool:
        """If it passes with every file imported, it passes alone, and no import makes it fail: one run."""
        in_order = self.known[self.key(self.before)]
        return (not in_order or self.fails(self.files)) and self.fails([])

    def passes(self, units: Sequence[str]) -> bool:
        return not self.fails(units)

    def polluters(self) -> int:
        """The victim passes alone: name what makes it fail."""
        if self.passes(self.before):
            say(
                f"{self.victim} passes alone, and after those tests in this order; give the seed of a run "
                "in which it failed."
            )
            return 1
        # Where no import makes it fail, no file needs to be halved, too.
        suspects = self.earlier if self.imports_are_innocent else self.before
        return self.name(self.fewest(self.fails, self.before, suspects), "fail")

    def setters(self) -> int:
        """The victim fails alone: name what makes it pass, if anything does."""
        for units in (self.before, [*self.later, *self.earlier]):
            if self.passes(units):
                return self.name(self.fewest(self.passes, units, units), "pass")
        say(
            f"{self.victim} fails alone, and after all other tests: the cause is in the test itself."
        )
        return 1

    def fewest(
        self, fit: Callable[[Sequence[str]], bool], units: list[str], suspects: list[str]
    ) -> list[str]:
        """The fewest of these units, in their order, that fit; none when chance decides.

        ``suspects``: those of them that may be enough alone.
        """
        one = suspects
        while len(one) > 1:
            first, second = one[: len(one) // 2], one[len(one) // 2 :]
            one = first if fit(first) else second  # Where it must be, if one is enough.
        if not fit(one):
            say("No single test is enough: searching for those that are needed together.")
            self.about = self.runs + 2 * len(units).bit_length() + 4
            one = self.together(fit, units)
        for at, unit in enumerate(one):
            imported = [*one[:at], file_of(unit), *one[at + 1 :]]
            if imported != one and fit(imported):
                one = imported
        return one

    def together(self, fit: Callable[[Sequence[str]], bool], units: list[str]) -> list[str]:
        """Find the last one that is needed, by the shortest list that fits; then the one before it."""
        needed: list[str] = []
        while not fit(needed):
            if len(needed) == MOST or not units:
                return []
            few, enough = 0, len(units)
            while few + 1 < enough:
                middle = (few + enough) // 2
                few, enough = (few, middle) if fit([*units[:middle], *needed]) else (middle, enough)
            needed, units = [units[few], *needed], units[:few]
        return needed

    def name(self, found: list[str], effect: str) -> int:
        if not found:
            say(f"Chance, or more than {MOST} tests together, make {self.victim} {effect}.")
            return 1
        names = [one if "::" in one else f"importing {one}" for one in found]
        verb = "together make" if len(found) > 1 else "makes"
        say("", " and\n".join(names), f"{verb} {effect}", self.victim, "", sep="\n")
        if effect == "pass":
            say("It fails alone: what it needs is set there, and belongs into a fixture.")
        imports = [f"--deselect={one}" for one in found if "::" not in one]
        say("See it:  uv run pytest", shlex.join([*IN_ORDER, *imports, *found, self.victim]))
        return 0


def run(
    arguments: list[str], ids: Sequence[str] = (), last: str = ""
) -> tuple[list[str], list[str]]:
    """Run pytest; return the ids of its tests, in order, and of those that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, lines in {"ids": ids, "last": [last], "order": [], "failed": []}.items():
            (folder / file).write_text("".join(f"{line}\n" for line in lines if line))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *arguments, "-p", __spec__.name],
            env={**os.environ, FOLDER: name},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode not in ENDED:
            sys.exit(f"{done.stdout}\npytest {shlex.join(arguments)} ended with {done.returncode}")
        order, failed = ((folder / file).read_text().splitlines() for file in ("order", "failed"))
        return order, [*dict.fromkeys(failed)]


def file_of(unit: str) -> str:
    return unit.partition("::")[0]


say = partial(print, flush=True)


if __name__ == "__main__":
    sys.exit(main())
