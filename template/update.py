# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19.1,<10", "packaging>=24", "plumbum>=1.6", "pyyaml>=6"]
# ///
"""The template's: tells what an update of this project will do, then does it. Yours stays yours.

    uv run update.py check                       what the newest release would change; changes nothing
    uv run update.py check --to :current: --data use_celery=true            what a toggle would change
    uv run update.py apply                       update; if something conflicts, change nothing
    uv run update.py apply --conflicts           update, and leave conflicts in the files to resolve
    uv run update.py report                      the check as Markdown, for a pull request
    uv run update.py review BASE                 has an update since the commit BASE lost an edit?

Exit codes: 0 nothing needs a person; 1 something does (check), nothing was changed because of it
(apply), an edit is lost (review); 2 no update is possible, for the reason in the message. `--json`
prints the check as JSON.

The verdicts of `check`:
    update    not edited here; becomes the template's new version
    merge     edited here and changed by the template, in different places; both are kept
    conflict  edited here and changed by the template, in the same place; a person decides
    added     new in the template          removed   not edited here, no longer in the template
    deleted   deleted or moved here; stays so, and the template's changes to it do not arrive
    renamed   renamed by the template; edits made here move along
    LOST      edited here, no longer in the template: plain `copier update` deletes it; apply keeps it
    WIPED     edited here, ignored by git or binary: plain `copier update` overwrites it; apply keeps it

`apply` lets Copier update a clone of this project, with every line as context, so that the merge is
a true three-way merge; compares the clone with what `check` foretold; and only then brings it here.
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
# The order of the table: what needs a person, what plain Copier would lose, the rest.
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
# One item a line, in any order: two that were added side by side are both kept.
LISTS = (".gitignore", ".dockerignore", ".env.example", "pyproject.toml")
# Copier's ways of asking nothing.
UNASKED: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": True}
# Git of any configuration: no hooks, no upkeep in the background, no signing.
GIT = {
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "core.quotePath": "true",  # As Copier reads them; here they are read with -z.
    "advice.detachedHead": "false",
}


class Stop(Exception):
    """Why no update is possible, and what to do; nothing has been changed."""


@dataclass
class Change:
    """What the update means for one file; `result` is what will be in it, None for no file."""

    path: str
    verdict: str
    note: str = ""
    to: str = ""  # Where it moves, or was moved.
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
    # Where the update goes beyond Copier: path -> content, None to delete.
    carried: dict[str, bytes | None] = field(default_factory=dict)
    # The release asked for, rendered.
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
    """The one line that a git command prints."""
    return git(*command, cwd=cwd).decode().rstrip("\n")


def paths(command: str, *options: str, cwd: Path, **others: Any) -> list[str]:
    """The paths that a git command with -z prints."""
    printed = git(command, "-z", *options, cwd=cwd, **others).decode()
    return [path for path in printed.split("\0") if path]


def touched(root: Path) -> set[str]:
    """What differs from the last commit, seen from the repository's top."""
    entries = paths("status", "--porcelain", "--no-renames", "-uall", cwd=root)
    return {entry[3:] for entry in entries}


def read(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a rendered tree but the answers, by path."""
    files = {file.relative_to(root).as_posix(): file for file in root.rglob("*") if file.is_file()}
    return {path: files[path].read_bytes() for path in sorted(files) if path != ANSWERS}


def recorded(root: Path) -> dict[str, Any]:
    """The answers file, if it can be updated from at all."""
    file = root / ANSWERS
    if not file.is_file():
        raise Stop(
            f"{root} has no {ANSWERS}: run this in a project that was made from the template."
        )
    try:
        answers = yaml.safe_load(file.read_text())
        source, commit = answers["_src_path"], answers["_commit"]
    except (yaml.YAMLError, KeyError, TypeError):
        raise Stop(
            f"{ANSWERS} was edited and has no _src_path or _commit any more: "
            f"restore it with `git log --oneline {ANSWERS}` and `git checkout COMMIT -- {ANSWERS}`."
        ) from None
    try:
        Version(str(commit))
    except InvalidVersion:
        raise Stop(
            f"{ANSWERS} records _commit {commit}, which is no release of {source}: "
            "set it to the release that comes nearest and commit that."
        ) from None
    return answers


def repository(root: Path) -> Path:
    """The top of the git repository, which has a commit and no unfinished update."""
    try:
        top = Path(line("rev-parse", "--show-toplevel", cwd=root))
        line("rev-parse", "--verify", "HEAD", cwd=root)
    except (Stop, FileNotFoundError):
        raise Stop(
            f"{root} has no git history to update on: "
            'run `git init && git add -A && git commit -m "Start"` first.'
        ) from None
    unmerged = paths("diff", "--name-only", "--diff-filter=U", cwd=root)
    if unfinished := sorted({*unmerged, *leftovers(root)}):
        raise Stop(
            f"An earlier update is unfinished: resolve the conflicts in {', '.join(unfinished)} "
            "and commit, or go back with `git reset --hard`."
        )
    return top


def leftovers(root: Path) -> list[str]:
    """Files with conflict markers of Copier's, and rejected patches."""
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
    """Render a release beside the project, as an update would: answers from the file, then defaults."""
    target.mkdir()
    (target / ANSWERS).write_bytes(answers)
    # copier.errors and the returned worker's template, answers and match_skip, seen on 9.19.1.
    return copier.run_copy(source, target, data=data, vcs_ref=ref, skip_tasks=True, **UNASKED)


def release(
    target: Path, source: str, ref: str | None, answers: bytes, data: dict[str, Any] | None = None
) -> Any:
    """Render a release, with other answers when data is given; Stop with the reason when it cannot be."""
    try:
        return render(target, source, ref, answers, data or {})
    except Exception as error:  # Copier's, a validator's, or of git that cannot read it.
        text = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
        gone = "did not match|unknown revision|invalid reference|not our ref"
        if ref and (re.search(gone, text, re.IGNORECASE) or repr(ref) in text):
            reason = f"release {ref} is not there"
        elif data is not None and isinstance(error, CopierError | ValueError):  # Of an answer.
            raise Stop(f"{' '.join(text.split()).rstrip('.')}: answer it with --data.") from error
        else:
            reason = text.splitlines()[-1].rstrip(".")
    raise Stop(
        f"The template at {source} cannot be used: {reason}. If it has moved, or this is a relative "
        f"path, set _src_path in {ANSWERS} to where it is now and commit that; a release that is gone "
        "must be tagged there again."
    )


def merge(mine: bytes, base: bytes, new: bytes, path: str) -> tuple[bytes, bool]:
    """Git's three-way merge, and whether it left conflicts; lists are joined item by item."""
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
    """Resolve the conflicts in which one side only added lines around what the other side changed."""

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
    """The path of the file most like the content, if more than half of it is the same; or ""."""

    def closeness(other: str) -> tuple[float, bool, bool]:
        one, two = Path(path), Path(other)
        texts = content.splitlines(), files[other].splitlines()
        alike = difflib.SequenceMatcher(None, *texts, autojunk=False).ratio()
        return alike, one.parent == two.parent, one.name == two.name

    found = max(files, key=closeness, default="")
    return found if found and closeness(found)[0] > 0.5 else ""


def make_plan(root: Path, to: str | None, data: dict[str, Any]) -> Plan:
    """Render the release that the project has and the one asked for, and compare all three."""
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
                f"{plan.target} is older than {current}, which this project has: "
                "an update only goes forward; to go back, revert the commit of the update."
            )
        plan.answers = changed_answers(answers, new_answers, data)
        plan.migrations = [
            str(migration["version"])
            for migration in worker.template.config_data.get("migrations", [])
            if before < Version(str(migration["version"])) <= after
        ]
        if Path(source).expanduser().is_dir():
            plan.notes.append(
                f"_src_path {source} is a folder of one machine: set it to the template's URL in {ANSWERS}."
            )
        hand_edited(root, plan, folder / "former", old, worker.match_skip)
    compare(plan, root, old, worker.match_skip)
    return plan


def version(ref: str) -> Version:
    try:
        return Version(ref)
    except InvalidVersion:
        raise Stop(
            f"{ref} is no release of the template: name one that is tagged, like v1.2.0."
        ) from None


def check_moved(current: str, here: bytes, there: bytes) -> None:
    """Stop when the tag that the project was made from names another commit now."""
    commits = [
        re.search(rb"^# Commit ([0-9a-f]{40})", text, re.MULTILINE) for text in (here, there)
    ]
    then, now = (found[1].decode() if found else None for found in commits)
    if then and now and then != now:
        raise Stop(
            f"The template's tag {current} was moved, from {then[:10]} to {now[:10]}, so an edit of yours cannot be "
            f"told from a change of its: have it moved back, or, if both say the same, write {now} into {ANSWERS}."
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
        change.note = f"to {heir}; your edits move along"
        plan.carried |= {change.path: None, heir: merged}
        added.pop(heir).result = merged  # The heir of one file only.
    own = {path: read(root / path) or b"" for path in tracked - old.keys() - {ANSWERS}}
    for change in plan.of("deleted"):
        change.to = nearest(change.path, old[change.path], own)
        if change.to:
            change.note = (
                f"moved here to {change.to}; the template changed it, which does not arrive"
            )
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
    """What the update means for a file as it is here, was made, and is in the release asked for."""
    edited = mine is not None and mine != base
    if ignored and edited and mine != theirs:
        return Change(path, "WIPED", "edited here, ignored by git; apply keeps yours", result=mine)
    if edited and base == theirs and b"\0" in (mine or b""):
        return Change(path, "WIPED", "edited here, binary; apply keeps yours", result=mine)
    if mine == theirs:
        return None
    if theirs is None:
        if edited:
            return Change(
                path, "LOST", "edited here, no longer in the template; apply keeps it", result=mine
            )
        return Change(path, "removed")
    if mine is None and (seam or base is None):
        return Change(path, "added", "yours from now on" if seam else "", result=theirs)
    if seam or base == theirs:
        return None
    if mine is None:
        return Change(path, "deleted", "the template changed it, which does not arrive")
    if mine == base:
        return Change(path, "update", result=theirs)
    merged, conflicts = merge(mine, base or b"", theirs, path)
    notes = ["made on both sides"] * (base is None)
    notes += ["binary; apply keeps yours"] * (b"\0" in mine)
    notes += ["both changes are kept"] * (not conflicts)
    return Change(path, "conflict" if conflicts else "merge", "; ".join(notes), result=merged)


def check_questions(data: dict[str, Any], questions: dict[str, Any]) -> None:
    for name in data:
        if name not in questions:
            near = difflib.get_close_matches(name, questions, 1)
            raise Stop(
                f"The template asks no question {name}{f': did you mean {near[0]}?' if near else '.'}"
            )
        if questions[name].get("when") is False:
            raise Stop(f"{name} is worked out from other answers and cannot be given.")


def changed_answers(here: dict[str, Any], new: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """One line for each answer that the update adds, changes or forgets."""
    found = []
    for name in sorted(here.keys() | new.keys()):
        if name.startswith("_") or here.get(name) == new.get(name):
            continue
        values = here.get(name), new.get(name)
        was, becomes = (str(v).lower() if isinstance(v, bool) else v for v in values)
        if name not in here:
            told = "as told" if name in data else "a new question, its default"
            found.append(f"{name}: {becomes} ({told})")
        elif name not in new:
            found.append(f"{name}: {was} is forgotten, since it is not asked any more")
        elif name in data:
            found.append(f"{name}: {was} becomes {becomes} (as told)")
        else:
            found.append(f"{name}: {was} is not accepted any more and becomes {becomes}")
    return found


def hand_edited(root: Path, plan: Plan, folder: Path, now: dict[str, bytes], seam: Any) -> None:
    """Stop when answers were changed by hand: every file is still as the former answers made it."""
    commits = git("log", "--format=%H", "-2", "--", ANSWERS, cwd=root).decode().split()
    if len(commits) < 2:
        return
    text = git("show", f"{commits[0]}^:./{ANSWERS}", cwd=root, ok=(0, 128))
    try:
        former = yaml.safe_load(text) or {}
        render(folder, plan.source, former["_commit"], text, {})
    except Exception:  # An unreadable past proves nothing.
        return
    answers = yaml.safe_load((root / ANSWERS).read_text())
    differing = sorted(
        name
        for name in former.keys() | answers.keys()
        if name != "_src_path" and former.get(name) != answers.get(name)
    )
    then = tree(folder)
    told = {
        path
        for path in then.keys() | now.keys()
        if then.get(path) != now.get(path) and not seam(Path(path))
    }
    here = {path: read(root / path) for path in told}
    stayed = any(here[path] == then.get(path) for path in told)
    followed = any(here[path] == now.get(path) for path in told)
    along = paths("show", "--format=", "--name-only", "--relative", commits[0], cwd=root)
    if differing and stayed and not followed and not told & set(along):
        options = [
            f" --data {name}={answers[name]}"
            for name in differing
            if name in answers and name[0] != "_"
        ]
        raise Stop(
            f"{', '.join(differing)} in {ANSWERS} was edited by hand, and the files do not follow it: run "
            f"`git checkout {commits[0][:10]}^ -- {ANSWERS}`, commit that, and then "
            f"`uv run update.py apply{''.join(options)}`."
        )


def clone(top: Path, target: Path, commit: str = "HEAD") -> Path:
    """The project's repository again, at a commit, with nothing that is not in it."""
    sha = line("rev-parse", "--verify", f"{commit}^{{commit}}", cwd=top)
    git(
        "clone", "--quiet", "--shared", "--no-tags", "--no-checkout", str(top), str(target), cwd=top
    )
    git("checkout", "--quiet", "--detach", sha, cwd=target)
    return target


def update(root: Path, plan: Plan, data: dict[str, Any], trust: bool) -> list[str]:
    """Update a clone, compare it with the plan, bring it here; the paths that were written."""
    top = repository(root)
    inside = root.relative_to(top)
    kept = [change.path for change in plan.of("LOST", "WIPED", "renamed")]
    kept += [path for path in plan.deleted if (root / path).is_dir()]  # Copier fails on these.
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
                f"which is code: read hooks/migrations in {plan.source}, then add --trust."
            ) from None
        except Exception as error:  # A migration's, say; the clone goes, the project stays.
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
    """Stop unless the clone is what the check foretold, and else as the project."""
    wrong = {*leftovers(twin)} - {change.path for change in plan.changes}
    if not plan.migrations:  # With one, nothing is foretold to the letter.
        prefix = line("rev-parse", "--show-prefix", cwd=twin)
        names = {path.removeprefix(prefix) for path in touched(twin)}
        expected = {path: read(root / path) for path in names - {ANSWERS}}
        expected |= plan.carried | {change.path: change.result for change in plan.changes}
        wrong |= {path for path, text in expected.items() if read(twin / path) != text}
        wrong -= {change.path for change in plan.of("WIPED")}
    if wrong:
        raise Stop(
            f"Copier did not do what was foretold for {', '.join(sorted(wrong))}: nothing was changed; "
            f"please report it to {plan.source}."
        )


def bring(twin: Path, top: Path, inside: Path, plan: Plan) -> list[str]:
    """Write what differs in the clone into the project, and mark its conflicts in the index."""
    # Ignored files are in the plan, but not in the clone's status.
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
        if path not in conflicts:  # Joined after all.
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
    """Edits that the update since the commit `base` lost, and that `apply` would have kept."""
    top = repository(root)
    with tempfile.TemporaryDirectory() as folder:
        try:
            before = clone(top, Path(folder) / "clone", base) / root.relative_to(top)
        except Stop:
            raise Stop(f"{base} is no commit that is here: fetch it, or name another.") from None
        then, now = recorded(before), recorded(root)
        told = {name: now[name] for name in now if name[0] != "_" and now[name] != then.get(name)}
        plan = make_plan(before, str(now["_commit"]), told)
    edited = [change.to or change.path for change in plan.of("LOST", "WIPED", "renamed")]
    return [
        f"The update lost the edits of {path}: make it again by `uv run update.py apply`, which keeps them."
        for path in edited
        if read(root / path) == plan.new.get(path)
    ]


def rows(plan: Plan) -> list[tuple[str, str, str]]:
    """The table: what happens, to what, and a note. Files that nobody edited are counted, not named."""
    found = [("answer", text, "") for text in plan.answers]
    runs = "runs code of the template, needs --trust"
    found += [("migration", migration, runs) for migration in plan.migrations]
    told = [change for change in plan.changes if change.verdict != "update"]
    found += [(change.verdict, change.path, change.note) for change in told]
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
        f"{shipped} files of the template: {plan.pristine} as it made them, "
        f"{len(plan.edited)} edited, {len(plan.deleted)} deleted",
    ]
    text += [f"  {word:9} {what}{f': {note}' * bool(note)}" for word, what, note in rows(plan)]
    return "\n".join([*text, verdict(plan)])


def verdict(plan: Plan) -> str:
    if not plan.does_something:
        return "Up to date."
    if found := plan.of("conflict"):
        return (
            f"{counted(found, 'conflict')}: `apply` changes nothing; `apply --conflicts` updates, "
            "and leaves them in the files for you to resolve."
        )
    if found := plan.of("LOST", "WIPED"):
        return f"`apply` updates, and keeps {counted(found, 'file')} that plain Copier would lose."
    return "`apply` updates without a conflict."


def markdown(plan: Plan) -> str:
    """The table for a pull request; nothing in it is taken for markup."""

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
    option("--to", metavar="REF", help="a release; default: the newest; `:current:` for a toggle")
    option("-d", "--data", action="append", default=[], metavar="NAME=VALUE", help="an answer")
    option("--json", action="store_true", help="print the check as JSON")
    option("--conflicts", action="store_true", help="leave conflicts in the files")
    option("--trust", action="store_true", help="run migrations of the template")
    options = parser.parse_args(argv)
    if bool(options.base) != (options.command == "review"):
        parser.error("review takes a commit, like `review origin/main`; no other command does")
    for item in options.data:
        if "=" not in item:
            parser.error(f"--data takes NAME=VALUE, not {item}")
    return options


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    options = arguments(argv)
    root = (root or Path(__file__).parent).resolve()
    count = int(os.environ.get("GIT_CONFIG_COUNT", 0))  # Those stay: a token for the template, say.
    for index, (key, value) in enumerate(GIT.items(), count):
        os.environ |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(GIT))
    plumbum.local.env.update(os.environ)  # Copier's git runs with a copy.
    warnings.simplefilter("ignore")
    data = dict(item.split("=", 1) for item in options.data)
    try:
        if options.command == "review":
            lost = review(root, options.base)
            return told(int(bool(lost)), *lost or ["The update lost no edit."])
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
            return told(1, "Nothing was changed.")
        written = update(root, plan, data, options.trust)
    except Stop as reason:
        return told(2, str(reason))
    said = [f"{counted(written, 'file')} written. To go back: git reset --hard && git clean -fd"]
    if kept := [change.path for change in plan.of("LOST")]:
        said.append(
            f"Kept, though the template dropped it: {', '.join(kept)}. It is yours alone, and may "
            "import what went with it: port it, or delete it."
        )
    if plan.of("conflict"):
        return told(
            1, *said, "Resolve the conflicts (`git diff`), `git add` them, run the tests, commit."
        )
    return told(0, *said, "Run the tests, look at `git diff`, commit.")


def told(code: int, *sentences: str) -> int:
    print(*sentences, sep="\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
