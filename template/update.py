# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19.1,<10", "packaging>=24", "plumbum>=1.6", "pyyaml>=6"]
# ///
"""Template file. Previews an update of this project to a release of the template, then applies it.

    uv run update.py check                       preview the newest release; changes nothing
    uv run update.py check --to :current: --data use_celery=true      preview a toggle; changes nothing
    uv run update.py apply                       update; changes nothing when there is a conflict
    uv run update.py apply --conflicts           update, with conflict markers in the files to resolve
    uv run update.py report                      the preview as Markdown, for a pull request
    uv run update.py review BASE                 find edits lost by an update since the commit BASE

Exit codes: 0 success; 1 a person must decide (check), nothing was changed because of a conflict
(apply), or an edit was lost (review); 2 no update is possible, and the message says why. `--json`
prints the preview as JSON.

The verdicts of `check`:
    update    not edited here; replaced by the template's new version
    merge     edited here and changed by the template, in different places; both changes are kept
    conflict  edited here and changed by the template, in the same place; a person decides
    added     new in the template
    removed   not edited here, no longer in the template
    deleted   deleted or moved here; the template's changes to it are not applied
    renamed   renamed by the template; edits made here are carried over
    LOST      edited here, no longer in the template: plain `copier update` deletes it; apply keeps it
    WIPED     edited here, ignored by git or binary: plain `copier update` overwrites it; apply keeps it

`apply` runs Copier in a clone of this project, with every line as context, which makes the merge a
true three-way merge. It compares the clone with the preview, and copies the result here only when
they agree.
"""

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import copier
import plumbum
import yaml
from copier.errors import CopierError, UnsafeTemplateError
from packaging.version import InvalidVersion, Version

ANSWERS = ".copier-answers.yml"
# In the table's order: what a person must decide, what plain Copier would lose, the rest.
VERDICTS = (
    "conflict",
    "LOST",
    "WIPED",
    "renamed",
    "deleted",
    "merge",
    "update",
    "added",
    "removed",
)
MARKER = re.compile(rb"^(?:<{7} before updating|>{7} after updating)\r?$", re.MULTILINE)
# Files with one item a line, in any order: items that both sides added are all kept.
LISTS = (".gitignore", ".dockerignore", ".env.example", "pyproject.toml")
# Options that stop Copier from asking questions.
UNASKED: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": True}
# Overrides of the user's git configuration: no hooks, no background maintenance, no signing.
GIT = {
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "core.quotePath": "true",  # Copier expects it; this script reads paths with -z.
    "advice.detachedHead": "false",
}


class Stop(Exception):
    """No update is possible: the message says why and what to do. Nothing was changed."""


@dataclass
class Change:
    """What the update does to one file. `result` is the file's content afterwards, None for no file."""

    path: str
    verdict: str
    note: str = ""
    to: str = ""  # The path it is moved to, or was moved to.
    result: bytes | None = field(default=None, repr=False)


@dataclass
class Plan:
    source: str
    current: str
    target: str
    pristine: int = 0
    edited: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    migrations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    # What Copier would not write: path -> content, None to delete.
    carried: dict[str, bytes | None] = field(default_factory=dict)
    # The requested release, rendered.
    new: dict[str, bytes] = field(default_factory=dict)

    def of(self, *verdicts: str) -> list[Change]:
        return [change for change in self.changes if change.verdict in verdicts]

    @property
    def needs_a_person(self) -> bool:
        return bool(self.of("conflict", "LOST", "WIPED"))

    @property
    def does_something(self) -> bool:
        return bool(self.current != self.target or self.answers or self.changes)


def git(*command: str, cwd: Path, stdin: bytes | None = None, ok: tuple[int, ...] = (0,)) -> bytes:
    done = subprocess.run(["git", *command], cwd=cwd, input=stdin, capture_output=True)  # noqa: S603, S607
    if done.returncode not in ok:
        raise Stop(f"git {command[0]} failed in {cwd}: {done.stderr.decode().strip()}.")
    return done.stdout


def line(*command: str, cwd: Path) -> str:
    """The single line printed by a git command."""
    return git(*command, cwd=cwd).decode().rstrip("\n")


def paths(command: str, *options: str, cwd: Path, **others: Any) -> list[str]:
    """The paths printed by a git command with -z."""
    printed = git(command, "-z", *options, cwd=cwd, **others).decode()
    return [path for path in printed.split("\0") if path]


def touched(root: Path) -> set[str]:
    """Paths that differ from the last commit, relative to the repository's top folder."""
    entries = paths("status", "--porcelain", "--no-renames", "-uall", cwd=root)
    return {entry[3:] for entry in entries}


def read(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a rendered tree except the answers file, by path."""
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*") if file.is_file()}
    return {path: files[path].read_bytes() for path in sorted(files) if path != ANSWERS}


def recorded(root: Path) -> dict[str, Any]:
    """The answers file. Stop when it names no source or release to update from."""
    file = root / ANSWERS
    if not file.is_file():
        raise Stop(
            f"{root} has no {ANSWERS}: run this command in a project made from the template."
        )
    try:
        answers = yaml.safe_load(file.read_text())
        source, commit = answers["_src_path"], answers["_commit"]
    except (yaml.YAMLError, KeyError, TypeError):
        raise Stop(
            f"{ANSWERS} no longer has _src_path or _commit: "
            f"find the last good commit with `git log --oneline {ANSWERS}`, and restore it with "
            f"`git checkout COMMIT -- {ANSWERS}`."
        ) from None
    try:
        Version(str(commit))
    except InvalidVersion:
        raise Stop(
            f"{ANSWERS} records _commit {commit}, which is no release of {source}: "
            "set it to the closest release and commit that."
        ) from None
    return answers


def repository(root: Path) -> Path:
    """The top folder of the git repository. Stop without a commit, or with an unfinished update."""
    try:
        top = Path(line("rev-parse", "--show-toplevel", cwd=root))
        line("rev-parse", "--verify", "HEAD", cwd=root)
    except (Stop, FileNotFoundError):
        raise Stop(
            f"{root} has no git history, which an update needs: "
            'run `git init && git add -A && git commit -m "Start"` first.'
        ) from None
    unmerged = paths("diff", "--name-only", "--diff-filter=U", cwd=root)
    if unfinished := sorted({*unmerged, *leftovers(root)}):
        raise Stop(
            f"An earlier update is unfinished: resolve the conflicts in {', '.join(unfinished)} "
            "and commit, or undo it with `git reset --hard`."
        )
    return top


def leftovers(root: Path) -> list[str]:
    """Files with Copier's conflict markers, and rejected patches."""
    marker = "^(<{7} before updating|>{7} after updating)"
    found = paths("grep", "-lE", marker, cwd=root, ok=(0, 1))
    rejected = paths("ls-files", "--cached", "--others", "--", "*.rej", cwd=root)
    return [*found, *(path for path in rejected if (root / path[:-4]).is_file())]


def clean(root: Path) -> None:
    if dirty := sorted(touched(root)):
        raise Stop(
            f"The work tree has uncommitted changes ({dirty[0]}{', …' * (len(dirty) > 1)}): "
            "commit or stash them first, so that the update can be undone."
        )


def render(target: Path, source: str, ref: str | None, answers: bytes, data: dict[str, Any]) -> Any:
    """Render a release into a new folder, with the answers of the file and defaults for the rest."""
    target.mkdir()
    (target / ANSWERS).write_bytes(answers)
    # Undocumented: copier.errors; the worker's template, answers and match_skip. Seen in 9.19.1.
    return copier.run_copy(source, target, data=data, vcs_ref=ref, skip_tasks=True, **UNASKED)


def release(
    target: Path, source: str, ref: str | None, answers: bytes, data: dict[str, Any] | None = None
) -> Any:
    """Render a release, with the answers in `data` if given. Stop with the reason when that fails."""
    try:
        return render(target, source, ref, answers, data or {})
    except Exception as error:  # From Copier, a validator, or git.
        text = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
        gone = "did not match|unknown revision|invalid reference|not our ref"
        if ref and (re.search(gone, text, re.IGNORECASE) or repr(ref) in text):
            reason = f"release {ref} does not exist"
        elif data is not None and isinstance(error, CopierError | ValueError):  # A bad answer.
            raise Stop(f"{' '.join(text.split()).rstrip('.')}: answer it with --data.") from error
        else:
            reason = text.splitlines()[-1].rstrip(".")
    raise Stop(
        f"The template at {source} cannot be used: {reason}. If the template has moved, or this path is "
        f"relative, set _src_path in {ANSWERS} to its current location and commit that. If the release's "
        "tag was deleted, ask the template's maintainers to restore it."
    )


def merge(mine: bytes, base: bytes, new: bytes, path: str) -> tuple[bytes, bool]:
    """Git's three-way merge, and whether conflicts remain; lists are merged item by item."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in (("mine", mine), ("base", base), ("new", new)):
            (Path(folder) / name).write_bytes(content)
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]

        def merged(*options: str) -> tuple[bytes, int]:
            command = ["git", "merge-file", "-p", *options, *labels, "mine", "base", "new"]
            done = subprocess.run(command, cwd=folder, capture_output=True)  # noqa: S603
            return done.stdout, done.returncode

        result, conflicts = merged()
        if conflicts > 127:  # Binary.
            return mine, True
        if conflicts and Path(path).name in LISTS:
            joined = join(merged("--diff3")[0])
            if joined is not None and (not path.endswith(".toml") or is_toml(joined)):
                return joined, False
    return result, bool(conflicts)


HUNK = re.compile(
    rb"^<{7} before updating\n(.*?)^\|{7} last update\n(.*?)^={7}\n(.*?)^>{7} after updating\n",
    re.MULTILINE | re.DOTALL,
)


def join(text: bytes) -> bytes | None:
    """Resolve conflicts where one side only added lines next to those that the other side changed."""

    def both(hunk: re.Match[bytes]) -> bytes:
        mine, base, new = hunk.groups()
        for ours, theirs in ((mine, new), (new, mine)):
            there = theirs.splitlines(keepends=True)
            if ours.startswith(base):
                added = ours.removeprefix(base).splitlines(keepends=True)
                return theirs + b"".join(line for line in added if line not in there)
            if ours.endswith(base):
                added = ours.removesuffix(base).splitlines(keepends=True)
                return b"".join(line for line in added if line not in there) + theirs
        return hunk[0]

    joined = HUNK.sub(both, text)
    return None if MARKER.search(joined) else joined


def is_toml(text: bytes) -> bool:
    try:
        tomllib.loads(text.decode())
    except ValueError:
        return False
    return True


def nearest(path: str, content: bytes, files: dict[str, bytes]) -> str:
    """The path of the most similar file, if more than half of its lines are equal; else ""."""

    def closeness(other: str) -> tuple[float, bool, bool]:
        one, two = Path(path), Path(other)
        texts = content.splitlines(), files[other].splitlines()
        alike = difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()
        return alike, one.parent == two.parent, one.name == two.name

    found = max(files, key=closeness, default="")
    return found if found and closeness(found)[0] > 0.5 else ""


def make_plan(root: Path, to: str | None, data: dict[str, Any]) -> Plan:
    """Render the project's release and the requested one, and compare both with the project."""
    answers = recorded(root)
    repository(root)
    source, current = answers["_src_path"], str(answers["_commit"])
    text = (root / ANSWERS).read_bytes()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        release(folder / "old", source, current, text)
        old_text = (folder / "old" / ANSWERS).read_bytes()
        check_moved(current, text, old_text)
        worker = release(folder / "new", source, current if to == ":current:" else to, text, data)
        check_questions(data, worker.template.questions_data)
        new_answers = yaml.safe_load((folder / "new" / ANSWERS).read_text())
        old, new = tree(folder / "old"), tree(folder / "new")
        plan = Plan(source, current, str(new_answers["_commit"]), new=new)
        before, after = Version(current), version(plan.target)
        if after < before:
            raise Stop(
                f"{plan.target} is older than this project's release {current}, and an update only goes forward: "
                "to go back, revert the commit of the update."
            )
        plan.answers = changed_answers(answers, new_answers, data)
        plan.migrations = [
            str(migration["version"])
            for migration in worker.template.config_data.get("migrations", [])
            if before < Version(str(migration["version"])) <= after
        ]
        if Path(source).expanduser().is_dir():
            plan.notes.append(
                f"_src_path {source} is a local folder: set it to the template's URL in {ANSWERS}."
            )
        hand_edited(root, plan, folder / "former", old, worker.match_skip)
    compare(plan, root, old, worker.match_skip)
    return plan


def version(ref: str) -> Version:
    try:
        return Version(ref)
    except InvalidVersion:
        raise Stop(f"{ref} is not a release of the template: name a tag, like v1.2.0.") from None


def check_moved(current: str, here: bytes, there: bytes) -> None:
    """Stop when the tag of the project's release now points to another commit."""
    commits = [
        re.search(rb"^# Commit ([0-9a-f]{40})", text, re.MULTILINE) for text in (here, there)
    ]
    then, now = (found[1].decode() if found else None for found in commits)
    if then and now and then != now:
        raise Stop(
            f"The template's tag {current} was moved from {then[:10]} to {now[:10]}, so edits made here cannot be "
            f"distinguished from the template's changes: ask for the tag to be moved back or, if both commits "
            f"have the same content, write {now} into {ANSWERS}."
        )


def compare(plan: Plan, root: Path, old: dict[str, bytes], seam: Any) -> None:
    """Fill in the plan, file by file."""
    new, every = plan.new, sorted(old.keys() | plan.new.keys())
    tracked = set(paths("ls-files", cwd=root))
    stdin = "\0".join(every).encode()
    ignored = paths("check-ignore", "--stdin", "--no-index", cwd=root, stdin=stdin, ok=(0, 1))
    here = {path: read(root / path) for path in every}
    for path in every:
        mine, base = here[path], old.get(path)
        if base is not None and not seam(Path(path)):
            plan.pristine += mine == base
            plan.deleted += [path] * (mine is None)
            plan.edited += [path] * (mine not in (None, base))
        untracked = path in ignored and path not in tracked
        if change := judge(path, mine, base, new.get(path), seam(Path(path)), untracked):
            plan.changes.append(change)

    added = {change.path: change for change in plan.of("added") if change.path not in old}
    for change in plan.of("LOST"):
        heir = nearest(change.path, old[change.path], {path: new[path] for path in added})
        if not heir:
            continue
        merged, conflicts = merge(change.result or b"", old[change.path], new[heir], heir)
        if conflicts:
            change.note += f"; see {heir}"
            continue
        change.verdict, change.to, change.result = "renamed", heir, None
        change.note = f"to {heir}; edits made here are carried over"
        plan.carried |= {change.path: None, heir: merged}
        added.pop(heir).result = merged  # Each new file takes the edits of one old file only.
    own = {path: read(root / path) or b"" for path in tracked - old.keys() - {ANSWERS}}
    for change in plan.of("deleted"):
        change.to = nearest(change.path, old[change.path], own)
        if change.to:
            change.note = f"moved here to {change.to}; the template's changes to it are not applied"
    for change in plan.changes:
        joined = change.verdict == "merge" and Path(change.path).name in LISTS
        if joined or (change.path in ignored and change.verdict in ("added", "update")):
            plan.carried[change.path] = change.result  # A clone has no ignored files.
    plan.changes.sort(key=lambda change: (VERDICTS.index(change.verdict), change.path))


def judge(
    path: str,
    mine: bytes | None,
    base: bytes | None,
    theirs: bytes | None,
    seam: bool,
    ignored: bool,
) -> Change | None:
    """What the update does to a file: `mine` is here, `base` was rendered, `theirs` is requested."""
    edited = mine is not None and mine != base
    if ignored and edited and mine != theirs:
        return Change(
            path, "WIPED", "edited here, ignored by git; apply keeps your version", result=mine
        )
    if edited and base == theirs and b"\0" in (mine or b""):
        return Change(path, "WIPED", "edited here, binary; apply keeps your version", result=mine)
    if mine == theirs:
        return None
    if theirs is None:
        if edited:
            return Change(
                path, "LOST", "edited here, no longer in the template; apply keeps it", result=mine
            )
        return Change(path, "removed")
    if mine is None and (seam or base is None):
        return Change(path, "added", "a project file from now on" if seam else "", result=theirs)
    if seam or base == theirs:
        return None
    if mine is None:
        return Change(path, "deleted", "the template's changes to it are not applied")
    if mine == base:
        return Change(path, "update", result=theirs)
    merged, conflicts = merge(mine, base or b"", theirs, path)
    notes = ["added on both sides"] * (base is None)
    notes += ["binary; apply keeps your version"] * (b"\0" in mine)
    notes += ["both changes are kept"] * (not conflicts)
    return Change(path, "conflict" if conflicts else "merge", "; ".join(notes), result=merged)


def check_questions(data: dict[str, Any], questions: dict[str, Any]) -> None:
    for name in data:
        if name not in questions:
            near = difflib.get_close_matches(name, questions, 1)
            raise Stop(
                f"The template has no question {name}{f': did you mean {near[0]}?' if near else '.'}"
            )
        if questions[name].get("when") is False:
            raise Stop(f"{name} is computed from other answers and cannot be set.")


def changed_answers(here: dict[str, Any], new: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """One line for each answer that the update adds, changes or drops."""
    found = []
    for name in sorted(here.keys() | new.keys()):
        if name.startswith("_") or here.get(name) == new.get(name):
            continue
        values = here.get(name), new.get(name)
        was, becomes = (str(v).lower() if isinstance(v, bool) else v for v in values)
        if name not in here:
            reason = "from --data" if name in data else "new question, default answer"
            found.append(f"{name}: {becomes} ({reason})")
        elif name not in new:
            found.append(f"{name}: {was} is dropped, since the question no longer exists")
        elif name in data:
            found.append(f"{name}: {was} becomes {becomes} (from --data)")
        else:
            found.append(f"{name}: {was} is no longer accepted and becomes {becomes}")
    return found


def hand_edited(root: Path, plan: Plan, folder: Path, now: dict[str, bytes], seam: Any) -> None:
    """Stop when answers were edited by hand and the files still match the former answers."""
    commits = git("log", "--format=%H", "-2", "--", ANSWERS, cwd=root).decode().split()
    if len(commits) < 2:
        return
    text = git("show", f"{commits[0]}^:./{ANSWERS}", cwd=root, ok=(0, 128))
    try:
        former = yaml.safe_load(text) or {}
        render(folder, plan.source, former["_commit"], text, {})
    except Exception:  # Former answers that cannot be rendered prove nothing.
        return
    answers = yaml.safe_load((root / ANSWERS).read_text())
    differing = sorted(
        name
        for name in former.keys() | answers.keys()
        if name != "_src_path" and former.get(name) != answers.get(name)
    )
    then = tree(folder)
    affected = {
        path
        for path in then.keys() | now.keys()
        if then.get(path) != now.get(path) and not seam(Path(path))
    }
    here = {path: read(root / path) for path in affected}
    stayed = any(here[path] == then.get(path) for path in affected)
    followed = any(here[path] == now.get(path) for path in affected)
    along = paths("show", "--format=", "--name-only", "--relative", commits[0], cwd=root)
    if differing and stayed and not followed and not affected & set(along):
        options = [
            f" --data {name}={answers[name]}"
            for name in differing
            if name in answers and name[0] != "_"
        ]
        raise Stop(
            f"{', '.join(differing)} in {ANSWERS} was edited by hand, but the files still match the former answers: run "
            f"`git checkout {commits[0][:10]}^ -- {ANSWERS}`, commit that, and then "
            f"`uv run update.py apply{''.join(options)}`."
        )


def clone(top: Path, target: Path, commit: str = "HEAD") -> Path:
    """A clone of the project's repository at a commit, without untracked files."""
    sha = line("rev-parse", "--verify", f"{commit}^{{commit}}", cwd=top)
    git(
        "clone", "--quiet", "--shared", "--no-tags", "--no-checkout", str(top), str(target), cwd=top
    )
    git("checkout", "--quiet", "--detach", sha, cwd=target)
    return target


def update(root: Path, plan: Plan, data: dict[str, Any], trust: bool) -> list[str]:
    """Update a clone, compare it with the plan and copy it here. Return the paths written."""
    top = repository(root)
    inside = root.relative_to(top)
    kept = [change.path for change in plan.of("LOST", "WIPED", "renamed")]
    kept += [
        path for path in plan.deleted if (root / path).is_dir()
    ]  # Copier fails on these folders.
    kept += [change.path for change in plan.of("conflict") if b"\0" in (change.result or b"")]
    with tempfile.TemporaryDirectory() as folder:
        twin = clone(top, Path(folder) / "clone")
        try:
            copier.run_update(
                twin / inside,
                data=data,
                vcs_ref=plan.target,
                exclude=["/" + re.sub(r"([\\*?\[\]!#])", r"\\\1", path) for path in kept],
                conflict="inline",
                context_lines=1_000_000,
                unsafe=trust,
                **UNASKED,
            )
        except UnsafeTemplateError:
            raise Stop(
                f"This update runs the template's migration for {', '.join(plan.migrations) or plan.target}, "
                f"which is code: read hooks/migrations in {plan.source} first, then add --trust."
            ) from None
        except Exception as error:  # In a migration, for example. The project is untouched.
            reason = " ".join(str(error).split()) or type(error).__name__
            raise Stop(f"Copier failed, and nothing was changed: {reason}") from error
        for path, content in plan.carried.items():
            put(twin / inside / path, content)
        verify(twin / inside, root, plan)
        return bring(twin, top, inside, plan)


def put(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def verify(twin: Path, root: Path, plan: Plan) -> None:
    """Stop unless the clone matches the preview, and otherwise the project."""
    wrong = {*leftovers(twin)} - {change.path for change in plan.changes}
    if not plan.migrations:  # A migration's changes are not in the preview.
        prefix = line("rev-parse", "--show-prefix", cwd=twin)
        names = {path.removeprefix(prefix) for path in touched(twin)}
        expected = {path: read(root / path) for path in names - {ANSWERS}}
        expected |= plan.carried | {change.path: change.result for change in plan.changes}
        wrong |= {path for path, text in expected.items() if read(twin / path) != text}
        wrong -= {change.path for change in plan.of("WIPED")}
    if wrong:
        raise Stop(
            f"Copier's result differs from the preview for {', '.join(sorted(wrong))}. Nothing was changed; "
            f"please report it to the maintainers of {plan.source}."
        )


def bring(twin: Path, top: Path, inside: Path, plan: Plan) -> list[str]:
    """Copy the clone's changes into the project, and record its conflicts in the index."""
    # Files that git ignores are in the plan, but not in the clone's status.
    planned = {
        (inside / change.path).as_posix() for change in plan.of("added", "update", "removed")
    }
    written = sorted(touched(twin) | planned)
    for path in written:
        if (twin / path).is_file():
            put(top / path, (twin / path).read_bytes())
            shutil.copymode(twin / path, top / path)
        else:
            put(top / path, None)
            for parent in (top / path).parents:
                if parent == top or not parent.is_dir() or any(parent.iterdir()):
                    break
                parent.rmdir()
    conflicts = {(inside / change.path).as_posix() for change in plan.of("conflict")}
    entries = []
    for entry in paths("ls-files", "--unmerged", cwd=twin):
        mode, sha, stage, path = re.split(r"[ \t]", entry, maxsplit=3)
        if path not in conflicts:  # Merged item by item.
            continue
        if not entries or not entries[-1].endswith(f"\t{path}"):
            entries.append(f"0 {'0' * 40}\t{path}")
        text = git("cat-file", "blob", sha, cwd=twin)
        git("hash-object", "-w", "--stdin", cwd=top, stdin=text)
        entries.append(f"{mode} {sha} {stage}\t{path}")
    index = "".join(f"{entry}\0" for entry in entries).encode()
    git("update-index", "-z", "--index-info", cwd=top, stdin=index)
    return written


def review(root: Path, base: str) -> list[str]:
    """Edits lost by the update since the commit `base` that `apply` would have kept."""
    top = repository(root)
    with tempfile.TemporaryDirectory() as folder:
        try:
            before = clone(top, Path(folder) / "clone", base) / root.relative_to(top)
        except Stop:
            raise Stop(
                f"This repository has no commit {base}: fetch it, or name another."
            ) from None
        then, now = recorded(before), recorded(root)
        changed = {
            name: now[name] for name in now if name[0] != "_" and now[name] != then.get(name)
        }
        plan = make_plan(before, str(now["_commit"]), changed)
    edited = [change.to or change.path for change in plan.of("LOST", "WIPED", "renamed")]
    return [
        f"The update lost the edits of {path}: repeat it with `uv run update.py apply`, which keeps them."
        for path in edited
        if read(root / path) == plan.new.get(path)
    ]


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """The table: verdict, file and note. Updates of files not edited here are counted, not listed."""
    found = [("answer", text, "") for text in plan.answers]
    runs = "runs the template's code, needs --trust"
    found += [("migration", migration, runs) for migration in plan.migrations]
    listed = [change for change in plan.changes if change.verdict != "update"]
    found += [(change.verdict, change.path, change.note) for change in listed]
    if updates := plan.of("update"):
        found.append(("update", counted(updates, "file"), "not edited here"))
    return [*found, *(("note", note, "") for note in plan.notes)]


def counted(things: list[Any], name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def table(plan: Plan) -> str:
    to = f" to {plan.target}" * (plan.target != plan.current)
    shipped = plan.pristine + len(plan.edited) + len(plan.deleted)
    text = [
        f"{plan.current}{to} of {plan.source}",
        f"{shipped} template files: {plan.pristine} pristine, "
        f"{len(plan.edited)} edited, {len(plan.deleted)} deleted",
    ]
    text += [f"  {word:9} {what}{f': {note}' * bool(note)}" for word, what, note in rows(plan)]
    return "\n".join([*text, verdict(plan)])


def verdict(plan: Plan) -> str:
    if not plan.does_something:
        return "Up to date."
    if found := plan.of("conflict"):
        return (
            f"{counted(found, 'conflict')}: `apply` would change nothing; `apply --conflicts` updates and "
            "marks the conflicts in the files for you to resolve."
        )
    if found := plan.of("LOST", "WIPED"):
        return f"`apply` updates and keeps {counted(found, 'file')} that plain Copier would lose."
    return "`apply` updates without a conflict."


def markdown(plan: Plan) -> str:
    """The table as Markdown, with all markup escaped."""

    def cell(text: str) -> str:
        return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", " ".join(text.split()))

    text = [f"From {cell(plan.current)} to {cell(plan.target)} of {cell(plan.source)}.", ""]
    text += ["| | file | |", "|---|---|---|"]
    text += [f"| {word} | {cell(what)} | {cell(note)} |" for word, what, note in rows(plan)]
    return "\n".join([*text, "", verdict(plan)])


def as_json(plan: Plan) -> dict[str, Any]:
    """The plan without the contents of files."""
    shown = {key: value for key, value in vars(plan).items() if key not in ("carried", "new")}
    names = ("path", "verdict", "note", "to")
    changes = [{name: getattr(change, name) for name in names} for change in plan.changes]
    return shown | {"changes": changes}


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=__doc__.split("\n\n", 1)[1],
    )
    parser.add_argument("command", choices=["check", "apply", "report", "review"])
    option = parser.add_argument
    option("base", nargs="?", metavar="BASE", help="review: the commit before the update")
    option(
        "--to",
        metavar="REF",
        help="release to update to (default: the newest); `:current:` to change answers only",
    )
    option("-d", "--data", action="append", default=[], metavar="NAME=VALUE", help="set an answer")
    option("--json", action="store_true", help="print the preview as JSON")
    option(
        "--conflicts",
        action="store_true",
        help="apply: update despite conflicts, and mark them in the files",
    )
    option("--trust", action="store_true", help="apply: run the template's migrations")
    options = parser.parse_args(argv)
    if bool(options.base) != (options.command == "review"):
        parser.error("only review takes a commit, and it needs one: `review origin/main`")
    for item in options.data:
        if "=" not in item:
            parser.error(f"--data must be NAME=VALUE, not {item}")
    return options


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    options = arguments(argv)
    root = (root or Path(__file__).parent).resolve()
    count = int(
        os.environ.get("GIT_CONFIG_COUNT", 0)
    )  # These stay: one may be a token for the template.
    for index, (key, value) in enumerate(GIT.items(), count):
        os.environ |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(GIT))
    plumbum.local.env.update(os.environ)  # Copier's git reads plumbum's copy.
    warnings.simplefilter("ignore")
    data = dict(item.split("=", 1) for item in options.data)
    try:
        if options.command == "review":
            lost = review(root, options.base)
            return say(int(bool(lost)), *lost or ["The update lost no edit."])
        if options.command == "apply":
            repository(root)
            clean(root)
        plan = make_plan(root, options.to, data)
        if options.json:
            print(json.dumps(as_json(plan), indent=2))
        else:
            print(markdown(plan) if options.command == "report" else table(plan))
        if options.command != "apply":
            return int(plan.needs_a_person)
        if not plan.does_something:
            return 0
        if plan.of("conflict") and not options.conflicts:
            return say(1, "Nothing was changed.")
        written = update(root, plan, data, options.trust)
    except Stop as reason:
        return say(2, str(reason))
    summary = [f"{counted(written, 'file')} written. To undo: git reset --hard && git clean -fd"]
    if kept := [change.path for change in plan.of("LOST")]:
        summary.append(
            f"Kept, although no longer in the template: {', '.join(kept)}. It is a project file now and may "
            "import what was removed: adapt or delete it."
        )
    if plan.of("conflict"):
        return say(
            1,
            *summary,
            "Resolve the conflicts (see `git diff`), `git add` the files, run the tests, and commit.",
        )
    return say(0, *summary, "Run the tests, review `git diff`, and commit.")


def say(code: int, *sentences: str) -> int:
    print(*sentences, sep="\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
