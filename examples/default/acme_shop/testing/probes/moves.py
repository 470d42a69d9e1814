"""What a test renames and was there before it: it is renamed back, and never removed."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import disk


@dataclass(eq=False)
class Move:
    """A file or folder: its path before the test, and each that it may have now, since a rename may fail."""

    origin: str
    identity: disk.Identity
    places: list[str]
    changed: float  # When it last was, before it was renamed.
    is_kept: bool  # Whether its content is.

    def may_be_at(self, *places: str) -> None:
        self.places = [*dict.fromkeys([*self.places, *places])]

    def place(self) -> str | None:
        return next((one for one in self.places if disk.identity(one) == self.identity), None)


class Moves:
    """The renames of a test, and the contents of files by the paths that they had before it."""

    def __init__(self) -> None:
        self.of: dict[str, Move] = {}  # By origin; what was renamed last is last.
        self.by: dict[disk.Identity, Move] = {}
        self.copies: dict[str, str] = {}  # By shutil.move(): target and origin.

    def rename(self, source: str, target: str, origin: str | None, is_kept: bool) -> None:
        """Note what is about to be renamed. ``origin``: None for what the test made."""
        if origin:
            found = disk.identity(source)
            move = self.of.pop(origin, None)
            if not move or move.identity != found:
                move = Move(origin, found, [origin], disk.changed(source), is_kept)
            self.of[origin] = self.by[found] = move
            move.may_be_at(source, target)
        for one in [*self.of.values()]:  # What is inside comes along.
            inside = [place for place in one.places if place.startswith(f"{source}/")]
            one.may_be_at(*(target + place.removeprefix(source) for place in inside))

    def forget(self, move: Move) -> None:
        self.of.pop(move.origin, None)
        self.by.pop(move.identity, None)

    def original(self, path: str) -> str | None:
        """The path before the test; None inside of what took the place of something renamed."""
        for part in upwards(path) if self.of else ():
            if move := self.at(part):
                return move.origin + path.removeprefix(part)
            if part in self.of and self.of[part].place():
                return None
        return path

    def now(self, path: str) -> str:
        """The path where it is now, from that before the test."""
        for part in upwards(path) if self.of else ():
            if part in self.of and (place := self.of[part].place()):
                return place + path.removeprefix(part)
        return path

    def at(self, path: str) -> Move | None:
        move = self.by.get(disk.identity(path))
        return move if move and path in move.places else None

    def home(self, move: Move) -> str:
        """Where it belongs: its folder may be renamed, too."""
        folder, name = os.path.split(move.origin)
        return f"{self.now(folder)}/{name}"

    def is_away(self, move: Move) -> bool:
        return move.place() not in (None, self.home(move))

    def holds(self, path: str) -> bool:
        """Whether something is inside that was there before the test, elsewhere, and is not back."""
        away = [one.place() or "" for one in self.of.values() if self.is_away(one)]
        away += filter(self.is_copied, self.copies)
        return any(place.startswith(f"{path}/") for place in away)

    def put_back(self, move: Move) -> None:
        """Rename it back; what took its place is renamed back, too, or removed, where the test made it."""
        place, home = move.place(), self.home(move)
        if not place:
            return
        is_inside = home.startswith(f"{place}/")
        now = place
        if is_inside or disk.identity(home):
            now = unused(place if is_inside else home)
            os.rename(place, now)
            move.may_be_at(now)
        os.makedirs(os.path.dirname(home), exist_ok=True)
        if other := self.at(home):
            self.put_back(other)
        elif not self.holds(home):
            remove(home)
        os.rename(now, place if disk.identity(home) else home)

    def differs(self, path: str, content: bytes | None) -> bool:
        """Whether a file is not as it was; None for one that was not there."""
        now = self.now(path)
        is_there = disk.identity(now) is not None and self.original(now) == path
        return is_there if content is None else not is_there or disk.content(now) != content

    def restore(self, path: str, content: bytes | None) -> None:
        now = self.now(path)
        if self.original(now) != path:
            return  # Something else was renamed to it, and stays.
        if content is not None:
            Path(now).parent.mkdir(parents=True, exist_ok=True)
            Path(now).write_bytes(content)
        elif not self.may_hold(now):
            remove(now)

    def may_hold(self, path: str) -> bool:
        """Whether something that was there before the test may be at the path, or inside."""
        if self.holds(path) or not self.copies.keys().isdisjoint(upwards(path)):
            return True
        arrived = [one for one in self.of.values() if path in one.places]
        return any(one.place() in (path, None) and not one.is_kept for one in arrived)

    def is_copied(self, target: str) -> bool:
        return bool(disk.identity(target)) and not disk.identity(self.copies[target])

    def copy_back(self, target: str) -> None:
        os.makedirs(os.path.dirname(self.copies[target]), exist_ok=True)
        shutil.move(target, self.copies[target])


def upwards(path: str) -> Iterator[str]:
    """A path, and each folder above it."""
    while path:
        yield path
        path = path.rpartition("/")[0]


def unused(path: str) -> str:
    """A name beside it."""
    path += ".renamed"
    return unused(path) if disk.identity(path) else path


def remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        Path(path).unlink(missing_ok=True)  # Its folder may be gone already.
