"""The template's releases: kept in tests/updates/releases as compressed trees, and served from a repository.

    python tests/support/releases.py snapshot     keeps the template as it stands as v<version>.tar.xz

<version> is the one in pyproject.toml. A clone may have no tags, and a test no network; these it has.
"""

import contextlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import warnings
from pathlib import Path
from typing import NamedTuple

import plumbum
import pytest
import shapes
from copier import run_copy, run_update
from packaging.version import Version

FIXTURES = shapes.ROOT / "tests" / "updates" / "releases"
# The template as it stands, and one that comes after it, for tests.
HEAD, NEXT = "v1000.0.0", "v1001.0.0"
# Git of a machine that is configured in no way; copier update runs git too.
GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "gc.auto",
    "GIT_CONFIG_VALUE_0": "0",
    "GIT_CONFIG_KEY_1": "maintenance.auto",
    "GIT_CONFIG_VALUE_1": "false",
    "GIT_CONFIG_KEY_2": "init.defaultBranch",
    "GIT_CONFIG_VALUE_2": "main",
    "GIT_AUTHOR_NAME": "Test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "Test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
}


def git(*command: str, cwd: Path) -> str:
    env = {**os.environ, **GIT_ENVIRONMENT}
    done = subprocess.run(["git", *command], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(command)}: {done.stderr}")
    return done.stdout


@contextlib.contextmanager
def git_environment():
    """GIT_ENVIRONMENT for this process, and for what Copier starts; Copier's warnings are not the tests'."""
    with (
        pytest.MonkeyPatch.context() as patch,
        plumbum.local.env(**GIT_ENVIRONMENT),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        for key, value in GIT_ENVIRONMENT.items():
            patch.setenv(key, value)
        yield patch


def version() -> str:
    """The one place where the version is written."""
    return tomllib.loads((shapes.ROOT / "pyproject.toml").read_text())["project"]["version"]


def released() -> list[str]:
    """The tags that have a fixture, oldest first."""
    tags = [file.name.removesuffix(".tar.xz") for file in FIXTURES.glob("v*.tar.xz")]
    return sorted(tags, key=Version)


def contents(tree: Path) -> dict[str, bytes]:
    files = sorted(tree.rglob("*"))
    return {file.relative_to(tree).as_posix(): file.read_bytes() for file in files if file.is_file()}


def pack(tree: Path, target: Path) -> None:
    """A small archive that is the same for the same tree: sorted, without times and owners."""
    target.parent.mkdir(exist_ok=True)
    with tarfile.open(target, "w:xz", format=tarfile.PAX_FORMAT, preset=9) as archive:
        for name, content in contents(tree).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if os.access(tree / name, os.X_OK) else 0o644
            archive.addfile(entry, io.BytesIO(content))


def unpack(tag: str, target: Path) -> Path:
    target.mkdir(parents=True)
    with tarfile.open(FIXTURES / f"{tag}.tar.xz") as archive:
        archive.extractall(target, filter="data")
    return target


class Repository:
    """A template repository with a tag for each release that it was given."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True)
        git("init", "--quiet", cwd=path)

    def release(self, tag: str, tree: Path) -> None:
        for entry in self.path.iterdir():
            if entry.name != ".git":
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        shutil.copytree(tree, self.path, dirs_exist_ok=True)
        git("add", "--all", "--force", cwd=self.path)
        git("commit", "--quiet", "--allow-empty", "--message", tag, cwd=self.path)
        git("tag", "--annotate", "--message", tag, tag, cwd=self.path)


def small_template(root: Path, **files: str) -> Path:
    """A template of update.py, the answers file and what is given, to be released."""
    tree = root / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name in ("template/update.py", "template/{{ _copier_conf.answers_file }}.jinja"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(shapes.ROOT / name, tree / name)
    for name, text in {"copier.yml": "_subdirectory: template\n", **files}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


class Subject:
    """A project made from a repository's release, under git, with the update command that it was shipped."""

    def __init__(
        self, path: Path, repository: Repository | Path, tag: str | None, answers: dict | None = None
    ):
        source = str(getattr(repository, "path", repository))
        run_copy(source, path, data=answers or {}, vcs_ref=tag, defaults=True, quiet=True, unsafe=False)
        self.path = path
        git("init", "--quiet", cwd=path)
        self.commit("Start")

    def git(self, *command: str) -> str:
        return git(*command, cwd=self.path)

    def commit(self, message: str = "Change") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def write(self, name: str, text: str | None) -> None:
        file = self.path / name
        if text is None:
            return file.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def files(self) -> dict[str, bytes]:
        return {name: text for name, text in contents(self.path).items() if not name.startswith(".git/")}

    def state(self) -> tuple:
        """Everything that a command which changes nothing leaves alone."""
        return (
            self.files(),
            self.git("status", "--porcelain"),
            self.git("rev-parse", "--all"),
            self.git("stash", "list"),
        )

    def clone(self, path: Path) -> "Subject":
        twin = object.__new__(Subject)
        twin.path = path
        shutil.copytree(self.path, path)
        return twin

    def update(self, *arguments: str) -> "Outcome":
        """Run the project's update.py, in this process: importing Copier takes a second."""
        spec = importlib.util.spec_from_file_location("update", self.path / "update.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["update"] = module  # dataclasses look their module up.
        out, err = io.StringIO(), io.StringIO()
        with git_environment() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                spec.loader.exec_module(module)
                code = module.main([*arguments], self.path)
        return Outcome(code, out.getvalue(), err.getvalue())

    def check(self, *arguments: str) -> dict:
        return json.loads(self.update("check", "--json", *arguments).out)

    def plain_update(self, **options) -> None:
        """`copier update --defaults`, as it is."""
        with git_environment():
            run_update(self.path, defaults=True, overwrite=True, quiet=True, **options)


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


COMMENTS = {".md": "{}", ".html": "<!-- {} -->", ".js": "// {}", ".json": ""}


def next_release(template: Path) -> None:
    """Change a template as a release might: every file but the seams in its middle and at its end, a file
    renamed, a file dropped, a file and a question new. Projects made from it still run."""
    seams = ("settings.py", "extra_test_settings.py", "urls.py", "routing.py", "conftest.py")
    for file in sorted((template / "template").rglob("*")):
        name = re.sub(r"\{%.*?%\}", "", file.name).removesuffix(".jinja")
        if not file.is_file() or name in seams or "answers_file" in name:
            continue
        comment = COMMENTS.get(Path(name).suffix, "# {}").format
        lines = file.read_text().splitlines()
        starts = [
            number
            for number, line in enumerate(lines)
            if number
            and not lines[number - 1]
            and re.match(r"(?:async )?def |class |\[tool|## |from \.", line)
        ]
        if starts:
            lines.insert(starts[len(starts) // 2], comment("Inserted by the next release."))
        file.write_text("\n".join([*lines, comment("Appended by the next release.")]) + "\n")

    package = template / "template" / "{{ package_name }}"
    (package / "health.py").rename(package / "healthcheck.py")
    urls = package / "base_urls.py.jinja"
    urls.write_text(urls.read_text().replace("from .health import", "from .healthcheck import"))
    (template / "template" / "tests" / "test_smoke.py.jinja").unlink()
    (template / "template" / "NEXT.md.jinja").write_text("A file of the next release: {{ next_answer }}.\n")
    questions = template / "copier.yml"
    questions.write_text(questions.read_text() + "\nnext_answer:\n  type: str\n  default: plain\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["snapshot"]:
        sys.exit(__doc__)
    tag = f"v{version()}"
    if tag in git("tag", "--list", cwd=shapes.ROOT).split():
        sys.exit(f"{tag} is tagged, and its snapshot stays: raise the version in pyproject.toml first.")
    with tempfile.TemporaryDirectory() as folder:
        archive = FIXTURES / f"{tag}.tar.xz"
        pack(shapes.copy_template(Path(folder) / "template"), archive)
        print(f"{archive.relative_to(shapes.ROOT)}: {archive.stat().st_size / 1024:.0f} KiB")
