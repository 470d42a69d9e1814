"""The development database survives a django_db_setup that replaces pytest-django's, on PostgreSQL."""

from contextlib import nullcontext

import pytest
import roles

# As Django's and pytest-django's documents suggest it for a database that exists already.
CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def django_db_setup():
    pass
"""
TESTS = """
import pytest
from django.contrib.auth.models import Group


@pytest.mark.django_db(transaction=True)
def test_commits():
    Group.objects.all().delete()


@pytest.mark.django_db
def test_rolls_back():
    Group.objects.create(name="theirs")
"""
MANAGE = "from django.contrib.auth.models import Group; "


@pytest.fixture(params=["private", "DATABASE_URL"])
def project(generate, request):
    """A project with a row in its development database."""
    project = generate(database="postgresql", include_sample=False)
    project.env["DEBUG"] = "true"
    with roles.role(project, "CREATEDB") if request.param == "DATABASE_URL" else nullcontext() as name:
        if name:
            roles.execute(project, f"CREATE DATABASE {name} OWNER {name}")
        project.run("python", "manage.py", "migrate", "-v0")
        project.run("python", "manage.py", "shell", "-c", f"{MANAGE}Group.objects.create(name='ours')")
        yield project


def test_it_is_never_touched(project):
    (project.path / "tests" / "more").mkdir()
    (project.path / "tests" / "more" / "conftest.py").write_text(CONFTEST)
    (project.path / "tests" / "more" / "test_groups.py").write_text(TESTS)

    for options in ((), ("-n", "2")):
        done = project.pytest("-q", "tests/more", *options, check=False)
        assert done.returncode == 1
        assert "Tests would use the database" in done.stdout
        assert "add django_db_setup to its arguments. Nothing was changed." in done.stdout
        assert " passed" not in done.stdout

    shown = project.run("python", "manage.py", "shell", "-c", f"{MANAGE}print(*Group.objects.all())")
    assert shown.stdout.splitlines()[-1] == "ours"
