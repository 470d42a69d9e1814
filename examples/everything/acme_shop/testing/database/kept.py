"""Where built databases are kept: SQLite's as files in pytest's cache, with a manifest beside each.

``locked()`` has one process build while the others wait; inside it, ``kept()`` lists what is there,
the newest first, ``cloning()`` has Django's ``create_test_db()`` copy one, ``keep()`` adds one and
drops what is old, half made or too much.
"""

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Generator, Iterable
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, TypeVar
from unittest import mock

from django.core import management
from django.db.backends.base.base import BaseDatabaseWrapper

from .key import file_digest

try:
    import fcntl
except ImportError:  # Windows: then each process builds its own.
    fcntl = None  # type: ignore[assignment]

# In the folder of pytest's cache.
FOLDER = "test-databases"
KEPT = 4
# Of the manifest; one of another is as good as none.
FORMAT = 1
# How many seconds one process waits for another that builds.
PATIENCE = 600
Manifest = dict[str, Any]
T = TypeVar("T")


class NotKept(Exception):
    """Why a database that was built is not kept, or none is cloned."""


class SQLiteTemplates:
    def __init__(self, connection: BaseDatabaseWrapper, folder: Path) -> None:
        self.connection, self.folder = connection, folder
        self.pattern = f"{hashlib.blake2b(connection.alias.encode(), digest_size=6).hexdigest()}-*"

    def server(self) -> Any:
        name = str(self.connection.settings_dict["TEST"]["NAME"] or ":memory:")
        memory = name == ":memory:" or "mode=memory" in name
        return [self.connection.Database.sqlite_version, memory]

    @contextmanager
    def opened(self) -> Generator[None]:
        yield

    @contextmanager
    def locked(self, *, alone: bool) -> Generator[None]:
        deadline = time.monotonic() + PATIENCE
        with (self.folder / "lock").open("w") if fcntl else nullcontext() as lock:
            while lock:
                try:
                    fcntl.flock(lock, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise NotKept("another process has been building for too long") from None
                    time.sleep(0.02)
            yield

    def kept(self) -> list[tuple[Path, Manifest]]:
        files = [*self.folder.glob(f"{self.pattern}.json")]
        return listed((file.with_suffix(".sqlite3"), file.read_text()) for file in files)

    def is_whole(self, template: Path, manifest: Manifest) -> bool:
        """Nothing waits for the disk, so a power cut may have left less than was written."""
        return file_digest(template) == manifest["image"]

    @contextmanager
    def cloning(self, template: Path) -> Generator[None]:
        def fill(command: str, *args: Any, **options: Any) -> None:
            if command == "migrate":  # By now, the connection is to the new, empty database.
                self.connection.ensure_connection()
                with closing(_open(template)) as source:
                    source.backup(self.connection.connection)

        with mock.patch.object(management, "call_command", fill):
            yield

    def keep(self, manifest: Manifest) -> None:
        self.drop()
        new = self.folder / self.pattern.replace("*", os.urandom(6).hex())
        image, unnamed = new.with_suffix(".sqlite3"), new.with_suffix(".new")
        self.connection.ensure_connection()
        try:
            with closing(sqlite3.connect(image)) as target:
                target.execute("PRAGMA synchronous = OFF")
                self.connection.connection.backup(target)
            unnamed.write_text(json.dumps({**manifest, "image": file_digest(image)}))
            unnamed.rename(new.with_suffix(".json"))  # Last, so what is listed is whole.
        except (OSError, sqlite3.Error):  # A full disk.
            for file in (image, unnamed):
                file.unlink(missing_ok=True)
            raise

    def drop(self) -> None:
        whole = [file.stem for file, manifest in self.kept() if self.is_whole(file, manifest)]
        for file in self.folder.glob(self.pattern):
            if file.name.split(".")[0] not in whole[: KEPT - 1]:
                file.unlink(missing_ok=True)


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.as_uri()}?mode=ro&immutable=1", uri=True)


def listed(kept: Iterable[tuple[T, str | None]]) -> list[tuple[T, Manifest]]:
    """Those that are complete, the newest first."""
    found = [(template, manifest) for template, text in kept if (manifest := read(text))]
    return sorted(found, key=lambda one: -one[1]["time"])


def read(text: str | None) -> Manifest | None:
    """None for what is half made or another version's."""
    with suppress(ValueError):
        manifest = json.loads(text or "{}")
        return manifest if manifest.get("format") == FORMAT else None
    return None
