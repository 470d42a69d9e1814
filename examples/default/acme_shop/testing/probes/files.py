"""Files that a test created, changed or deleted outside its temporary folder."""

import gc
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable
from functools import partial
from inspect import currentframe
from pathlib import Path
from types import FrameType
from typing import Any
from warnings import catch_warnings, simplefilter

from django.db import connections

from ..audit import Audit
from ..database.kept import FOLDER
from ..leaks import Leak
from .base import Probe
from .project import LAYER

# A name that tempfile chose.
RANDOM = re.compile(r"(?<=/tmp)[a-z0-9_]{8}(?![^/.])")
IGNORED = ("__pycache__", "/.pytest_cache", f"/{FOLDER}/", "/.coverage", "/.hypothesis")


class Files(Probe):
    """Watches what the interpreter announces: open for writing, mkdir, remove, rename, links, SQLite.

    Ignores tmp_path, bytecode, the caches of pytest, coverage and hypothesis, SQLite test databases, a
    folder that a library made in this test, and files that C code or a subprocess writes. Outside of the
    project and the system's temporary folder it ignores all, since that may be a tool's log. Costs
    nothing until a file is written; then its content is read once. Reverts the content, or removes what
    was created.
    """

    name, remedy = "files", "write to tmp_path, or use an in-memory storage"

    def __init__(self, audit: Audit, root: str, temporary: str) -> None:
        self.audit, self.root, self.temporary = audit, root, temporary
        self.system = f"{tempfile.gettempdir()}/"
        self.before: dict[str, bytes | None] = {}
        self.of_libraries: set[str] = set()  # Folders that they made in this test.
        self.events = {
            "open": self.opened,
            "os.mkdir": self.made,
            "os.remove": lambda path, *rest: self.touched(path),
            "os.rename": lambda path, target, *rest: (self.touched(path), self.touched(target)),
            "os.symlink": lambda source, target, *rest: self.touched(target),
            "os.link": lambda source, target, *rest: self.touched(target),
            "os.truncate": lambda path, *rest: self.touched(path),
            "sqlite3.connect": self.touched,
        }

    def opened(self, path: Any, mode: str | None, flags: int) -> None:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            self.touched(path)

    def made(self, path: Any, *rest: Any) -> None:
        path = os.path.abspath(os.fsdecode(path))
        self.touched(path)
        if self.before.get(path, b"") is None and is_by_library():
            self.of_libraries.add(f"{path}/")

    def touched(self, path: Any) -> None:
        """Keep what the file holds before the test changes it; None for a file that is not there."""
        if isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path in self.before or path.startswith(self.temporary):
            return
        if not path.startswith((self.root, self.system)):
            return
        if any(part in path for part in IGNORED):
            return
        if not os.path.lexists(path):
            self.before[path] = None
        elif path.startswith(self.root) and os.path.isfile(path):
            with self.audit.paused():
                self.before[path] = Path(path).read_bytes()

    def note(self) -> None:
        self.before, self.of_libraries = {}, set()

    renew = note

    def leaks(self) -> Iterable[Leak]:
        created = [path for path, content in self.before.items() if content is None]
        if any(map(self.is_temporary, created)):
            collect()
        for path, content in [*self.before.items()]:
            if is_database(path) or f"{path}/".startswith((*self.of_libraries,)):
                continue
            part, there = self.part(path), os.path.lexists(path)
            if content is None and there:
                yield self.leak(
                    part, "created", partial(remove, path), there=partial(os.path.lexists, path)
                )
            elif content is not None and differs(path, content):
                word = "changed" if there else "deleted"
                there = partial(differs, path, content)
                yield self.leak(part, word, partial(restore, path, content), there=there)

    def is_temporary(self, path: str) -> bool:
        """Whether it is a temporary file that is still there."""
        is_ours = path.startswith(self.root)
        return not is_ours and path.startswith(self.system) and os.path.lexists(path)

    def accept(self, part: str) -> None:
        self.before = {path: one for path, one in self.before.items() if self.part(path) != part}

    def part(self, path: str) -> str:
        """The name of a file in a leak: relative to the project, and the same in every run."""
        return RANDOM.sub("*", path.removeprefix(self.root))


def is_by_library() -> bool:
    """Whether the code that runs is a library's: one may remember that it has made its folder, as search engines do.

    Django is none, since its storages make a folder for each file.
    """
    frame = currentframe()
    assert frame, "CPython has frames"
    while frame.f_back and (
        name_of(frame).startswith(LAYER) or first(frame) in sys.stdlib_module_names
    ):
        frame = frame.f_back
    return "site-packages" in frame.f_code.co_filename and first(frame) != "django"


def name_of(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__"))


def first(frame: FrameType) -> str:
    return name_of(frame).partition(".")[0]


def is_database(path: str) -> bool:
    """A SQLite test database, or its journal: Django reverts what tests do to it."""
    names = [
        database["NAME"]
        for database in connections.settings.values()
        if database["ENGINE"].endswith("sqlite3") and database["NAME"]
    ]
    return path.startswith(tuple(os.path.abspath(name) for name in names))


def collect() -> None:
    """Temporary files are deleted with their objects."""
    with catch_warnings():
        simplefilter("ignore", ResourceWarning)
        gc.collect()


def differs(path: str, content: bytes) -> bool:
    return not os.path.isfile(path) or Path(path).read_bytes() != content


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)  # Its folder may be gone already.


def restore(path: str, content: bytes) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_bytes(content)
