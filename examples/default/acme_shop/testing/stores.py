"""What caches and storages in memory hold: emptied before each test, but for what broader fixtures put there."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from copy import deepcopy
from functools import cache
from itertools import chain
from typing import Any

from django.conf import settings
from django.core.files.storage import InMemoryStorage, storages
from django.utils.module_loading import import_string

from . import compat
from .leaks import ABSENT

# (dict, key, value): of a cache, or of a folder in a storage.
Entry = tuple[dict[str, Any], str, Any]


def entries() -> list[Entry]:
    return [entry for name, holders in stores() for entry in inside(holders)]


def stores() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """The name of each cache and storage in memory, and the dicts that hold its content.

    Other caches may be shared with development.
    """
    with suppress(compat.Renamed):
        yield "caches", compat.memory_caches()
    for alias in storages_in_memory():
        storage = storages[alias]
        try:
            yield f"storage {alias}", [compat.stored_files(storage)]
        except compat.Renamed:
            for name in chain(*storage.listdir("")):
                storage.delete(name)


def inside(holders: list[dict[str, Any]]) -> Iterator[Entry]:
    """Folders come before their files."""
    holders = [*holders]
    for holder in holders:
        for key, value in [*holder.items()]:
            yield holder, key, value
            if (files := compat.files_of_folder(value)) is not None:
                holders.append(files)


def added(before: Iterable[Entry]) -> list[Entry]:
    """What they hold now and did not hold before."""
    then = {(id(holder), key): value for holder, key, value in before}
    return [
        (holder, key, copied(value))
        for holder, key, value in entries()
        if then.get((id(holder), key), ABSENT) is not value
    ]


def reset(kept: list[Entry]) -> list[str]:
    """Empty them, but for these entries; return the names of those that held anything else."""
    names: list[str] = []
    known = {(id(holder), key) for holder, key, _value in kept}
    for name, holders in [*stores()]:
        found = [*inside(holders)]
        for holder, _key, _value in found:
            holder.clear()
        if any((id(holder), key) not in known for holder, key, _value in found):
            names.append(name)
    for holder, key, value in kept:
        holder[key] = copied(value)
    return names


def copied(value: Any) -> Any:
    """A copy, since a test may change a file; but a folder itself, whose files are entries, too."""
    return value if compat.files_of_folder(value) is not None else deepcopy(value)


def storages_in_memory() -> list[str]:
    """Their aliases. Others are not created here: one may need a setting that tests lack."""
    return [
        alias for alias, options in settings.STORAGES.items() if is_in_memory(options["BACKEND"])
    ]


@cache
def is_in_memory(backend: str) -> bool:
    try:
        return issubclass(import_string(backend), InMemoryStorage)
    except Exception:  # The test that uses it sees the error.
        return False
