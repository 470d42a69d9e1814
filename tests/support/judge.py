"""What an update must make of a project: by `git merge-file` and counts of lines, not by update.py."""

import os
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import NamedTuple

ANSWERS = ".copier-answers.yml"
LISTS = (".gitignore", ".dockerignore", ".env.example", "pyproject.toml")
LABELS = ["-L", "before updating", "-L", "last update", "-L", "after updating"]


class File(NamedTuple):
    text: bytes
    executable: bool = False


Tree = dict[str, File]


def tree(root: Path) -> Tree:
    """Every file of a folder but git's and the answers file."""
    found = {}
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        if file.is_file() and path != ANSWERS and not path.startswith(".git/"):
            found[path] = File(file.read_bytes(), os.access(file, os.X_OK))
    return found


def three_way(mine: bytes, base: bytes, new: bytes) -> tuple[bytes, int]:
    """What git makes of three versions, and its number of conflicts: 255 when both sides changed a binary."""
    if mine in (base, new) or base == new:
        return new if mine == base else mine, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("mine", mine), ("base", base), ("new", new)):
            Path(folder, name).write_bytes(text)
        command = ["git", "merge-file", "-p", *LABELS, "mine", "base", "new"]
        done = subprocess.run(command, cwd=folder, capture_output=True)
        return done.stdout, done.returncode


def is_joined(mine: bytes, base: bytes, new: bytes, result: bytes) -> bool:
    """Whether a list has each line as often as both sides ask; one that both added may be there once."""
    sides = [Counter(text.splitlines()) for text in (mine, base, new, result)]
    for line in set().union(*sides):
        here, old, there, now = (side[line] for side in sides)
        both = here + there - old
        least, most = sorted((both, max(here, there) if both > old else min(here, there)))
        if (here - old) * (there - old) <= 0:
            least = most = both
        if not least <= now <= most:
            return False
    marks = re.findall(rb"^(?:<{7}|>{7}) .*", result, re.MULTILINE)
    return {*marks} <= {*mine.splitlines(), *new.splitlines()}  # A side may have such lines of its own.


class Update(NamedTuple):
    """A project before and after an update, and both renders of the template."""

    base: Tree
    new: Tree
    mine: Tree
    result: Tree
    announced: set[str]  # The conflicts that `check` named.
    ignored: set[str]  # By git, in the project.
    seams: set[str]

    def problems(self) -> list[str]:
        """A sentence for each path of which the update made what it must not."""
        every = {*self.base, *self.new, *self.mine, *self.result, *self.announced}
        return [f"{path}: {problem}" for path in sorted(every) if (problem := self.problem(path))]

    def problem(self, path: str) -> str:
        now, mine = self.result.get(path), self.mine.get(path)
        wanted, conflict = self.merged(path) if mine else (self.created(path), False)
        if conflict != (path in self.announced):
            return "a conflict that was not announced" if conflict else "announced, but git has no conflict"
        if now == wanted:
            return ""
        if mine is None and now in self.inherited(path):  # Renamed by the template, with the edits.
            return ""
        if now is None and path not in self.new and self.heir(path):
            return ""
        return f"{now} instead of {wanted}"

    def merged(self, path: str) -> tuple[File | None, bool]:
        """What becomes of a file of the project, and whether it conflicts."""
        mine, base, new = self.mine[path], self.base.get(path), self.new.get(path)
        if (path in self.seams and new) or (path in self.ignored and mine != base):
            return mine, False
        if mine == base:
            return new, False
        if new in (base, mine, None):
            return mine, False
        old = base or File(b"", new.executable)
        executable = new.executable if mine.executable == old.executable else mine.executable
        text, conflicts = self.joined(path, mine, old, new)
        if conflicts == 255:
            return mine, True
        return File(text, executable), bool(conflicts)

    def joined(self, path: str, mine: File, base: File, new: File) -> tuple[bytes, int]:
        """What git makes of three versions; a list in which git has a conflict may hold both sides' lines."""
        text, conflicts = three_way(mine.text, base.text, new.text)
        if 0 < conflicts < 255 and PurePosixPath(path).name in LISTS and path not in self.announced:
            now = self.result.get(path)
            if now and is_joined(mine.text, base.text, new.text, now.text):
                return now.text, 0
        return text, conflicts

    def created(self, path: str) -> File | None:
        """What becomes of a path that the project does not have."""
        new = self.new.get(path)
        if new is None or (path in self.base and path not in self.seams):
            return None
        # An edited file is in the way, also when the template renames it and its edits move along.
        kept = {one for one in self.mine if one in self.result or self.mine[one] != self.base.get(one)}
        if any(one.startswith(f"{path}/") or path.startswith(f"{one}/") for one in kept):
            return None
        for folder in PurePosixPath(path).parents[:-1] if path not in self.base else ():
            if inside := [one for one in self.base if one.startswith(f"{folder}/")]:
                return new if any(one in self.mine for one in inside) else None
        return new

    def inherited(self, path: str) -> list[File]:
        """What a new file may become that takes over the edits of one that the template drops."""
        found = []
        if path in self.new and path not in self.base:
            new = self.new[path]
            for old in (self.base.keys() & self.mine.keys()) - self.new.keys() - self.result.keys():
                mine, base = self.mine[old], self.base[old]
                text, conflicts = self.joined(path, mine, base, new)
                executable = new.executable if mine.executable == base.executable else mine.executable
                found += [File(text, executable)] * (not conflicts)
        return found

    def heir(self, path: str) -> bool:
        """Whether a new file has taken over the edits of this one, which the template drops."""
        mine, base = self.mine[path], self.base[path]
        new = {one: file for one, file in self.new.items() if one not in self.base and one not in self.mine}
        return any(
            self.joined(one, mine, base, file) == (self.result[one].text, 0)
            for one, file in new.items()
            if one in self.result
        )
