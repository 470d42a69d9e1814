"""Steps of migrations. Each step checks first, acts once and reports what it did.

    from steps import rename, run

    run(rename("*/old_name.py", "new_name.py"))

run() works in the current folder, the project. `--check` prints what it would do, and exits 1 if that is
anything. Only the standard library is imported: the project's environment may lack everything else.
"""

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# A step returns what it did, or None when there is nothing to do; with act=False it only checks.
Step = Callable[[Path, bool], str | None]


def rename(pattern: str, name: str) -> Step:
    """Rename the file that matches, edits included, and stage it, so that Copier merges it."""

    def step(project: Path, act: bool) -> str | None:
        old = next(project.glob(pattern), None)
        new = old and old.with_name(name)
        if old is None or new is None or new.exists():
            return None
        if act:
            old.rename(new)
            subprocess.run(["git", "add", "--all", "--", str(old), str(new)], cwd=project, check=True)
        return f"{old.relative_to(project)} becomes {new.relative_to(project)}"

    return step


def run(*steps: Step) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="print what would be done; exit 1 if anything")
    check = parser.parse_args().check
    done = [text for step in steps if (text := step(Path.cwd(), not check))]
    for text in done:
        print(text)
    sys.exit(1 if check and done else 0)
