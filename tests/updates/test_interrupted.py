"""Whatever interrupts an update: the next command takes it back, or finishes it, and says which."""

import errno
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from releases import Repository, Subject, small_template

TEN = "".join(f"line {number}\n" for number in range(1, 11))
LONG = "".join(f"def step_{number}():\n    return {number}\n\n\n" for number in range(12))
OPERATIONS = ("open", "os.", "shutil.")
JOURNAL = ".git/template-update/journal.json"


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A project in which an update merges, adds, removes and renames."""
    root = tmp_path_factory.mktemp("interrupted")
    repository = Repository(root / "template")
    old = {"template/merged.txt": TEN, "template/gone.txt": "gone\n", "template/old.txt": LONG}
    new = {
        "template/merged.txt": TEN.replace("line 9", "line 9 there"),
        "template/d/added.txt": "added\n",
        "template/new.txt": LONG,
    }
    repository.release("v1.0.0", small_template(root, **old))
    repository.release(
        "v2.0.0", small_template(root, **new, **{"template/base.txt": TEN.replace("line 5", "line 5 there")})
    )
    project = Subject(root / "project", repository, "v1.0.0")
    project.write("merged.txt", TEN.replace("line 1\n", "line 1 here\n"))
    project.write("old.txt", LONG + "mine\n")
    project.commit()
    return project


def git_elsewhere(project):
    """os.replace as it is with .git on another disk, such as a mounted one."""
    replace = os.replace

    def refused(source, target):
        if len({Path(path).is_relative_to(project.path / ".git") for path in (source, target)}) == 2:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(source, target)

    return refused


def killed(project, at: int, elsewhere: bool, writing: bool) -> bool:
    """Apply in a child that is killed at its operation of this number, of all or of those that write."""
    if not (child := os.fork()):
        if elsewhere:
            os.replace = git_elsewhere(project)
        count, counts = 0, not writing

        def hook(event, arguments):
            nonlocal count, counts
            names = " ".join(map(str, arguments))
            if event.startswith(OPERATIONS) and str(project.path) in names:
                counts = counts or JOURNAL in names
                count += counts
                if count == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        project.update("apply")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def judge(project, before, after) -> str:
    """What the next command made of it; nothing lies between before and after."""
    outcome = project.update("check")
    files = project.files()
    assert outcome.code in (0, 2), outcome
    assert not (project.path / ".git" / "index.lock").exists()
    assert not (project.path / ".git" / "template-update" / "journal.json").exists()
    assert files in (before, after), {name for name in before if files.get(name) != before[name]}
    if "interrupted" in outcome.err:
        assert ("taken back" in outcome.err) == (files == before)
        assert ("finished" in outcome.err) == (files == after)
    return "before" if files == before else "after"


def run(original, folder, instants, elsewhere, writing=False):
    before = original.files()
    done = original.clone(folder / "done")
    assert done.update("apply").code == 0
    after = done.files()
    results = []
    for number, at in enumerate(instants):
        project = original.clone(folder / str(number))
        if not killed(project, at, elsewhere, writing):  # Was complete before.
            break
        results.append(judge(project, before, after))
        assert project.update("apply").code == 0 or project.files() == after
        assert project.files() == after
    return results


def figures(results: list[str]) -> dict[str, int]:
    return {"times": len(results), "as before": results.count("before"), "updated": results.count("after")}


ELSEWHERE = pytest.mark.parametrize("elsewhere", [False, True], ids=["", "git-on-another-disk"])


@ELSEWHERE
def test_a_kill_at_some_instants(original, tmp_path, elsewhere):
    results = run(original, tmp_path, random.Random(7).sample(range(2, 20), 8), elsewhere, True)

    assert "before" in results


@pytest.mark.slow
@ELSEWHERE
def test_a_kill_at_every_instant(original, tmp_path, record_property, elsewhere):
    results = run(original, tmp_path, range(1, 250), elsewhere)

    assert {*results} == {"before", "after"}
    record_property("killed", figures(results))


def test_a_check_does_not_refresh_the_index(original, tmp_path):
    """``git status`` would, under a lock that stays when git is killed."""
    project = original.clone(tmp_path / "project")
    index = project.path / ".git" / "index"
    os.utime(project.path / "merged.txt", (10**9, 10**9))
    before = index.read_bytes()

    assert project.update("check").code == 0

    assert index.read_bytes() == before


def killed_after(project, wait, from_writing: bool, whole: bool) -> float | None:
    """Apply in a child that is killed after a time; None when it has ended before. Its group, or it alone."""
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.setsid()

        def hook(event, arguments):
            if any(str(argument).endswith(JOURNAL) for argument in arguments):
                os.write(writer, b"x")

        sys.addaudithook(hook)
        if not from_writing:
            os.write(writer, b"x")
        project.update("apply")
        os._exit(0)
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    start = time.perf_counter()
    if wait is None:
        os.waitpid(child, 0)
        return time.perf_counter() - start
    time.sleep(wait)
    os.killpg(child, signal.SIGKILL) if whole else os.kill(child, signal.SIGKILL)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return None if ended else wait


@pytest.mark.parametrize("kills", [4, *(pytest.param(50, marks=pytest.mark.slow) for _ in range(4))])
def test_a_kill_at_a_random_time(original, tmp_path, record_property, kills):
    """Half of them anywhere, half while the result is written; the second half kills git along with it."""
    chance = random.Random()
    done = {writing: original.clone(tmp_path / f"done-{writing}") for writing in (False, True)}
    lasts = {writing: killed_after(project, None, writing, True) for writing, project in done.items()}
    before, after, results = original.files(), done[True].files(), []
    for number in range(3 * kills):
        if len(results) == kills:
            break
        project = original.clone(tmp_path / str(number))
        writing, whole = bool(number % 2), bool(number // 2 % 2)
        if killed_after(project, chance.uniform(0, lasts[writing]), writing, whole) is not None:
            results.append(judge(project, before, after))
            assert project.update("apply").code == 0
            assert project.files() == after
        shutil.rmtree(project.path)

    assert len(results) == kills
    record_property("killed", figures(results))


@pytest.mark.parametrize("number", [1, 3, 5])
@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (PermissionError(errno.EACCES, "Permission denied"), "Permission denied. Nothing was changed."),
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system. Nothing was changed."),
    ],
    ids=["full", "forbidden", "read-only"],
)
@ELSEWHERE
def test_a_disk_that_cannot_be_written(original, tmp_path, monkeypatch, number, error, says, elsewhere):
    project = original.clone(tmp_path / "project")
    before, count = project.state(), 0
    replace = git_elsewhere(project) if elsewhere else os.replace

    def refused(source, target):
        nonlocal count
        count += 1
        if count == number:
            raise type(error)(*error.args, str(target))
        return replace(source, target)

    monkeypatch.setattr(os, "replace", refused)
    outcome = project.update("apply")

    assert (outcome.code, project.state()) == (2, before)
    assert says in outcome.err


def test_git_on_another_disk(original, tmp_path, monkeypatch):
    project, twin = original.clone(tmp_path / "project"), original.clone(tmp_path / "twin")
    twin.update("apply")
    monkeypatch.setattr(os, "replace", git_elsewhere(project))

    assert project.update("apply").code == 0
    assert project.files() == twin.files()
    assert "gone.txt" not in project.files()


def test_a_read_only_file_is_updated_and_stays_read_only(original, tmp_path):
    project = original.clone(tmp_path / "project")
    (project.path / "merged.txt").chmod(0o444)

    assert project.update("apply").code == 0
    assert b"line 9 there" in project.files()["merged.txt"]
    assert (project.path / "merged.txt").stat().st_mode & 0o777 == 0o444


@pytest.mark.parametrize("meanwhile", ["edit", "commit", "switch"])
def test_what_happens_meanwhile_is_kept(original, tmp_path, monkeypatch, meanwhile):
    project = original.clone(tmp_path / "project")
    link = os.link

    def act(source, target):
        if meanwhile == "edit":
            project.write("merged.txt", "mine\n")
        elif meanwhile == "commit":
            project.write("own.txt", "mine\n")
            project.commit()
        else:
            project.git("switch", "--quiet", "--orphan", "other")
            project.commit("Other")
        return link(source, target)

    monkeypatch.setattr(os, "link", act)
    outcome = project.update("apply")
    monkeypatch.undo()

    assert outcome.code == 2, outcome
    assert "repeat the update" in outcome.err
    if meanwhile == "edit":
        assert project.files()["merged.txt"] == b"mine\n"
    assert project.git("status", "--porcelain") == (" M merged.txt\n" if meanwhile == "edit" else "")
    assert not (project.path / ".git" / "index.lock").exists()
