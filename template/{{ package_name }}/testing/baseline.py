"""The baseline: leaks that were there when the layer came, in a file that can only shrink.

A line of the file is a leak and the test that leaves it. What it lists is reverted and does not fail; a new
leak fails; a line whose test no longer leaks fails the run until it is removed.
``--isolation-baseline-update`` writes the file when there is none, and later only removes lines.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from .leaks import Leak

HEAD = "# Leaks that may stay for now: mend one, and remove its line. --isolation-baseline-update does.\n"
Lines = set[tuple[str, str]]  # (test, leak)


class Baseline:
    """Tells the guard which leaks are new, and after the run what has become of the known ones."""

    def __init__(self, config: pytest.Config) -> None:
        name = config.getoption("--isolation-baseline") or config.getini("isolation_baseline")
        self.file = config.rootpath / name if name else None
        self.update = config.getoption("--isolation-baseline-update")
        if self.update and not self.file:
            raise pytest.UsageError(
                "--isolation-baseline-update has no file to write: name it, like "
                "--isolation-baseline=isolation-baseline.txt, or in the ini option isolation_baseline."
            )
        self.exists = bool(self.file and self.file.exists())
        self.known = read(self.file) if self.file and self.exists else set()
        self.is_worker = hasattr(config, "workerinput")
        self.found: Lines = set()
        self.passed: set[str] = set()

    def new(self, item: pytest.Item, leaks: Iterable[Leak]) -> list[Leak]:
        """The leaks of a test that the file does not list."""
        leaks = [*leaks]
        if self.file:  # Through the report, since pytest-xdist brings it from its workers.
            item.user_properties += [("isolation leak", leak.name) for leak in leaks]
        return [leak for leak in leaks if (item.nodeid, leak.name) not in self.known]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:  # Else it may not have come to what leaks.
            self.passed.add(report.nodeid)
        elif report.when == "teardown":
            names = [text for kind, text in report.user_properties if kind == "isolation leak"]
            self.found |= {(report.nodeid, name) for name in names}

    @property
    def mended(self) -> Lines:
        lines = {line for line in self.known if line[0] in self.passed}
        gone = {line for line in self.known if not self.file_of(line[0]).exists()}
        return (lines | gone) - self.found

    def file_of(self, test: str) -> Path:
        return self.file.parent / test.partition("::")[0] if self.file else Path(test)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.is_worker or not self.file:
            return
        if self.update:
            write(self.file, self.known - self.mended if self.exists else self.found)
        elif self.mended and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.file:
            return
        name, say = self.file.name, terminalreporter.line
        if not self.exists and self.update:
            say(
                f"isolation: {len(self.found)} leaks recorded in {name}; from now on a new one fails"
            )
        elif not self.exists and self.found:
            say(
                f"isolation: --isolation-baseline-update records these leaks in {name}; a new one then fails"
            )
        elif self.found & self.known:
            say(
                f"isolation: {len(self.found & self.known)} leaks are known ({name}), and were reverted"
            )
        if self.mended:
            done = (
                "were removed"
                if self.update
                else "no longer leak: --isolation-baseline-update removes them"
            )
            say(f"isolation: {len(self.mended)} lines of {name} {done}", red=not self.update)
            for test, leak in sorted(self.mended):
                say(f"    {leak}\t{test}")


def read(file: Path) -> Lines:
    lines = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    return {(line[1], line[0]) for line in lines if len(line) == 2}


def write(file: Path, lines: Lines) -> None:
    text = "".join(f"{leak}\t{test}\n" for test, leak in sorted(lines))
    file.write_text(HEAD + text, encoding="utf-8")
