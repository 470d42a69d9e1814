"""`renew` brings a newer update.py and nothing else; `review` finds what another tool has lost."""

import pytest
import shapes
from releases import Repository, Subject, small_template

TEN = "".join(f"line {number}\n" for number in range(1, 11))
UPDATE = (shapes.ROOT / "template" / "update.py").read_text()
NEWER = UPDATE + "# Newer.\n"
MINE = UPDATE.replace("# /// script\n", "# /// script\n# mine\n", 1)


@pytest.fixture
def project(tmp_path):
    """A project of the first of three releases; the second has a newer update.py, the third another one."""
    repository = Repository(tmp_path / "template")
    there = {"template/file.txt": TEN.replace("line 5", "line 5 there"), "template/logo.png": "\0there\n"}
    releases = [
        ("v1.0.0", {"template/file.txt": TEN, "template/logo.png": "\0\n"}),
        ("v2.0.0", {**there, "template/update.py": NEWER}),
        ("v3.0.0", {**there, "template/update.py": NEWER + "# Newest.\n"}),
    ]
    for tag, files in releases:
        repository.release(tag, small_template(tmp_path, **files))
    return Subject(tmp_path / "project", repository, "v1.0.0")


def changed(project) -> list[str]:
    return project.git("status", "--porcelain").split()[1::2]


@pytest.mark.parametrize("here", [UPDATE, MINE], ids=["", "edited"])
def test_renew_takes_a_newer_update_py_alone(project, here):
    project.write("update.py", here)
    project.commit()

    outcome = project.update("renew", "--to", "v2.0.0")

    assert outcome.code == 0, outcome
    assert "+# Newer." in outcome.out
    assert "-# mine" not in outcome.out
    assert changed(project) == ["update.py"]
    assert project.files()["update.py"].decode() == here + "# Newer.\n"


def test_a_renewed_update_py_does_not_conflict_with_the_update(project):
    project.update("renew", "--to", "v2.0.0")
    project.commit()

    outcome = project.update("apply", "--to", "v3.0.0")

    assert outcome.code == 0, outcome
    assert project.files()["update.py"].decode() == NEWER + "# Newest.\n"


def test_renew_is_refused_with_a_conflict(project):
    project.write("update.py", UPDATE + "# mine\n")
    project.commit()
    before = project.state()

    outcome = project.update("renew")

    assert (outcome.code, project.state()) == (1, before)
    assert "was edited here, in the same place as in v3.0.0" in outcome.err


def test_renew_is_refused_with_uncommitted_edits(project):
    project.write("update.py", MINE)

    outcome = project.update("renew")

    assert (outcome.code, project.files()["update.py"].decode()) == (2, MINE)
    assert "commit them first" in outcome.err


def test_renew_says_that_there_is_nothing_newer(project):
    project.update("apply", "--to", "v3.0.0")
    project.commit()

    outcome = project.update("renew")

    assert (outcome.code, changed(project)) == (0, [])
    assert "is that of v3.0.0. Nothing was changed." in outcome.err


def test_review_finds_a_binary_that_was_lost(project):
    project.write("logo.png", "\0mine\n")
    project.commit()
    project.plain_update()
    assert project.files()["logo.png"] == b"\0there\n"
    project.commit("Update")

    outcome = project.update("review", "HEAD~1")

    assert outcome.code == 1
    assert "lost the edits of logo.png" in outcome.err


@pytest.mark.parametrize(
    ("resolved", "code"),
    [("line 5 there", 1), ("line 5 mine and there", 0), ("line 5 mine", 0)],
    ids=["theirs", "both", "ours"],
)
def test_review_finds_a_conflict_that_was_resolved_by_the_templates_side(project, resolved, code):
    project.write("file.txt", TEN.replace("line 5", "line 5 mine"))
    project.commit()
    assert project.update("apply", "--conflicts").code == 1
    project.write("file.txt", TEN.replace("line 5", resolved))
    project.commit("Update")

    outcome = project.update("review", "HEAD~1")

    assert outcome.code == code, outcome
    assert ("lost the edits of file.txt" in outcome.err) == bool(code)
