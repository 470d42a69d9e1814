"""What the guard says at the end of a run: leaks of mode ``warn``, worst first, and counts."""

from collections import Counter
from typing import Any

import pytest

SHOWN, EXAMPLES = 20, 3


class Report:
    """Reads the properties of test reports, which pytest-xdist brings from its workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.counts, self.off = Counter[str](), Counter[str]()
        # By the name of a leak: each test, and what it said.
        self.found: dict[str, dict[str, str]] = {}
        self.detailed = config.getoption("--isolation-report")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for kind, text in report.user_properties:
                if kind == "isolation warning":
                    where, name, leak = text
                    self.found.setdefault(name, {})[where] = leak
                elif kind == "isolation off":
                    self.off[text] += 1
                elif kind.startswith("isolation ") and kind != "isolation leak":
                    self.counts[f"{kind.removeprefix('isolation ')}  {text}"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for text in self.off:
            terminalreporter.line(f"isolation: this part failed and is off: {text}", red=True)
        if self.found:
            self.rank(terminalreporter)
        if self.detailed:
            terminalreporter.section("isolation report")
            for line, count in self.counts.most_common() or [("nothing leaked", 0)]:
                terminalreporter.line(f"{count:5}  {line}")

    def rank(self, terminalreporter: Any) -> None:
        """What most tests leak comes first: one change, often in one fixture, mends them all."""
        ranked = sorted(self.found.values(), key=lambda tests: -len(tests))
        tests = len({test for found in ranked for test in found})
        terminalreporter.section(
            f"isolation: {counted(len(ranked), 'leak')} in {counted(tests, 'test')}, reverted"
        )
        shown = len(ranked) if self.detailed else SHOWN
        for found in ranked[:shown]:
            terminalreporter.line(f"{counted(len(found), 'test')}: {next(iter(found.values()))}")
            names = [*found] if self.detailed else [*found][:EXAMPLES]
            for name in names:
                terminalreporter.line(f"    {name}")
            if len(names) < len(found):
                terminalreporter.line(f"    and {len(found) - len(names)} more")
        if len(ranked) > shown:
            rest = len(ranked) - shown
            terminalreporter.line(f"and {counted(rest, 'leak')} more: --isolation-report lists all")


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
