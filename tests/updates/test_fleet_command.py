"""The fleet command: one row a project, and a reason for one that cannot be read."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import shapes
from releases import HEAD, NEXT, Subject, released


def test_the_fleet(repository, tmp_path):
    project = Subject(tmp_path / "project", repository, HEAD)
    project.write("manage.py", (project.path / "manage.py").read_text() + "# mine\n")
    project.write("tests/test_own.py", '@pytest.mark.leaks("environ:X")\ndef test_own(): ...\n')
    project.commit()
    before = project.state()
    (tmp_path / "list").write_text(f"{project.path}\n# a comment\n{tmp_path / 'nowhere'}\n")
    page = tmp_path / "fleet.html"

    command = [sys.executable, "fleet.py", str(tmp_path / "list"), "--json", "--html", str(page)]
    done = subprocess.run(command, cwd=shapes.ROOT, capture_output=True, text=True)

    assert done.returncode == 1, done.stderr
    row, unreadable = json.loads(done.stdout)
    assert (row["release"], row["newest"]) == (HEAD, NEXT)
    assert (row["edited"], row["conflicts"], row["leaks"], row["error"]) == (1, 1, 1, "")
    assert "nowhere" in unreadable["error"]
    assert project.state() == before
    picture = page.read_text()
    ElementTree.fromstring(picture[picture.index("<svg") : picture.index("</svg>") + 6])


def test_the_fleet_says_what_each_project_says(repository, tmp_path):
    """Releases are read once for all projects: what one answers does not change what another one gets."""
    kinds = [
        (HEAD, {}),
        (HEAD, {"package_name": "other_shop", "use_celery": True, "ci_provider": "gitlab"}),
        (released()[0], {}),
        (HEAD, {}),
    ]
    projects = []
    for number, (tag, answers) in enumerate(kinds):
        project = Subject(tmp_path / f"project{number}", repository, tag, answers)
        project.write("manage.py", (project.path / "manage.py").read_text() + "# mine\n" * (number % 2))
        project.commit()
        projects.append(project)
    (tmp_path / "list").write_text("".join(f"{project.path}\n" for project in projects))

    command = [sys.executable, "fleet.py", str(tmp_path / "list"), "--json"]
    done = subprocess.run(command, cwd=shapes.ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    for row, project in zip(json.loads(done.stdout), projects, strict=True):
        plan = project.check()
        assert (row["release"], row["newest"]) == (plan["current"], plan["target"])
        assert row["pristine"] == plan["pristine"]
        assert row["edited"] == len(plan["edited"])
        assert row["deleted"] == len(plan["deleted"])
        assert row["conflicts"] == [change["verdict"] for change in plan["changes"]].count("conflict")
