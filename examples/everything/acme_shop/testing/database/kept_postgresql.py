"""PostgreSQL's kept databases: on the server itself, each with its manifest as the comment, written last."""

import hashlib
import json
import os
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from django.core import management
from django.db import Error
from django.db.backends.base.base import BaseDatabaseWrapper

from .. import compat
from .kept import KEPT, PATIENCE, Manifest, NotKept, listed, read
from .recorder import DAY

PREFIX = "testing_template_"
SERVER = """
SELECT version(), current_user, (to_jsonb(d) - '{datfrozenxid, datminmxid, datacl, datconnlimit}'::text[])::text
FROM pg_database d WHERE datname = 'template1'
"""
# What CREATE DATABASE does not copy.
UNCOPIED = """
SELECT datacl IS NOT NULL OR EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = d.oid)
FROM pg_database d WHERE datname = %s
"""
KEPT_SQL = """
SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database
WHERE starts_with(datname, %s) AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)
"""


class PostgreSQLTemplates:
    def __init__(self, connection: BaseDatabaseWrapper, root: Path) -> None:
        self.connection = connection
        self.prefix = f"{PREFIX}{_hash(f'{root} {connection.alias}')}_"

    @contextmanager
    def opened(self) -> Generator[None]:
        with compat.server_cursor(self.connection) as self.cursor:
            # The settings' are for queries, not for waiting or copying.
            self.cursor.execute(
                f"SET statement_timeout = 0; SET idle_session_timeout = 0; SET lock_timeout = '{PATIENCE}s'"
            )
            yield

    def server(self) -> Any:
        self.cursor.execute(SERVER)
        return self.cursor.fetchone()

    @contextmanager
    def locked(self, *, alone: bool) -> Generator[None]:
        shared = "" if alone else "_shared"
        self.cursor.execute(
            f"SELECT pg_advisory_lock{shared}(hashtextextended(%s, 0))", [self.prefix]
        )
        try:
            yield
        finally:
            with suppress(Error):
                self.cursor.execute(
                    f"SELECT pg_advisory_unlock{shared}(hashtextextended(%s, 0))", [self.prefix]
                )

    def kept(self) -> list[tuple[str, Manifest]]:
        return listed(self.all(self.prefix))

    def all(self, prefix: str) -> list[tuple[str, str | None]]:
        self.cursor.execute(KEPT_SQL, [prefix])
        return self.cursor.fetchall()

    def is_whole(self, template: str, manifest: Manifest) -> bool:
        """The comment was written last, and a crash of a private server removes all."""
        return True

    @contextmanager
    def cloning(self, template: str) -> Generator[None]:
        test = {"TEMPLATE": template}
        with (
            mock.patch.dict(self.connection.settings_dict["TEST"], test),
            mock.patch.object(management, "call_command"),  # It has the tables.
        ):
            yield

    def keep(self, manifest: Manifest) -> None:
        self.drop()
        source = self.connection.settings_dict["NAME"]
        self.cursor.execute(UNCOPIED, [source])
        if self.cursor.fetchone()[0]:
            raise NotKept("a migration altered the database itself (settings, rights)")
        self.connection.close()
        getattr(self.connection, "close_pool", bool)()  # Since Django 5.1.
        name = f"{self.prefix}{os.urandom(4).hex()}"
        quoted = self.connection.ops.quote_name(source)
        try:
            self.cursor.execute(f"CREATE DATABASE {name} TEMPLATE {quoted}")
            self.cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            self.cursor.execute(
                "SELECT format('COMMENT ON DATABASE %%I IS %%L', %s, %s)",
                [name, json.dumps(manifest)],
            )
            self.cursor.execute(self.cursor.fetchone()[0])
        except Error:
            self.remove(name)
            raise

    def drop(self) -> None:
        """Drop what is too much or half made, and every project's that is too old to be cloned."""
        stay = {name for name, _ in self.kept()[: KEPT - 1]}
        for name, text in self.all(PREFIX):
            mine = name.startswith(self.prefix)
            old = (manifest := read(text)) and manifest["time"] < time.time() - DAY
            if old or (mine and name not in stay):
                self.remove(name)

    def remove(self, name: str) -> None:
        with suppress(Error):
            self.cursor.execute(f"DROP DATABASE {name}")


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
