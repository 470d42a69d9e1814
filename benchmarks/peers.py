"""Other ways to a tested Django project: startproject, cookiecutter-django, pytest-hygiene.

What cookiecutter-django costs is measured where a checkout of it is named.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import cpu
import roles
import shapes
import test_faults

Variants = dict[str, Callable[[], float]]
QUIET = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
# A project of `startproject`, with pytest-django alone.
STARTPROJECT = """
import pytest

@pytest.mark.django_db
def test_admin(client):
    assert client.get("/admin/login/").status_code == 200
"""
ONE_TEST = "tests/test_smoke.py::test_admin_login_page"


def generated(folder: Path, python: str = "3.11", **answers) -> shapes.Project:
    if not (template := folder / "template").exists():
        shapes.copy_template(template)
    path = shapes.render(template, folder / "-".join(["project", *map(str, answers.values())]), answers)
    return shapes.Project(path, shapes.environment(path, python))


def started(folder: Path, project: shapes.Project) -> shapes.Project:
    """What `startproject` makes, in the environment of a generated project."""
    (path := folder / "startproject").mkdir()
    plain = shapes.Project(path, project.venv, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})
    plain.run("django-admin", "startproject", "shop", ".")
    (path / "test_shop.py").write_text(STARTPROJECT)
    return plain


def cookiecutter(checkout: Path, folder: Path, hooks: str = "no") -> None:
    """Render that template, by default without its hooks, which lock all dependencies."""
    command = [shapes.UV, "tool", "run", "cookiecutter", "--no-input", "--accept-hooks", hooks]
    subprocess.run([*command, "--output-dir", folder, checkout], check=True, stdout=subprocess.DEVNULL)


def of_cookiecutter(checkout: Path, folder: Path) -> shapes.Project:
    """A project of cookiecutter-django, whose psycopg needs no compiler here."""
    cookiecutter(checkout, folder, hooks="yes")
    (path,) = folder.glob("my_awesome_project")
    configuration = path / "pyproject.toml"
    configuration.write_text(configuration.read_text().replace("psycopg[c]", "psycopg[binary]"))
    (path / "uv.lock").unlink()
    project = shapes.Project(path, path / ".venv")
    project.run(shapes.UV, "sync", "--quiet")
    return project


def seconds(project: shapes.Project, *options: str) -> float:
    before = cpu.of_children()
    project.pytest(*QUIET, *options)
    return cpu.of_children() - before


def start(folder: Path) -> Variants:
    ours, postgresql = generated(folder), generated(folder, database="postgresql")
    plain = started(folder, ours)
    variants: Variants = {
        "startproject": lambda: seconds(plain, "-p", "pytest_django.plugin", "--ds=shop.settings"),
        "hermetic, SQLite": lambda: seconds(ours, ONE_TEST),
        "hermetic, PostgreSQL": lambda: seconds(postgresql, ONE_TEST),
        "hermetic, PostgreSQL, --reuse-db": lambda: seconds(postgresql, ONE_TEST, "--reuse-db"),
    }
    for run in variants.values():
        run()  # It compiles modules, and makes databases that are kept.
    return variants


def suite(folder: Path, stack: ExitStack, checkout: Path | None) -> Variants:
    """CPU of a run, less that of collecting its tests, over their number; that of a server is not in it."""

    def a_test(project):
        collected = seconds(project, "--collect-only")
        before = cpu.of_children()
        done = project.pytest(*QUIET)
        number = int(re.search(r"(\d+) passed", done.stdout)[1])
        return 1000 * (cpu.of_children() - before - collected) / number

    projects = {
        "hermetic, default": generated(folder),
        "hermetic, all toggles": generated(
            folder, use_celery=True, use_procrastinate=True, use_channels=True, use_drf=True
        ),
    }
    if checkout:  # It needs a server, and its own Python.
        same = generated(folder, "3.14", database="postgresql")
        stack.enter_context(roles.role(same, "SUPERUSER"))
        theirs = of_cookiecutter(checkout, folder)
        theirs.env["DATABASE_URL"] = same.env["DATABASE_URL"]
        projects["hermetic, Python 3.14"] = same
        projects["cookiecutter-django, Python 3.14"] = theirs
        theirs.pytest(*QUIET)  # It makes the database that is reused.
    return {name: lambda project=project: a_test(project) for name, project in projects.items()}


def copies(folder: Path, checkout: Path | None) -> Variants:
    counter = iter(range(1000))

    def fresh() -> Path:
        (path := folder / f"copy-{next(counter)}").mkdir()
        return path

    def timed(command) -> float:
        before = cpu.of_children()
        command()
        return cpu.of_children() - before

    django = [
        shapes.environment(generated(folder).path, "3.11") / "bin" / "django-admin",
        "startproject",
        "shop",
    ]
    variants: Variants = {
        "startproject": lambda: timed(lambda: subprocess.run(django, cwd=fresh(), check=True))
    }
    if checkout:
        cookiecutter(checkout, fresh())  # It downloads cookiecutter.
        variants["cookiecutter-django, without its hooks"] = lambda: timed(
            lambda: cookiecutter(checkout, fresh())
        )
    return variants


def faults(folder: Path) -> Variants:
    """How many of the planted faults that a test leaves each names, and how many innocents it accuses."""
    project = generated(folder)
    cpu.add_packages(project.path, ["freezegun==1.5.5", "pytest-hygiene>=0.1"])
    project.venv = shapes.environment(project.path, "3.11")
    project.env["TMPDIR"] = str(folder)
    planted = project.path / "tests" / "faults"
    shutil.copytree(test_faults.FAULTS, planted, ignore=shutil.ignore_patterns("__pycache__"))
    table = [fault for fault in test_faults.faults() if fault[2] == "reported"]
    # As test_faults.py runs them.
    in_order = ["-q", "-p", "randomly", "--randomly-dont-reorganize"]
    project.pytest("tests/faults", *in_order, "--no-hygiene", "--junitxml=on.xml", check=False)
    targets = [f"tests/faults/{module}.py::{name}" for module, name, *_ in table]
    script = f"PACKAGE = {project.package.name!r}\n{test_faults.ONE_BY_ONE}"
    project.run("python", "-c", script, *targets, PYTEST_ADDOPTS="--hygiene-strict")
    ours = test_faults.results(project.path / "on.xml")
    theirs = {}
    for file in (project.path / "off").glob("*.xml"):
        theirs |= test_faults.results(file)

    def counted(found, words, role):
        return sum(
            any(words in text for text in test_faults.role(found, name, role)) for _, name, *_ in table
        )

    if not ours or not theirs:
        sys.exit("The planted faults did not run.")
    return {
        "planted": lambda: len(table),
        "hermetic": lambda: counted(ours, "Leaked: ", "polluter"),
        "pytest-hygiene": lambda: counted(theirs, "leaked global state", "polluter"),
        "innocents, accused by hermetic": lambda: counted(ours, "Leaked: ", "innocent"),
        "innocents, accused by pytest-hygiene": lambda: counted(theirs, "leaked global state", "innocent"),
    }
