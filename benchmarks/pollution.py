"""What the polluter command costs: its CPU over that of detect-test-pollution, for one order and polluter.

    .cache/tools/bin/python benchmarks/pollution.py [rounds]

In a generated project (SQLite): 292 tests in 10 modules, a third of them with the database. Each round has
another order, so the polluter stands elsewhere. The median of the rounds' ratios counts.
"""

import os
import shlex
import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import cpu
import shapes

MODULE = """
import pytest
from tests.orders.factories import OrderFactory

@pytest.mark.parametrize("n", range(20))
def test_empty(n):
    pass

@pytest.mark.django_db
@pytest.mark.parametrize("n", range(9))
def test_database(n):
    assert OrderFactory().pk
"""
# The guard puts nothing of this back.
POLLUTER = """
from tests.bench import shop

def test_polluter():
    shop.rates.append(1)
"""
VICTIM = """
from tests.bench import shop

def test_victim():
    assert not shop.rates
"""
TESTS = "tests/bench"
TEST = f"{TESTS}/test_9.py::test_victim"
PLAIN = ["-n0", "--maxfail=0", "-p", "no:cacheprovider", "--isolation=warn"]


def main(rounds: int) -> None:
    cpu.keep_to_one_processor()
    with tempfile.TemporaryDirectory() as folder:
        template = shapes.copy_template(Path(folder, "template"))
        path = shapes.render(template, Path(folder, "project"), {})
        configuration = path / "pyproject.toml"
        text = configuration.read_text().replace(
            '    "factory-boy', '    "detect-test-pollution>=1.2",\n    "factory-boy'
        )
        kept = '[tool.pytest]\nisolation_keep = ["attributes:*.shop.rates"]\n'
        configuration.write_text(text.replace("[tool.pytest]\n", kept))
        project = shapes.Project(path, shapes.environment(path, "3.11"))
        write_suite(path / TESTS)
        ratios = []
        for seed in range(1, 100):
            order = collected(project, seed)
            polluter = next(name for name in order if "polluter" in name)
            if order.index(polluter) > order.index(TEST):
                continue
            ours, theirs = command(project, seed, polluter), alone(project, order, polluter)
            ratios.append(ours / theirs)
            print(f"{ours:.0f} s over {theirs:.0f} s: {ratios[-1]:.2f}", flush=True)
            if len(ratios) == rounds:
                break
        median = statistics.median(ratios)
        print(f"the polluter command {median:.2f} times detect-test-pollution; {rounds} rounds")


def write_suite(folder: Path) -> None:
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Suites of the benchmark."""\n')
    (folder / "shop.py").write_text("rates = []\n")
    for number in range(10):
        more = {0: POLLUTER, 9: VICTIM}.get(number, "")
        (folder / f"test_{number}.py").write_text(MODULE + more)


def collected(project: shapes.Project, seed: int) -> list[str]:
    done = project.pytest(TESTS, "--collect-only", "-q", f"--randomly-seed={seed}")
    return [line for line in done.stdout.splitlines() if "::" in line]


def command(project: shapes.Project, seed: int, polluter: str) -> float:
    module = f"{project.package.name}.testing.pollution"
    return seconds(project, polluter, "python", "-m", module, TEST, "--seed", str(seed), "--tests", TESTS)


def alone(project: shapes.Project, order: list[str], polluter: str) -> float:
    """detect-test-pollution in the same order, and with the same options."""
    ids = project.path / "ids"
    ids.write_text("".join(f"{name}\n" for name in order[: order.index(TEST) + 1]))
    tool = ["python", "-c", "import sys, detect_test_pollution as tool; sys.exit(tool.main())"]
    options = ["--failing-test", TEST, "--testids-file", str(ids)]
    return seconds(project, polluter, *tool, *options, PYTEST_ADDOPTS=shlex.join(PLAIN))


def seconds(project: shapes.Project, polluter: str, *command: str, **environ: str) -> float:
    before = cpu.of_children()
    done = project.run(*command, check=False, **environ)
    if polluter not in done.stdout.split():
        sys.exit(done.stdout)
    return cpu.of_children() - before


if __name__ == "__main__":
    os.environ.pop("PYTEST_ADDOPTS", None)
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
