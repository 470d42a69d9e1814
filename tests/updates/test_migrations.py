"""Migrations, by a worked example: a release that renames a seam, which every project has edited."""

import shutil
import subprocess
import sys

import pytest
import releases
import shapes
from copier.errors import UnsafeTemplateError
from releases import HEAD, Repository, Subject

MIGRATED = "v1002.0.0"
SCRIPT = "hooks/migrations/v1002_0_0.py"
COPIER_YML = """
_migrations:
  - version: v1002.0.0
    when: "{{ _stage == 'before' }}"
    command: ["{{ _copier_python }}", "{{ _copier_conf.src_path }}/hooks/migrations/v1002_0_0.py"]
"""


def replace(file, old, new):
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


@pytest.fixture(scope="module")
def templates(tmp_path_factory):
    root = tmp_path_factory.mktemp("migrations")
    repository = Repository(root / "template")
    tree = shapes.copy_template(root / "tree")
    repository.release(HEAD, tree)
    package = tree / "template" / "{{ package_name }}"
    (package / "extra_test_settings.py").rename(package / "test_extras.py")
    replace(package / "test_settings.py.jinja", ".extra_test_settings", ".test_extras")
    replace(tree / "ownership.yml", "extra_test_settings", "test_extras")
    with (tree / "copier.yml").open("a") as file:
        file.write(COPIER_YML)
    shutil.copy(shapes.PAYLOADS / "migrations" / "rename_a_seam.py", tree / SCRIPT)
    repository.release(MIGRATED, tree)
    (tree / SCRIPT).write_text("raise SystemExit('the disk is full')\n")
    repository.release("v1003.0.0", tree)
    return repository


@pytest.fixture
def project(templates, tmp_path):
    found = Subject(tmp_path / "project", templates, HEAD)
    found.write("acme_shop/extra_test_settings.py", "MINE = 1\n")
    found.commit()
    return found


def test_it_asks_for_trust_on_its_crossing_alone(templates, project, tmp_path):
    before = project.state()
    with pytest.raises(UnsafeTemplateError):
        project.clone(tmp_path / "plain").plain_update(vcs_ref=MIGRATED)

    assert project.check("--to", MIGRATED)["migrations"] == [MIGRATED]
    outcome = project.update("apply", "--to", MIGRATED)

    assert outcome.code == 2
    assert "--trust" in outcome.err
    assert project.state() == before
    fresh = Subject(tmp_path / "fresh", templates, MIGRATED)  # Copied without trust.
    assert fresh.check("--to", MIGRATED)["migrations"] == []


def test_edits_move_along(project):
    outcome = project.update("apply", "--to", MIGRATED, "--trust")

    assert outcome.code == 0, outcome
    files = project.files()
    assert files["acme_shop/test_extras.py"] == b"MINE = 1\n"
    assert "acme_shop/extra_test_settings.py" not in files


def test_plain_copier_runs_it_too(project):
    project.plain_update(vcs_ref=MIGRATED, unsafe=True)

    assert project.files()["acme_shop/test_extras.py"] == b"MINE = 1\n"


def test_a_project_without_the_old_state(project):
    project.write("acme_shop/extra_test_settings.py", None)
    project.commit()

    assert project.update("apply", "--to", MIGRATED, "--trust").code == 0
    assert "acme_shop/test_extras.py" in project.files()


def test_a_migration_that_fails_changes_nothing(project):
    before = project.state()

    outcome = project.update("apply", "--to", "v1003.0.0", "--trust")

    assert outcome.code == 2
    assert "nothing was changed" in outcome.err
    assert project.state() == before


def test_it_may_run_twice(templates, project):
    releases.git("checkout", "--quiet", MIGRATED, cwd=templates.path)

    def run(*options):
        script = [sys.executable, str(templates.path / SCRIPT), *options]
        return subprocess.run(script, cwd=project.path, capture_output=True, text=True)

    assert run("--check").returncode == 1
    assert run().stdout == "acme_shop/extra_test_settings.py becomes acme_shop/test_extras.py\n"
    after = project.files()
    assert run("--check").returncode == 0
    assert run().stdout == ""
    assert project.files() == after
