"""A role on the server that DATABASE_URL names, for a generated project; without it the test is skipped."""

import os
import uuid
from collections.abc import Generator
from contextlib import contextmanager
from urllib.parse import urlsplit

import shapes
from processes import listening

SERVER = os.environ.get("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
EXECUTE = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    for statement in sys.argv[2:]:
        cursor = connection.execute(statement)
        for row in cursor.fetchall() if cursor.description else ():
            print(*row)
"""
OWNED = "SELECT datname FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE rolname = '{}'"


def execute(project: shapes.Project, *statements: str, database: str = "") -> list[str]:
    """Run statements as the server's superuser: the rows, a line each."""
    server = f"{SERVER.rpartition('/')[0]}/{database}" if database else SERVER
    return project.run("python", "-c", EXECUTE, server, *statements).stdout.splitlines()


@contextmanager
def role(project: shapes.Project, rights: str) -> Generator[str]:
    """The project's DATABASE_URL is a new role's, whose name is the database's; all it made is dropped."""
    parts = urlsplit(SERVER)
    if not listening(parts.port, parts.hostname):
        shapes.required(f"no server at {parts.hostname}:{parts.port}")
    name = f"hermetic_{uuid.uuid4().hex[:12]}"
    execute(project, f"CREATE ROLE {name} LOGIN {rights} PASSWORD '{name}'")
    project.env["DATABASE_URL"] = f"postgres://{name}:{name}@{parts.hostname}:{parts.port}/{name}"
    yield name
    made = execute(project, OWNED.format(name))
    execute(project, *(f'DROP DATABASE "{one}" WITH (FORCE)' for one in made), f"DROP ROLE {name}")
