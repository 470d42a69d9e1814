"""Tests that commit leave nothing: payloads/restore on each database, as superuser and as plain owner."""

import shutil

import pytest
import roles
import shapes

# A fixture's row, and a table in which only tests that roll back have taken numbers.
NUMBERS = """
import pytest
from restore.models import Box, Shelf

@pytest.fixture(scope="session")
def shared(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        return Box.objects.create(shelf_id=1)

@pytest.mark.django_db
@pytest.mark.parametrize("twin", [1, 2])
def test_rolls_back(shared, twin):
    Box.objects.create(shelf_id=1)
    Shelf.objects.create(name="own")

@pytest.mark.django_db(transaction=True)
def test_commits(shared):
    Box.objects.create(shelf_id=1)
    assert Shelf.objects.create(name="own").pk == 3
"""
KINDS = ["memory", "file", "private", "superuser", "owner"]


@pytest.fixture
def project(generate, kind):
    """A project on that kind of database; a server's role and databases are gone afterwards."""
    project = generate(package_name="shop", database="postgresql")
    shutil.copytree(shapes.PAYLOADS / "restore", project.path / "restore")
    project.env["RESTORE"] = kind if kind in ("memory", "file") else "postgresql"
    if kind not in ("superuser", "owner"):
        yield project
        return
    with roles.role(project, "SUPERUSER" if kind == "superuser" else "CREATEDB"):
        yield project


def run(project, *options, **environ):
    return project.pytest("--ds=restore.settings", "-q", "restore", *options, check=False, **environ)


@pytest.mark.parametrize("kind", KINDS)
def test_every_committing_test_is_undone(project, kind):
    done = run(project)

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("kind", ["memory", "private"])
def test_numbers_begin_anew_but_for_rows_of_wider_fixtures(project):
    (project.path / "test_numbers.py").write_text(NUMBERS)

    done = project.pytest("--ds=restore.settings", "-q", "test_numbers.py", check=False)

    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", ["memory", "private"])
def test_without_the_part_they_are_red(project, kind):
    done = run(project, "-p", "no:hermetic-restore")

    assert " failed" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("kind", "holder"),
    [
        ("private", "the test (process"),
        ("owner", "the test (process"),
        ("file", "another process or connection"),
    ],
)
def test_the_holder_of_a_lock_is_named(project, holder):
    done = run(project, "-k", "test_leaves_a_lock or test_rows", LOCKED="1", PGAPPNAME="the test")

    message = f"DatabaseLocked: After this test, database 'default' was still locked by {holder}"
    assert message in done.stdout
    assert "1 error" in done.stdout
    assert "failed" not in done.stdout, done.stdout
