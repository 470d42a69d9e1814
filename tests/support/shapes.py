"""Shapes of the template: rendered once per answer set, run in one environment per dependency set."""

import fcntl
import hashlib
import itertools
import os
import shutil
import subprocess
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest
import yaml
from copier import run_copy

ROOT = Path(__file__).resolve().parents[2]
PAYLOADS = ROOT / "tests" / "payloads"
CACHE = (ROOT / ".cache").resolve()  # A link in a work tree of git: all share the environments.
# The Makefile's own, for a benchmark or a test that is run without make.
UV = shutil.which("uv") or str(CACHE / "uv" / "bin" / "uv")
CONSTRAINTS = ROOT / "tests" / "support" / "constraints.txt"
# What a developer's shell might hold and a generated project would listen to.
FOREIGN = ("DATABASE_URL", "REDIS_URL", "CELERY_", "DJANGO_", "PYTEST_", "UV_PROJECT", "VIRTUAL_ENV")
LISTS = {
    name: question["default"] for name, question in yaml.safe_load((ROOT / "lists.yml").read_text()).items()
}
PYTHONS, DJANGO_VERSIONS, TOGGLES = (LISTS[name] for name in ("pythons", "django_versions", "toggles"))
COMBINATIONS = [
    dict(zip(TOGGLES, values, strict=True))
    for values in itertools.product([False, True], repeat=len(TOGGLES))
]


def catalogue() -> dict[str, dict]:
    """The named answer files of tests/support/answers: name -> answers."""
    return {
        file.stem: yaml.safe_load(file.read_text()) or {}
        for file in sorted((ROOT / "tests" / "support" / "answers").glob("*.yml"))
    }


def copy_template(target: Path, root: Path = ROOT) -> Path:
    """The template as it stands in the work tree, without git, so that rendering it clones nothing."""
    target.mkdir(parents=True)
    for file in root.glob("*.yml"):
        shutil.copy(file, target)
    litter = shutil.ignore_patterns("__pycache__", ".ruff_cache", ".mypy_cache")
    for folder in ("template", "hooks"):
        shutil.copytree(root / folder, target / folder, ignore=litter)
    return target


def render(template: Path, target: Path, answers: dict) -> Path:
    """Copy as a user would: no trust, defaults for what is not answered; raises what Copier raises."""
    run_copy(str(template), target, data=answers, defaults=True, quiet=True, unsafe=False)
    return target


@contextmanager
def locked(path: Path):
    """Hold a file lock: pytest-xdist's workers share the cache."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def required(reason: str) -> NoReturn:
    """Skip with a reason; fail where everything must be there (HERMETIC_REQUIRE_ALL, as in .ci/run)."""
    if os.environ.get("HERMETIC_REQUIRE_ALL"):
        pytest.fail(f"required here: {reason}", pytrace=False)
    pytest.skip(reason)


@cache
def interpreter(version: str) -> str:
    """The path of a Python of that minor version."""
    found = subprocess.run(
        [UV, "python", "find", "--no-project", "--no-python-downloads", version],
        capture_output=True,
        text=True,
    )
    if path := found.stdout.strip():
        return path
    if version in os.environ.get("HERMETIC_OPTIONAL_PYTHONS", "").split():
        pytest.skip(f"Python {version} is not installed")
    required(f"Python {version} is not installed")


def environment(project: Path, python: str) -> Path:
    """A virtual environment with what the project's pyproject.toml asks for; shared by equal sets."""
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    wanted = repr([python, settings["project"]["dependencies"], settings["dependency-groups"]])
    links = []
    if "hermetic-django" in wanted:
        links = ["--no-sources", "--find-links", str(wheel().parent)]
        wanted += wheel().parent.name
    key = hashlib.sha256((wanted + CONSTRAINTS.read_text()).encode()).hexdigest()[:12]
    venv = CACHE / "environments" / f"{python}-{key}"
    with locked(venv.with_name(f"{venv.name}.lock")):
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            uv("venv", "--quiet", "--python", interpreter(python), str(venv), cwd=project)
            packages = ["-r", "pyproject.toml", "--group", "dev", "--constraint", str(CONSTRAINTS)]
            uv("pip", "install", "--quiet", "--python", str(venv), *packages, *links, cwd=project)
            (venv / "complete").touch()
    return venv


@cache
def wheel() -> Path:
    """The package of the testing layer, built once for its content."""
    sources = [ROOT / "pyproject.toml", *sorted((ROOT / "template").glob("*package_name*/testing/**/*.py"))]
    sources += sorted((ROOT / "template").glob("*package_name*/postgresql/*.py"))
    sources += sorted((ROOT / "src" / "hermetic_adopt").glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in sources)).hexdigest()[:12]
    folder = CACHE / "wheels" / digest
    with locked(folder.with_name(f"{digest}.lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            uv("build", "--quiet", "--wheel", "--out-dir", str(folder), cwd=ROOT)
            (folder / "complete").touch()
    return next(folder.glob("*.whl"))


def uv(*command: str, cwd: Path) -> None:
    env = {**os.environ, "UV_COMPILE_BYTECODE": "1"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    subprocess.run([UV, *command], cwd=cwd, check=True, env=env)


@dataclass
class Project:
    """A generated project and the environment that its commands run in."""

    path: Path
    venv: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def package(self) -> Path:
        return next(self.path.glob("*/base_settings.py")).parent

    def environ(self, **extra: str) -> dict[str, str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
        path = f"{self.venv / 'bin'}{os.pathsep}{clean['PATH']}"
        return {**clean, "PATH": path, "VIRTUAL_ENV": str(self.venv), **self.env, **extra}

    def run(self, *command: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess:
        """Run a command in the project; output is captured, and shown when a checked one fails."""
        done = subprocess.run(
            command,
            cwd=self.path,
            env=self.environ(**extra),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        if check and done.returncode:
            pytest.fail(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}", pytrace=False)
        return done

    def pytest(self, *options: str, check: bool = True, **extra: str) -> subprocess.CompletedProcess:
        return self.run("pytest", *options, check=check, **extra)
