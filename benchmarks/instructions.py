"""The ratios of isolation.py and async_db.py, in instructions: what else the machine does adds none.

    .cache/tools/bin/python benchmarks/instructions.py

Needs valgrind. SQLite in memory. Each suite is run with 20 tests and with 100, and the difference counts, so
start-up is left out. Instructions are not time: a cache that is cold costs time and no instructions.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import async_db
import isolation
import shapes

FEW, MANY = 20, 100
COUNT = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
# title: (test module, options); {tests} is their number.
SUITES = {
    "empty, guard off": (isolation.EMPTY, isolation.OFF),
    "empty": (isolation.EMPTY, []),
    "database, guard off": (isolation.DATABASE, isolation.OFF),
    "database": (isolation.DATABASE, []),
} | {title: (async_db.module(title), options) for title, (_, _, options) in async_db.VARIANTS.items()}
RATIOS = [
    ("empty", "empty, guard off", 1.10),
    ("database", "database, guard off", 1.10),
    *(row for row in async_db.RATIOS if row[2]),
]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = async_db.project(Path(folder), "sqlite")
        titles = [*dict.fromkeys(title for *pair, _ in RATIOS for title in pair)]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            found = pool.map(lambda title: instructions(project, title), titles)
            counts = dict(zip(titles, found, strict=True))
    for title, count in counts.items():
        print(f"{title:28} {count / 1e6:6.2f} million instructions a test")
    for title, baseline, limit in RATIOS:
        print(f"{title} : {baseline} = {counts[title] / counts[baseline]:.3f} (at most {limit})")


def instructions(project: shapes.Project, title: str) -> float:
    text, options = SUITES[title]
    run(project, text, options, FEW, counted=[])  # Else the first one compiles the project's modules.
    few, many = (run(project, text, options, tests) for tests in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def run(
    project: shapes.Project, text: str, options: list[str], tests: int, counted: list[str] = COUNT
) -> int:
    with tempfile.NamedTemporaryFile("w", dir=project.path / "bench", prefix="test_", suffix=".py") as file:
        file.write(re.sub(r"range\(\d+\)|range\({tests}\)", f"range({tests})", text))
        file.flush()
        options = ["--ds=bench.settings", "-p", "no:randomly", "-p", "no:cacheprovider", *options]
        done = subprocess.run(
            [*counted, project.venv / "bin" / "python", "-m", "pytest", "-q", file.name, *options],
            cwd=project.path,
            env=project.environ(PYTHONHASHSEED="0"),
            capture_output=True,
            text=True,
        )
    if f"{tests} passed" not in done.stdout:
        sys.exit(done.stdout + done.stderr)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1]) if counted else 0


if __name__ == "__main__":
    main()
