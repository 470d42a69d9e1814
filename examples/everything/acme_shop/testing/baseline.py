"""The baseline: leaks that were there when the layer came, in a file that can only shrink.

A line of the file is a leak and the test, or the fixture, that leaves it. What it lists is reverted and does
not fail; a new leak fails; a line whose test no longer leaks, or is gone, fails the run until it is removed.
``--isolation-baseline-update`` writes the file after a whole run when there is none, and later only removes
lines.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from .leaks import Leak
from .report import counted

HEAD = "# Leaks that may stay for now: mend one, and remove its line. --isolation-baseline-update does.\n"
Lines = set[tuple[str, str]]  # (id of a test or title of a fixture, leak)
Left = list[tuple[str, Sequence[Leak]]]


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
        self.known = known(self.file, self.update) if self.file else set()
        self.is_worker = hasattr(config, "workerinput")
        self.found: Lines = set()
        self.passed: set[str] = set()
        self.config = config
        self.gone: Lines = set()
        self.not_collected: list[str] = []
        self.is_whole = True  # Every file was collected, and every test ran.

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self.is_whole &= not report.failed
        if not report.passed:
            self.not_collected.append(report.nodeid)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        self.not_collected += [item.nodeid for item in items]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The lines of tests that the run would have, and has not: they were deleted or renamed."""
        tests = {item.nodeid for item in session.items}
        self.gone = {
            line
            for line in self.known
            if "::" in line[0]
            and line[0] not in tests
            and not any(line[0].startswith(one) for one in self.not_collected)
        }
        if self.is_worker:
            self.config.workeroutput["isolation gone"] = [*self.gone]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """pytest-xdist: what a worker collected, which its controller does not."""
        output = getattr(node, "workeroutput", None) or {}
        self.gone = {tuple(line) for line in output.get("isolation gone", ())}

    def is_asked_for(self, test: str) -> bool:
        """Whether the run collects that file: by its name, or by a folder that holds it."""
        option, folder = self.config.getoption, self.config.invocation_params.dir
        if option("lf", default=False) or option("keyword") or option("ignore_glob"):
            return False
        file = self.config.rootpath / test.partition("::")[0]
        asked, ignored = (
            any(file.is_relative_to(folder / one) for one in those)
            for those in (self.config.args, option("ignore") or ())
        )
        return asked and not ignored

    def new(self, item: pytest.Item, left: Left) -> Left:
        """What a test left, and the fixtures that ended with it, without what the file lists."""
        if not self.file:
            return left
        # Through the report, since pytest-xdist brings it from its workers.
        for title, leaks in left:
            names = [f"{leak.name}\t{title or item.nodeid}" for leak in leaks]
            item.user_properties += [("isolation leak", name) for name in names]
        new = [
            (title, [one for one in leaks if (title or item.nodeid, one.name) not in self.known])
            for title, leaks in left
        ]
        return [(title, leaks) for title, leaks in new if leaks]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not self.file:
            return
        if report.when == "call" and report.passed:  # Else it may not have come to what leaks.
            self.passed.add(report.nodeid)
        elif report.when == "teardown":
            texts = [text for kind, text in report.user_properties if kind == "isolation leak"]
            self.found |= {line for text in texts if (line := parsed(text))}

    @property
    def mended(self) -> Lines:
        """The lines that the run has shown to be wrong. A fixture may not have been asked for in it."""
        return {
            line
            for line in self.known - self.found
            if line[0] in self.passed
            or ("::" in line[0] and not self.is_there(line[0]))
            or (line in self.gone and self.is_asked_for(line[0]))
            or ("::" not in line[0] and self.update and self.is_whole)
        }

    def is_there(self, test: str) -> bool:
        return (self.config.rootpath / test.partition("::")[0]).exists()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.is_worker or not self.file:
            return
        ended = session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        stopped = bool(session.shouldstop or session.shouldfail)
        only_shown = any(
            session.config.getoption(one, default=False) for one in ("collectonly", "setuponly")
        )
        self.is_whole &= ended and not stopped and not only_shown
        if self.update and (self.exists or self.is_whole):
            write(self.file, self.known - self.mended if self.exists else self.found)
        elif self.mended and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if not self.file:
            return
        name, say = self.file.name, terminalreporter.line
        if not self.exists and self.update and not self.is_whole:
            say(f"isolation: {name} not written, since the run did not finish", red=True)
        elif not self.exists and self.update:
            say(
                f"isolation: {counted(len(self.found), 'leak')} recorded in {name}; from now on a new one fails"
            )
        elif not self.exists and self.found:
            say(
                f"isolation: --isolation-baseline-update records these leaks in {name}; a new one then fails"
            )
        elif self.found & self.known:
            say(
                f"isolation: {counted(len(self.found & self.known), 'known leak')} ({name}), reverted"
            )
        if self.exists and self.update and self.found - self.known:
            new = counted(len(self.found - self.known), "new leak")
            say(
                f"isolation: {new} not recorded, since a baseline can only shrink: mend what fails",
                red=True,
            )
        if self.mended:
            failed = "no longer true, so the run fails; --isolation-baseline-update removes them"
            done = "removed" if self.update else failed
            lines = counted(len(self.mended), "line")
            say(f"isolation: {lines} of {name} {done}", red=not self.update)
            for where, leak in sorted(self.mended):
                say(f"    {leak}  {where}")


def known(file: Path, update: bool) -> Lines:
    """The lines of the file; for one that a run is to write, the folder is made now, while it can be refused."""
    try:
        if file.exists():
            texts = file.read_text(encoding="utf-8").splitlines()
            return {line for text in texts if (line := parsed(text))}
        if update:
            file.parent.mkdir(parents=True, exist_ok=True)
    except (OSError, UnicodeDecodeError) as error:
        raise pytest.UsageError(f"{file} cannot be the baseline: {error}.") from None
    return set()


def parsed(text: str) -> tuple[str, str] | None:
    leak, tab, where = text.partition("\t")
    return (where, leak) if tab else None


def write(file: Path, lines: Lines) -> None:
    text = "".join(f"{leak}\t{where}\n" for where, leak in sorted(lines))
    file.write_text(HEAD + text, encoding="utf-8")
