"""Finds the test that makes another one fail.

    uv run python -m <layer>.pollution                       run the suite, take its first victim
    uv run python -m <layer>.pollution tests/test_a.py::test_b    in the order of the last run
    uv run python -m <layer>.pollution tests/test_a.py::test_b --seed 1234    in the order of that run
    uv run python -m <layer>.pollution --reversed --seed 1234             in the order of CI's reversed run

pytest prints the seed at the top of a run ("Using --randomly-seed=1234"). The tests that ran before the victim are
replayed in that order, and halved by detect-test-pollution until one is left.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

RESULTS = "POLLUTION_RESULTS"
FOUND = re.compile(r"^-> the polluting test is: (.+)$", re.MULTILINE)
# Whatever pyproject.toml adds: one process, every test, and the cache with the last seed left as it is.
# A test that leaks only warns: the guard names it, and reverts what it left, so it is no victim.
PLAIN = ["-n0", "--maxfail=0", "-p", "no:cacheprovider", "--isolation=warn"]
REVERSED = ["--randomly-dont-reorganize", "--reverse"]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """As a plugin of the runs below: append who failed, in order, to the file in the environment."""
    if report.failed:
        with Path(os.environ[RESULTS]).open("a") as file:
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
    parser.add_argument("--tests", default="tests", help="folder of the tests (default: tests)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return find(
            options.victim, options.seed, options.tests, Path(folder), backwards=options.reversed
        )


def find(
    victim: str | None, seed: str | None, tests: str, folder: Path, backwards: bool = False
) -> int:
    # A known seed, so that the order of the run can be asked for again.
    seed = seed or ("last" if victim else str(int.from_bytes(os.urandom(4))))
    ordering = ["-p", "randomly", f"--randomly-seed={seed}", *(REVERSED if backwards else [])]
    if not victim:
        print(f"Running {tests} with {shlex.join(ordering[2:])} ...", flush=True)
    victims = [victim] if victim else failures(tests, ordering, folder)
    order = collected(tests, ordering, cache=seed == "last")
    if victim and victim not in order:
        print(
            f"{victim} is not among the {len(order)} tests of {tests}: give its id as pytest -v prints it."
        )
        return 2
    for candidate in victims:
        if failures(candidate, ["-p", "no:randomly"], folder):
            print(f"{candidate} also fails alone: no other test is needed for that.")
            continue
        earlier = order[: order.index(candidate)]
        print(
            f"{candidate} passes alone; {len(earlier)} tests ran before it: "
            f"about {len(earlier).bit_length()} runs to halve them down to one ...",
            flush=True,
        )
        if polluter := bisect(candidate, earlier, folder):
            print(
                f"\n{polluter}\nmakes fail\n{candidate}\n\nSee it:  uv run pytest -p no:randomly",
                end=" ",
            )
            print(shlex.join([polluter, candidate]))
            return 0
        print(
            f"{candidate} passes after those tests in this order; give the seed of a run in which it failed."
        )
    if not victims:
        print(
            f"Every test passes in this order (seed {seed}); try again, or give the seed of a failing run."
        )
    return 1


def failures(target: str, ordering: list[str], folder: Path) -> list[str]:
    """Run tests; return the ids of those that failed, but for those that the isolation guard names itself."""
    results = folder / "results"
    results.write_text("")
    run([target, *ordering, *PLAIN, "-p", __spec__.name], {RESULTS: str(results)})
    return [*dict.fromkeys(results.read_text().splitlines())]


def collected(tests: str, ordering: list[str], cache: bool) -> list[str]:
    """The ids of all tests, in that order; the seed of the last run is in pytest's cache."""
    plain = [] if cache else ["-p", "no:cacheprovider"]
    output = run([tests, "--collect-only", "-q", "-n0", *ordering, *plain]).stdout
    return [
        line for line in output.splitlines() if "::" in line and not line.startswith((" ", "ERROR"))
    ]


def bisect(victim: str, earlier: list[str], folder: Path) -> str | None:
    ids = folder / "ids"
    ids.write_text("".join(f"{name}\n" for name in [*earlier, victim]))
    # Not `-m`: it hands its own module name to pytest as a plugin.
    command = [
        sys.executable,
        "-c",
        "import sys, detect_test_pollution as tool; sys.exit(tool.main())",
    ]
    command += ["--failing-test", victim, "--testids-file", str(ids)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTEST_ADDOPTS": shlex.join(PLAIN)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    found = FOUND.search(done.stdout)
    if not found and "unexpected pass" in done.stdout:
        print("No single test is enough: at least two together make it fail.")
    elif not found and "it passed?" not in done.stdout:
        print(done.stdout)
    return found and found[1]


def run(
    arguments: list[str], extra: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *arguments],
        env={**os.environ, **(extra or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        sys.exit(f"{done.stdout}\npytest {shlex.join(arguments)} ended with {done.returncode}")
    return done


if __name__ == "__main__":
    sys.exit(main())
