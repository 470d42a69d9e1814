"""What the guard says at the end of a run: leaks of mode ``warn``, and the counts that were asked for."""

from collections import Counter
from typing import Any

import pytest


class Report:
    """Reads the properties of test reports, which pytest-xdist brings from its workers."""

    def __init__(self, config: pytest.Config) -> None:
        self.counts, self.found, self.off = Counter[str](), Counter[str](), Counter[str]()
        self.detailed = config.getoption("--isolation-report")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for kind, text in report.user_properties:
                if kind == "isolation warning":
                    self.found[text] += 1
                elif kind == "isolation off":
                    self.off[text] += 1
                elif kind.startswith("isolation "):
                    self.counts[f"{kind.removeprefix('isolation ')}  {text}"] += 1

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for text in self.off:
            terminalreporter.line(f"isolation: this part failed and is off: {text}", red=True)
        if self.found:
            terminalreporter.section("isolation: leaks, reverted")
            for line in self.found:
                terminalreporter.line(line)
        if self.detailed:
            terminalreporter.section("isolation report")
            for line, count in self.counts.most_common() or [("nothing leaked", 0)]:
                terminalreporter.line(f"{count:5}  {line}")
