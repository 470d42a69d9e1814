"""Files that a test created, changed or deleted outside its temporary folder."""

import gc
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from typing import Any
from warnings import catch_warnings, simplefilter

from django.db import connections

from ..audit import Audit
from ..database.kept import FOLDER
from ..leaks import Leak
from . import disk
from .base import Probe
from .frames import callers, first, is_of_interpreter
from .moves import Move, Moves, upwards

Function = Callable[[], Any]
# A name that tempfile chose.
RANDOM = re.compile(r"(?<=/tmp)[a-z0-9_]{8}(?![^/.])")
IGNORED = (
    "__pycache__",
    "/.pytest_cache",
    f"/{FOLDER}/",
    "/.coverage",
    "/.hypothesis",
    "/site-packages/",  # A library may keep tables beside its code.
)


class Files(Probe):
    """Watches what the interpreter announces: open for writing, mkdir, remove, rename, links, SQLite.

    Ignores tmp_path, bytecode, the caches of pytest, coverage and hypothesis, installed packages, SQLite
    test databases, a folder that a library made in this test, a log file that logging opens when it
    writes to it first, files that C code or a subprocess writes, names relative to an open folder,
    shutil.rmtree(), and the content of a file that cannot be read or is larger than 64 MB. Outside of the
    project and the system's temporary folder it ignores all, since that may be a tool's log. Costs
    nothing until a file is written; then its content is read once. Reverts the content, renames back what
    was there before, or removes what was created.
    """

    name, remedy = "files", "write to tmp_path, or use an in-memory storage"

    def __init__(self, audit: Audit, root: str, temporary: str) -> None:
        self.audit, self.root, self.temporary = audit, root, temporary
        self.system = f"{tempfile.gettempdir()}/"
        self.before: dict[str, bytes | None] = {}  # None for what was not there.
        self.others: set[str] = set()  # That were there, like folders: their content is not kept.
        self.of_libraries: set[str] = set()  # Folders that they made in this test.
        self.moves = Moves()
        self.start, self.old = time.time(), set[disk.Identity]()
        self.events = {
            "open": self.opened,
            "os.mkdir": self.made,
            "os.rmdir": self.touched,
            "os.remove": self.touched,
            "os.rename": self.renamed,
            "os.symlink": lambda source, target, folder=-1: self.touched(target, folder),
            "os.link": lambda source, target, one=-1, folder=-1: self.touched(target, folder),
            "os.truncate": lambda path, *rest: self.touched(path),
            "shutil.move": self.moved,
            "sqlite3.connect": self.touched,
        }

    def opened(self, path: Any, mode: str | None, flags: int) -> None:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            self.touched(path)

    def made(self, path: Any, mode: int = 0, folder: int = -1) -> None:
        self.touched(path, folder)
        found = self.original(path, folder)
        if found and self.before.get(found, b"") is None and is_by_library():
            self.of_libraries.add(f"{found}/")

    def renamed(self, old: Any, new: Any, folder: int = -1, other: int = -1) -> None:
        source, target = disk.resolved(old, folder), disk.resolved(new, other)
        if not source or not target:
            return
        if (self.watches(source) or self.watches(target)) and not is_by_logging():
            origin = self.moves.original(source)
            if not disk.identity(source) or (origin and self.is_made(origin)):
                origin = None
            self.touched(source)
            self.touched(target)
            is_kept = self.before.get(origin or "") is not None
            self.moves.rename(source, target, origin, is_kept)

    def moved(self, old: Any, new: Any) -> None:
        """To another disk, or a new folder, it is copied, and then removed."""
        source, target = disk.resolved(old), disk.resolved(new)
        if not source or not target or not disk.identity(source):
            return
        target = disk.inside(target, source)
        origin = self.moves.original(source)
        is_far = disk.device(source) != disk.device(os.path.dirname(target))
        if is_far and origin and self.watches(target) and not self.is_made(origin):
            self.moves.copies[target] = origin

    def is_made(self, path: str) -> bool:
        """Whether the test made it, or the folder that it is in."""
        return any(self.before.get(part, b"") is None for part in upwards(path))

    def original(self, path: Any, folder: int = -1) -> str | None:
        """The path that a file had before the test; None for one that is not watched."""
        found = disk.resolved(path, folder)
        origin = self.moves.original(found) if found else None
        return origin if origin and self.watches(origin) else None

    def watches(self, path: str) -> bool:
        is_near = path.startswith((self.root, self.system)) and not path.startswith(self.temporary)
        return is_near and not any(part in path for part in IGNORED)

    def touched(self, path: Any, folder: int = -1) -> None:
        """Keep what the file holds before the test changes it; None for a file that is not there."""
        found = self.original(path, folder)
        if not found or found in self.before or found in self.others or is_by_logging():
            return
        now = self.moves.now(found)
        if disk.identity(now) is None:
            self.before[found] = None
            return
        with self.audit.paused():
            content = disk.content(now) if found.startswith(self.root) else None
        if content is None:
            self.others.add(found)
        else:
            self.before[found] = content

    def note(self) -> None:
        self.before, self.others, self.of_libraries, self.moves = {}, set(), set(), Moves()

    renew = note

    def leaks(self) -> Iterable[Leak]:
        created = [path for path, content in self.before.items() if content is None]
        if any(map(self.is_temporary, created)):
            collect()
        yield from self.away()
        moves = self.moves
        for path, content in [*self.before.items()]:
            if is_database(path) or f"{path}/".startswith((*self.of_libraries,)):
                continue
            there = partial(moves.differs, path, content)
            if there():
                is_there = disk.identity(moves.now(path))
                word = "created" if content is None else "changed" if is_there else "deleted"
                revert = partial(moves.restore, path, content)
                yield self.leak(self.part(path), word, revert, there=there)

    def away(self) -> Iterator[Leak]:
        """What was there before and is elsewhere: reverted first, since contents are by their old paths."""
        moves = self.moves
        for move in reversed([*moves.of.values()]):
            old, new = move.origin, str(move.place())
            if moves.is_away(move) and (self.is_ours(move) or self.watches(new)):
                self.old.add(move.identity)  # Renaming it back changes its time.
                functions = partial(moves.put_back, move), partial(moves.is_away, move)
                yield from self.pair(old, new, *functions)
        for target in filter(moves.is_copied, [*moves.copies]):
            functions = partial(moves.copy_back, target), partial(moves.is_copied, target)
            yield from self.pair(moves.copies[target], target, *functions)

    def is_ours(self, move: Move) -> bool:
        """Whether it was in the project before the test; a subprocess may have made a folder in this run."""
        is_old = move.is_kept or move.changed < self.start or move.identity in self.old
        path = move.origin
        return (
            is_old and path.startswith(self.root) and self.watches(path) and not is_database(path)
        )

    def pair(self, old: str, new: str, revert: Function, there: Function) -> Iterator[Leak]:
        """Both names, which renaming back has, too; once the first is reverted, the other is none."""
        words = [(old, f"renamed to {self.part(new)}"), (new, "created")]
        if not old.startswith(self.root) and self.before.get(new, b"") is None:
            words.reverse()
        for path, word in words:
            yield self.leak(self.part(path), word, revert, there=there)

    def is_temporary(self, path: str) -> bool:
        """Whether it is a temporary file that is still there."""
        is_ours = path.startswith(self.root)
        return not is_ours and path.startswith(self.system) and os.path.lexists(path)

    def accept(self, part: str) -> None:
        for move in [*self.moves.of.values()]:
            if part in (self.part(move.origin), self.part(move.place() or "")):
                self.moves.forget(move)
                for path in [one for one in self.before if {*move.places} & {*upwards(one)}]:
                    del self.before[path]
        self.before = {path: one for path, one in self.before.items() if self.part(path) != part}

    def part(self, path: str) -> str:
        """The name of a file in a leak: relative to the project, and the same in every run."""
        return RANDOM.sub("*", path.removeprefix(self.root))


def is_by_library() -> bool:
    """Whether the code that runs is a library's: one may remember that it has made its folder, as search engines do.

    Django is none, since its storages make a folder for each file.
    """
    for frame in callers():
        if not is_of_interpreter(frame):
            return "site-packages" in frame.f_code.co_filename and first(frame) != "django"
    return False


def is_by_logging() -> bool:
    """Whether a handler opens or renames its file when it writes to it, and not when it is made."""
    found = [*islice(callers(), 8)]
    names = [frame.f_code.co_name for frame in found if first(frame) == "logging"]
    return first(found[0]) == "logging" and "emit" in names and "__init__" not in names


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
