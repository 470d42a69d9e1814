"""How the benchmarks measure: CPU, not time, on one processor."""

import os
import resource
from collections.abc import Sequence
from pathlib import Path

# The conftest.py of a suite: has it print what of_a_test() reads.
CONFTEST = """
import time

import pytest

marks = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    result = yield
    marks.append(time.process_time())
    return result


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"CPU {(marks[-1] - marks[0]) / (len(marks) - 1)}")
"""


def keep_to_one_processor() -> None:
    """Without it, the same code took up to twice as long from one run to the next."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def add_packages(project: Path, packages: Sequence[str]) -> None:
    """Add to the dependencies of a project's tests, before its environment is made."""
    configuration = project / "pyproject.toml"
    lines = "".join(f'    "{package}",\n' for package in packages)
    configuration.write_text(configuration.read_text().replace("\ntest = [\n", f"\ntest = [\n{lines}"))


def of_children() -> float:
    """Seconds of all commands that have ended; the difference of two readings is one command's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def of_a_test(output: str) -> float:
    """Seconds of one test, from the second one on, by what pytest printed with CONFTEST."""
    return float(output.rpartition("CPU ")[2].split()[0])
