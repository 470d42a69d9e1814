"""Migrated once, on PostgreSQL, with several processes, kills and crashes; the key is tests/layer."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest
import roles
import shapes
from processes import wait_until

NONE = "built, new: none was kept"
SAID = re.compile(r"^(?:gw\d: )?test database 'default': (.*) \(", re.MULTILINE)
EXTENSION = """
from django.contrib.postgres.operations import HStoreExtension
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kept", "0001_initial")]
    operations = [HStoreExtension()]
"""
ALTER = """
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("kept", "0001_initial")]
    operations = [migrations.RunSQL("DO $$ BEGIN EXECUTE format("
        "'ALTER DATABASE %I SET work_mem = 8000', current_database()); END $$")]
"""
HOLD = """
import sys, psycopg
connection = psycopg.connect(sys.argv[1])
print("connected", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def project(generate, kind):
    project = generate(package_name="shop", database="sqlite" if kind == "memory" else "postgresql")
    shutil.copytree(shapes.PAYLOADS / "kept", project.path / "kept")
    if kind != "owner":
        yield project
        return
    with roles.role(project, "CREATEDB"):
        yield project


def command(*options):
    return ["--ds=kept.settings", "-v", "kept", "-p", "no:randomly", *options]


def said(project, *options, **environ):
    """Of each process: whether its database was cloned or built."""
    done = project.pytest(*command(*options), check=False, **environ)
    assert done.returncode == 0, done.stdout
    return sorted(SAID.findall(done.stdout))


def change(project):
    with (project.path / "kept" / "migrations" / "0001_initial.py").open("a") as file:
        file.write("# changed\n")


def templates(project):
    """Those of the project's role: name -> manifest, None when it is not finished."""
    name = project.env["DATABASE_URL"].rpartition("/")[2]
    rows = roles.execute(
        project,
        "SELECT datname, coalesce(shobj_description(d.oid, 'pg_database'), 'null') FROM pg_database d "
        f"JOIN pg_roles r ON r.oid = datdba WHERE rolname = '{name}' AND datname ~ '^testing_template'",
    )
    return {name: json.loads(text) for name, _, text in (row.partition(" ") for row in rows)}


@pytest.mark.parametrize("kind", ["memory", "private", "owner"])
def test_one_of_two_workers_builds_and_the_next_run_clones(project, kind):
    if kind != "memory":
        (project.path / "kept" / "migrations" / "0002_extension.py").write_text(EXTENSION)

    assert said(project, "-n", "2") == [NONE, "cloned"]
    assert said(project) == ["cloned"]
    assert said(project, "-n", "2", "--create-db") == ["built, new: --create-db", "cloned"]
    change(project)
    assert (
        said(project, "-n", "2")[0] == "built, new: the migrations of kept, kept/migrations/0001_initial.py"
    )


@pytest.mark.parametrize("kind", ["memory", "private", "owner"])
def test_a_run_that_is_killed_while_it_builds(project, tmp_path, kind):
    hangs = tmp_path / "hangs"
    done = subprocess.Popen(
        ["pytest", *command()],
        cwd=project.path,
        env=project.environ(HANG=str(hangs)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(hangs.exists, "the migration did not begin")
        if kind == "private":  # The server too.
            data = project.path / ".postgres" / "test" / "data"
            os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
    finally:
        done.kill()
        done.wait()

    assert said(project) == [NONE]
    assert said(project) == ["cloned"]


@pytest.mark.parametrize("kind", ["private"])
def test_what_a_copy_of_the_database_lacks_is_not_kept(project):
    (project.path / "kept" / "migrations" / "0002_alter.py").write_text(ALTER)

    why = "; not kept, since a migration altered the database itself (settings, rights)"
    assert said(project) == [NONE + why]


@pytest.mark.parametrize("kind", ["owner"])
def test_old_ones_are_dropped(project):
    """Too many, half made, and anybody's that are too old; the newest four stay."""
    said(project)
    [(first, manifest)] = templates(project).items()
    prefix = first.rpartition("_")[0]
    ages = {f"{prefix}_{number}": number for number in range(5)}
    ages |= {f"{prefix}_dead": None, "testing_template_other_1": 90_000, "testing_template_other_2": 1}
    role = project.env["DATABASE_URL"].rpartition("/")[2]
    for name, age in ages.items():
        text = json.dumps({**manifest, "time": manifest["time"] - age}) if age is not None else ""
        comment = f"COMMENT ON DATABASE {name} IS $json${text}$json$"
        roles.execute(project, f"CREATE DATABASE {name} OWNER {role}", *[comment] * bool(text))
    change(project)
    said(project)

    mine = {name for name in templates(project) if name.startswith(prefix)}
    assert mine - {first} > {f"{prefix}_0", f"{prefix}_1"}
    assert len(mine) == 4
    assert set(templates(project)) - mine == {"testing_template_other_2"}


@pytest.mark.parametrize("kind", ["owner"])
def test_a_clone_that_fails_is_built(project):
    """Somebody is connected to the kept database, so PostgreSQL does not copy it."""
    said(project)
    [name] = templates(project)
    roles.execute(project, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    server = f"{roles.SERVER.rpartition('/')[0]}/{name}"
    with subprocess.Popen(
        ["python", "-c", HOLD, server],
        env=project.environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as held:
        assert held.stdout.readline() == b"connected\n"

        assert said(project) == ["built, new: the kept one cannot be copied"]
        held.stdin.close()


@pytest.mark.parametrize("kind", ["owner"])
def test_a_role_that_may_create_nothing(project):
    """Neither a database nor a schema: an administrator made the one that --reuse-db uses."""
    name = project.env["DATABASE_URL"].rpartition("/")[2]
    test = f"test_{name}"
    roles.execute(project, f"ALTER ROLE {name} NOCREATEDB", f"CREATE DATABASE {test}")
    try:
        roles.execute(project, f"GRANT ALL ON SCHEMA public TO {name}", database=test)
        for _ in range(2):
            assert said(project, "--reuse-db", "-k", "not row", "-p", "no:hermetic-guard") == []
    finally:
        roles.execute(project, f"DROP DATABASE {test} WITH (FORCE)")
