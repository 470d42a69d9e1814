"""The workflows that propose updates, run here: `uv`, `gh` and `curl` are stand-ins, git is real."""

import os
import subprocess
import sys

import pytest
import yaml
from releases import GIT_ENVIRONMENT, HEAD, NEXT, Subject, git

UV = f"""#!/bin/sh
test "$1 $2" = "run update.py" && shift && exec {sys.executable} "$@"
"""
# What it is called with; GitLab is asked for open requests first, and has none.
RECORD = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
case "$*" in *state=opened*) echo "[]" ;; esac
"""


def scripts(project, provider, job):
    if provider == "github":
        workflow = yaml.safe_load((project.path / ".github/workflows/template-update.yml").read_text())
        return [step["run"] for step in workflow["jobs"][job]["steps"] if "run" in step]
    name = {"propose": "template-update", "review": "template-update-review"}[job]
    return [
        "\n".join(yaml.safe_load((project.path / ".gitlab/template-update.yml").read_text())[name]["script"])
    ]


def run(project, provider, job, folder, **env):
    """The scripts of a job, until one fails, as the provider runs them."""
    folder.mkdir()
    for name, text in (("uv", UV), ("gh", RECORD), ("curl", RECORD)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, **GIT_ENVIRONMENT, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env}
    for script in scripts(project, provider, job):
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=project.path, env=env, capture_output=True, text=True)
        if done.returncode:
            break
    return done


@pytest.mark.parametrize("drift", ["nothing", "merge", "conflict"])
@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_an_update_is_proposed_without_markers(repository, tmp_path, provider, drift):
    project = Subject(tmp_path / "project", repository, HEAD, {"ci_provider": provider})
    if drift != "nothing":
        text = (project.path / "manage.py").read_text()
        project.write("manage.py", "# mine\n" + text if drift == "merge" else text + "# mine\n")
        project.commit()
    git("clone", "--quiet", "--bare", str(project.path), str(tmp_path / "origin"), cwd=tmp_path)
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    env = {
        "CALLS": str(tmp_path / "calls"),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "CI_SERVER_HOST": "gitlab.example.com",
        "CI_PROJECT_PATH": "group/project",
        "CI_DEFAULT_BRANCH": "main",
        "BRANCH": "main",
        "TEMPLATE_UPDATE_TOKEN": "token",
        "REPORT": str(project.path / ".git" / "report.md"),
        "REQUESTS": "https://gitlab.example.com/requests",
        # The push goes to the bare repository beside the project.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'origin'}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://oauth2:token@gitlab.example.com/group/project.git",
    }

    done = run(project, provider, "propose", tmp_path / "bin", **env)

    branches = git("branch", "--list", "template-update", cwd=tmp_path / "origin")
    calls = (tmp_path / "calls").read_text() if (tmp_path / "calls").exists() else ""
    if drift == "conflict":
        assert done.returncode == 1
        assert not branches
        assert not calls
        assert "conflict" in done.stdout
        return
    assert done.returncode == 0, done.stdout + done.stderr
    files = git("ls-tree", "-r", "--name-only", "template-update", cwd=tmp_path / "origin").split()
    assert "NEXT.md" in files, f"the proposal is not {NEXT}"
    assert "report.md" not in files
    assert "report.md" in calls, "the request has the report for its text"
    if drift == "merge":
        merged = git("show", "template-update:manage.py", cwd=tmp_path / "origin")
        assert merged.startswith("# mine\n")
        assert "Appended by the next release." in merged


@pytest.mark.parametrize("updated", ["by update.py", "by plain Copier", "with markers"])
@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_an_update_made_elsewhere_is_reviewed(repository, tmp_path, provider, updated):
    """As Renovate makes it: plain Copier, which loses edits and commits markers, and exits 0."""
    project = Subject(tmp_path / "project", repository, HEAD, {"ci_provider": provider})
    edited = ["acme_shop/health.py", "tests/test_smoke.py"]  # The next release renames one, drops the other.
    edited += ["manage.py"] * (updated == "with markers")
    for name in edited:
        text = (project.path / name).read_text()
        project.write(name, text + "# mine\n" if name == "manage.py" else "# mine\n" + text)
    project.commit()
    project.update("apply") if updated == "by update.py" else project.plain_update()
    project.commit("Update")

    done = run(project, provider, "review", tmp_path / "bin", BASE="HEAD~1")

    if updated == "by update.py":
        assert (done.returncode, done.stderr) == (0, "The update lost no edit.\n")
    elif updated == "by plain Copier":
        assert done.returncode == 1
        assert "lost the edits of acme_shop/healthcheck.py: " in done.stderr
        assert "lost the edits of tests/test_smoke.py: " in done.stderr
    else:
        assert done.returncode == 2
        assert "unfinished: resolve the conflicts in manage.py" in done.stderr
