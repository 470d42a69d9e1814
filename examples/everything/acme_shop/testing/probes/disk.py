"""The real files: pyfakefs and mocks replace functions by their names, and not what is bound here."""

import os
import stat
from contextlib import suppress
from functools import partial
from io import FileIO
from typing import Any

LIMIT = 64 * 2**20  # Bytes: what is larger is not read.

absolute, names = partial(os.path.abspath), partial(os.listdir)
status, own_status, read = partial(os.stat), partial(os.lstat), partial(FileIO)

Identity = tuple[int, int] | None


def resolved(path: Any, folder: int = -1) -> str | None:
    """An absolute path; None for a descriptor, and for a name in a folder that is given as one."""
    if isinstance(path, int):
        return None
    with suppress(OSError, TypeError):  # The working directory may be gone.
        name = os.fsdecode(path)
        if folder == -1 or name.startswith("/"):
            return str(absolute(name))
    return None


def identity(path: str) -> Identity:
    """What stays the same when it is renamed; None for what is not there."""
    with suppress(OSError, ValueError):
        found = own_status(path)
        return found.st_dev, found.st_ino
    return None


def changed(path: str) -> float:
    """When it last was; for a folder, when the oldest thing in it was."""
    with suppress(OSError, ValueError):
        found = own_status(path)
        inside = names(path) if stat.S_ISDIR(found.st_mode) else []
        times = [own_status(f"{path}/{name}").st_ctime for name in inside]
        return min(found.st_ctime, *times, float("inf"))
    return float("inf")


def device(path: str) -> int | None:
    found = identity(path)
    return found and found[0]


def inside(path: str, source: str) -> str:
    """Where shutil.move() puts it: inside of a folder that is there."""
    with suppress(OSError, ValueError):
        if stat.S_ISDIR(status(path).st_mode):
            return f"{path}/{source.rpartition('/')[2]}"
    return path


def content(path: str) -> bytes | None:
    """What a file holds; None for what is no file, cannot be read, or is too large."""
    with suppress(OSError, ValueError):
        found = status(path)
        if stat.S_ISREG(found.st_mode) and found.st_size <= LIMIT:
            with read(path) as file:
                return file.readall()
    return None
