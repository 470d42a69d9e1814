"""The sample is removed by hand: whole folders, and not a line of the template's files."""

import shutil

import pytest
import shapes


@pytest.mark.parametrize("shape", ["default", "everything"])
def test_a_project_without_the_samples_folders_is_green(generate, shape):
    project = generate(**shapes.catalogue()[shape])
    for folder in (project.package / "orders", project.path / "tests" / "orders"):
        shutil.rmtree(folder)
        (folder / "__pycache__").mkdir(parents=True)  # `git rm` leaves what git does not track.
    production = {"SECRET_KEY": "k3y-of-this-test-" * 4, "ALLOWED_HOSTS": "shop.example.com"}
    manage = ("python", "manage.py")
    package = project.package.name

    project.run(*manage, "check", "--deploy", "--fail-level=WARNING", **production)
    project.run(*manage, "makemigrations", "--check", "--dry-run", f"--settings={package}.test_settings")
    project.run("python", "-c", f"import {package}.asgi", **production)
    project.run("ruff", "check", ".")
    project.run("ruff", "format", "--check", ".")
    project.run("mypy")
    assert " passed" in project.pytest("-q", "--cov").stdout
