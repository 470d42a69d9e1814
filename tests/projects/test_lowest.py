"""The package at the lowest versions that pyproject.toml allows: what commits is undone there, too."""

import shutil
import tomllib
from hashlib import sha256
from pathlib import Path

import ecosystem
import pytest
import roles
import shapes

PYTHON = shapes.PYTHONS[0]
VERSIONS = "from hermetic.versions import LOWEST, numbers, version; import sys\n"
VERSIONS += "for name, lowest in LOWEST.items(): assert numbers(version(name)) == numbers(lowest), name"


def environment() -> Path:
    """A virtual environment with the lowest version of each package that the layer needs."""
    settings = tomllib.loads((shapes.ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*settings["dependencies"], settings["optional-dependencies"]["postgresql"][-1]]
    key = sha256(repr([PYTHON, wanted]).encode()).hexdigest()[:12]
    venv = shapes.CACHE / "environments" / f"lowest-{key}"
    with shapes.locked(venv.with_name(f"{venv.name}.lock")):
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            shapes.uv("venv", "--quiet", "--python", shapes.interpreter(PYTHON), str(venv), cwd=venv.parent)
            options = ["--quiet", "--python", str(venv), "--resolution", "lowest-direct"]
            shapes.uv("pip", "install", *options, *wanted, cwd=venv.parent)
            (venv / "complete").touch()
    return venv


@pytest.fixture
def project(tmp_path, kind):
    path = tmp_path / "lowest"
    shutil.copytree(shapes.PAYLOADS / "lowest", path)
    project = shapes.Project(path, environment(), {"PYTHONPATH": str(ecosystem.layer())})
    project.run("python", "-c", VERSIONS)
    if kind == "memory":
        yield project
        return
    with roles.role(project, "CREATEDB"):
        yield project


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["memory", "owner"])
def test_the_package_works_at_its_lowest_versions(project):
    done = project.pytest("-v", check=False)

    leak = "1 leak: database:django_db_blocker (not restored): use it as a context manager"
    assert leak in done.stdout, done.stdout
    assert "20 passed, 1 error" in done.stdout, done.stdout
    assert "is off:" not in done.stdout, done.stdout
