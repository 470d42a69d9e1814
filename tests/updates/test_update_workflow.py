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
# What it is called with. There is no open request, and a closed one when CLOSED has its title.
RECORD = """#!/bin/sh
echo "$0 $*" >> "$CALLS"
case "$*" in
  *state=opened*) echo "[]" ;;
  *state=closed*) echo "[{\\"title\\":\\"$CLOSED\\"}]" ;;
  *"--state closed"*) echo "$CLOSED" ;;
esac
"""
MERGED = f"Update from the template to {NEXT}"


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
    # The job says who commits.
    plain = {
        key: text for key, text in GIT_ENVIRONMENT.items() if not key.startswith(("GIT_AUTHOR", "GIT_COM"))
    }
    env = {**os.environ, **plain, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **env}
    env["REPORT"] = str(project.path / ".git" / "report.md")
    for script in scripts(project, provider, job):
        command = ["bash", "-e", "-o", "pipefail", "-c", script]
        done = subprocess.run(command, cwd=project.path, env=env, capture_output=True, text=True)
        if done.returncode:
            break
    return done


def hosted(project, tmp_path) -> dict[str, str]:
    """Push the project into a bare repository, its host; returns the environment of the host's jobs."""
    git("clone", "--quiet", "--bare", str(project.path), str(tmp_path / "origin"), cwd=tmp_path)
    project.git("remote", "add", "origin", str(tmp_path / "origin"))
    return {
        "CALLS": str(tmp_path / "calls"),
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "CI_SERVER_HOST": "gitlab.example.com",
        "CI_PROJECT_PATH": "group/project",
        "CI_DEFAULT_BRANCH": "main",
        "BRANCH": "main",
        "TEMPLATE_UPDATE_TOKEN": "token",
        "REQUESTS": "https://gitlab.example.com/requests",
        # The push goes to the bare repository beside the project.
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'origin'}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://oauth2:token@gitlab.example.com/group/project.git",
    }


class Host:
    """A project on a host, whose scheduled job runs in a new clone each week."""

    def __init__(self, repository, tmp_path, provider):
        self.folder, self.provider, self.weeks = tmp_path, provider, 0
        project = Subject(tmp_path / "project", repository, HEAD, {"ci_provider": provider})
        self.env = hosted(project, tmp_path)

    def git(self, *command: str) -> str:
        return git(*command, cwd=self.folder / "origin").strip()

    def clone(self, name: str, *options: str) -> Subject:
        git("clone", "--quiet", *options, str(self.folder / "origin"), name, cwd=self.folder)
        clone = object.__new__(Subject)
        clone.path = self.folder / name
        return clone

    def week(self, project: Subject | None = None, **env) -> tuple[str, str]:
        """Run the job; returns the proposal's commit, or "", and what the host was asked."""
        self.weeks += 1
        (self.folder / "calls").unlink(missing_ok=True)
        project = project or self.clone(f"week{self.weeks}")
        done = run(project, self.provider, "propose", self.folder / f"bin{self.weeks}", **self.env, **env)
        assert done.returncode == 0, done.stdout + done.stderr
        self.said = done.stdout
        return self.git("for-each-ref", "--format=%(objectname)", "refs/heads/template-update"), self.calls()

    def calls(self) -> str:
        return (self.folder / "calls").read_text() if (self.folder / "calls").exists() else ""


@pytest.fixture(params=["github", "gitlab"])
def host(repository, tmp_path, request):
    return Host(repository, tmp_path, request.param)


def test_the_same_content_is_the_same_commit(host):
    first, asked = host.week()
    second, _ = host.week()

    assert first == second != ""
    assert MERGED in asked


def test_a_work_tree_that_is_used_again(host):
    """As GitLab's runners do: they fetch, check out the commit, and clean."""
    first, _ = host.week()
    project = object.__new__(Subject)
    project.path = host.folder / "week1"
    for command in ("fetch origin", "checkout --force --detach origin/main", "clean -ffdx"):
        project.git(*command.split())

    second, _ = host.week(project)

    assert second == first


def test_commits_of_people_are_kept_on_the_proposal(host):
    host.week()
    person = host.clone("person", "--branch", "template-update")
    person.write("own.txt", "mine\n")
    person.commit("By a person")
    person.git("push", "--quiet", "origin", "template-update")
    theirs = host.git("rev-parse", "template-update")

    proposal, _ = host.week()

    assert proposal == theirs
    assert "People have committed to template-update" in host.said


def test_a_proposal_without_commits_of_people_follows_the_project(host):
    first, _ = host.week()
    person = host.clone("person")
    person.write("own.txt", "mine\n")
    person.commit("On main")
    person.git("push", "--quiet", "origin", "main")

    second, _ = host.week()

    assert second != first
    assert host.git("rev-parse", "template-update~1") == host.git("rev-parse", "main")


def test_a_closed_proposal_stays_closed_until_the_next_release(host):
    proposal, asked = host.week(CLOSED=MERGED)

    assert proposal == ""
    assert "create" not in asked
    assert "data-urlencode" not in asked
    assert "was closed" in host.said

    proposal, _ = host.week(CLOSED="Update from the template to v999.0.0")

    assert proposal


@pytest.mark.parametrize("drift", ["nothing", "merge", "conflict"])
@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_an_update_is_proposed_without_markers(repository, tmp_path, provider, drift):
    project = Subject(tmp_path / "project", repository, HEAD, {"ci_provider": provider})
    if drift != "nothing":
        text = (project.path / "manage.py").read_text()
        project.write("manage.py", "# mine\n" + text if drift == "merge" else text + "# mine\n")
        project.commit()
    env = hosted(project, tmp_path)

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


def test_the_required_review_passes_requests_that_update_nothing(repository, tmp_path):
    project = Subject(tmp_path / "project", repository, HEAD)
    project.write("own.txt", "mine\n")
    project.commit()

    done = run(project, "github", "review", tmp_path / "bin", BASE="HEAD~1")

    assert (done.returncode, done.stderr) == (0, ""), "it does not run update.py"
