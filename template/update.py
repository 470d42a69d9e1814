# /// script
# requires-python = ">=3.11"
# dependencies = ["copier>=9.19.1,<10", "packaging>=24", "pyyaml>=6"]
# ///
"""The template's: tells what an update of this project will do, then does it. Yours stays yours.

    uv run update.py check                       what the newest release would change; changes nothing
    uv run update.py check --to :current: --data use_celery=true            what a toggle would change
    uv run update.py apply                       update; if something conflicts, change nothing
    uv run update.py apply --conflicts           update, and leave conflicts in the files to resolve
    uv run update.py report                      the check as Markdown, for a pull request

Exit codes: 0 nothing needs a person; 1 something does (check), or nothing was changed because of it
(apply); 2 no update is possible, for the reason in the message. `--json` prints the check as JSON.

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
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import copier
import yaml
from copier.errors import CopierError, UnsafeTemplateError
from packaging.version import InvalidVersion, Version

ANSWERS = ".copier-answers.yml"
# The order of the table: what needs a person, what plain Copier would lose, the rest.
VERDICTS = [
    "conflict",
    "LOST",
    "WIPED",
    "renamed",
    "deleted",
    "merge",
    "update",
    "added",
    "removed",
]
MARKER = re.compile(rb"^(?:<{7} before updating|>{7} after updating)\r?$", re.MULTILINE)
# One item a line, in any order: two that were added side by side are both kept.
LISTS = (".gitignore", ".dockerignore", ".env.example", "pyproject.toml")
# Git of any configuration: no hooks, no upkeep in the background, no signing.
GIT = {
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "core.quotePath": "false",
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


def lines(output: bytes, separator: str = "\n") -> list[str]:
    return [line for line in output.decode().split(separator) if line]


def read(file: Path) -> bytes | None:
    return file.read_bytes() if file.is_file() else None


def tree(root: Path) -> dict[str, bytes]:
    """Every file of a rendered tree but the answers, by path."""
    files = {str(file.relative_to(root).as_posix()): file for file in sorted(root.rglob("*"))}
    return {
        path: file.read_bytes()
        for path, file in files.items()
        if file.is_file() and path != ANSWERS
    }


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
    if not re.fullmatch(r"v?\d+(?:\.\d+)*\S*", str(commit)) or re.search(
        r"-\d+-g[0-9a-f]+$", str(commit)
    ):
        raise Stop(
            f"{ANSWERS} records _commit {commit}, which is no release of {source}: "
            "set it to the release that comes nearest and commit that."
        )
    return answers


def repository(root: Path) -> Path:
    """The top of the git repository, which has a commit and no unfinished update."""
    try:
        top = Path(lines(git("rev-parse", "--show-toplevel", cwd=root))[0])
        git("rev-parse", "--verify", "HEAD", cwd=root)
    except (Stop, FileNotFoundError):
        raise Stop(
            f"{root} has no git history to update on: "
            'run `git init && git add -A && git commit -m "Start"` first.'
        ) from None
    unfinished = [*lines(git("diff", "--name-only", "--diff-filter=U", cwd=root)), *leftovers(root)]
    if unfinished:
        raise Stop(
            f"An earlier update is unfinished: resolve the conflicts in {', '.join(sorted(set(unfinished)))} "
            "and commit, or go back with `git reset --hard`."
        )
    return top


def leftovers(root: Path) -> list[str]:
    """Files with conflict markers of Copier's, and rejected patches."""
    found = lines(
        git("grep", "-lE", "^(<{7} before updating|>{7} after updating)", cwd=root, ok=(0, 1))
    )
    others = lines(git("ls-files", "--others", "-z", "--", "*.rej", cwd=root), "\0")
    return [*found, *(path for path in others if (root / path[:-4]).is_file())]


def clean(root: Path) -> None:
    if dirty := lines(git("status", "--porcelain", cwd=root)):
        raise Stop(
            f"The work tree has uncommitted changes ({dirty[0][3:]}{', …' * (len(dirty) > 1)}): "
            "commit or stash them first, so that the update can be undone."
        )


def render(
    target: Path, source: str, ref: str | None, answers: bytes | None, data: dict[str, Any]
) -> Any:
    """Render a release beside the project, as an update would: answers from the file, then defaults."""
    target.mkdir()
    if answers is not None:
        (target / ANSWERS).write_bytes(answers)
    # copier.errors and the returned worker's template, answers and match_skip, seen on 9.19.1.
    return copier.run_copy(
        source,
        target,
        data=data,
        vcs_ref=ref,
        defaults=True,
        overwrite=True,
        quiet=True,
        skip_tasks=True,
    )


def release(
    target: Path, source: str, ref: str | None, answers: bytes, data: dict[str, Any]
) -> Any:
    try:
        return render(target, source, ref, answers, data)
    except (CopierError, ValueError) as error:
        if ref and ref in str(error):
            reason = f"release {ref} is not there"
        elif data:
            raise Stop(" ".join(str(error).split())) from error
        else:
            reason = " ".join(str(error).split())
    except Exception as error:  # plumbum's, when git cannot read the repository
        text = str(getattr(error, "stderr", "") or error)
        missing = ref and re.search(r"did not match|unknown revision|pathspec|not our ref", text)
        reason = f"release {ref} is not there" if missing else text.strip().splitlines()[-1]
    raise Stop(
        f"The template at {source} cannot be used: {reason}. If it has moved, set _src_path in {ANSWERS} "
        "to where it is now and commit that; a release that is gone must be tagged there again."
    )


def version(ref: str) -> Version:
    """The version of a tag, or of the tag that `git describe` names."""
    try:
        return Version(re.sub(r"-\d+-g[0-9a-f]+$", "", ref))
    except InvalidVersion:
        raise Stop(
            f"{ref} is no release of the template: name one that is tagged, like v1.2.0."
        ) from None


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
            if ours.startswith(base):
                added = ours.removeprefix(base)
                return theirs + b"".join(
                    line for line in added.splitlines(True) if line not in theirs
                )
            if ours.endswith(base):
                added = ours.removesuffix(base)
                return (
                    b"".join(line for line in added.splitlines(True) if line not in theirs) + theirs
                )
        return hunk[0]

    joined = HUNK.sub(both, text)
    return None if MARKER.search(joined) else joined


def is_toml(text: bytes) -> bool:
    try:
        tomllib.loads(text.decode())
    except ValueError:
        return False
    return True


def alike(one: bytes, other: bytes) -> float:
    return difflib.SequenceMatcher(
        None, one.splitlines(), other.splitlines(), autojunk=False
    ).ratio()


def nearest(path: str, content: bytes, files: dict[str, bytes]) -> str | None:
    """The path of the file most like the content, if more than half of it is the same."""

    def closeness(other: str) -> tuple[float, bool, bool]:
        one, two = Path(path), Path(other)
        return alike(content, files[other]), one.parent == two.parent, one.name == two.name

    found = max(files, key=closeness, default=None)
    return found if found and closeness(found)[0] > 0.5 else None


def make_plan(root: Path, to: str | None, data: dict[str, Any]) -> Plan:
    answers = recorded(root)
    repository(root)
    source, current = answers["_src_path"], str(answers["_commit"])
    text = (root / ANSWERS).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        release(Path(folder) / "old", source, current, text, {})
        target = current if to == ":current:" else to
        new_worker = release(Path(folder) / "new", source, target, text, data)
        old, new = tree(Path(folder) / "old"), tree(Path(folder) / "new")
        old_answers = yaml.safe_load((Path(folder) / "old" / ANSWERS).read_text())
        new_answers = yaml.safe_load((Path(folder) / "new" / ANSWERS).read_text())

        check_questions(data, new_worker.template.questions_data)
        plan = Plan(source, current, str(new_answers["_commit"]))
        before, after = version(current), version(plan.target)
        if after < before:
            raise Stop(
                f"{plan.target} is older than {current}, which this project has: "
                "an update only goes forward; to go back, revert the commit of the update."
            )
        plan.answers = changed_answers(answers, old_answers, new_answers, data)
        plan.migrations = [
            f"{migration['version']}"
            for migration in new_worker.template.config_data.get("migrations", [])
            if before < Version(str(migration["version"])) <= after
        ]
        if Path(source).expanduser().is_dir():
            plan.notes.append(
                f"_src_path {source} is a folder of one machine: set it to the template's URL in {ANSWERS}."
            )
        hand_edited(root, plan, Path(folder) / "former", old, new_worker.match_skip)
    compare(plan, root, old, new, new_worker.match_skip)
    return plan


def compare(
    plan: Plan, root: Path, old: dict[str, bytes], new: dict[str, bytes], seam: Any
) -> None:
    """Fill in the plan, file by file."""
    paths = sorted(old.keys() | new.keys())
    ignored = set(
        lines(
            git(
                "check-ignore",
                "--stdin",
                "-z",
                "--no-index",
                cwd=root,
                stdin="\0".join(paths).encode(),
                ok=(0, 1),
            ),
            "\0",
        )
    ) - set(lines(git("ls-files", "-z", cwd=root), "\0"))
    here = {path: read(root / path) for path in paths}
    arrived = {path: text for path, text in new.items() if path not in old and here[path] is None}
    own: dict[str, bytes] | None = None

    for path in paths:
        mine, base, theirs = here[path], old.get(path), new.get(path)
        if base is not None and not seam(Path(path)):
            if mine == base:
                plan.pristine += 1
            else:
                (plan.deleted if mine is None else plan.edited).append(path)

        def add(
            verdict: str, note: str = "", result: bytes | None = None, path: str = path
        ) -> None:
            plan.changes.append(Change(path, verdict, note, result))

        if path in ignored and mine is not None and mine != base and mine != theirs:
            add("WIPED", "edited here and ignored by git, which has no copy of it", mine)
        elif mine != base and base == theirs and mine is not None and b"\0" in mine:
            add("WIPED", "edited here and binary, which Copier cannot merge", mine)
        elif mine == theirs:
            continue
        elif theirs is None and base is not None:
            if mine is None:
                continue
            if mine == base:
                add("removed")
                continue
            heir = nearest(path, base, arrived)
            merged, conflicts = merge(mine, base, new[heir], heir) if heir else (b"", True)
            if heir and not conflicts:
                add("renamed", f"to {heir}; your edits move along")
                plan.carried |= {path: None, heir: merged}
                del arrived[heir]  # The heir of one file only.
            else:
                note = f"edited here, no longer in the template{f'; see {heir}' if heir else ''}"
                add("LOST", note, mine)
        elif seam(Path(path)):
            if mine is None:
                add("added", "yours from now on", theirs)
        elif mine is None:
            if base is None:
                add("added", "", theirs)
            elif base != theirs:
                if own is None:
                    known = {*lines(git("ls-files", "-z", cwd=root), "\0")} - old.keys()
                    own = {name: text for name in known if (text := read(root / name))}
                moved = nearest(path, base, own)
                add("deleted", f"moved here to {moved}" if moved else "")
        elif base == theirs:
            continue
        elif mine == base:
            add("update", "", theirs)
        else:
            merged, conflicts = merge(mine, base or b"", theirs, path)
            notes = ["made on both sides"] * (base is None) + ["binary; apply keeps yours"] * (
                b"\0" in mine
            )
            add("conflict" if conflicts else "merge", "; ".join(notes), merged)
            if not conflicts and Path(path).name in LISTS:
                plan.carried[path] = merged
    for change in plan.changes:
        if change.path in ignored and change.verdict in ("added", "update"):
            plan.carried[change.path] = change.result  # A clone has no ignored files.
        elif change.verdict == "added" and change.path in plan.carried:
            change.result = plan.carried[change.path]
    plan.changes.sort(key=lambda change: (VERDICTS.index(change.verdict), change.path))


def check_questions(data: dict[str, Any], questions: dict[str, Any]) -> None:
    for name in data:
        if name not in questions:
            near = difflib.get_close_matches(name, questions, 1)
            raise Stop(
                f"The template asks no question {name}{f': did you mean {near[0]}?' if near else '.'}"
            )
        if questions[name].get("when") is False:
            raise Stop(f"{name} is worked out from other answers and cannot be given.")


def changed_answers(
    here: dict[str, Any], old: dict[str, Any], new: dict[str, Any], data: dict[str, Any]
) -> list[str]:
    """One line for each answer that the update adds, changes or forgets."""
    found = []
    for name in sorted(here.keys() | new.keys()):
        if name.startswith("_") or here.get(name) == new.get(name):
            continue
        if name not in here:
            found.append(
                f"{name}: {new[name]} ({'as told' if name in data else 'a new question, its default'})"
            )
        elif name not in new:
            found.append(f"{name}: {here[name]} is forgotten, since it is not asked any more")
        elif name in data:
            found.append(f"{name}: {here[name]} becomes {new[name]} (as told)")
        else:
            found.append(f"{name}: {here[name]} is not accepted any more and becomes {new[name]}")
    return found


def hand_edited(root: Path, plan: Plan, folder: Path, now: dict[str, bytes], seam: Any) -> None:
    """Stop when answers were changed by hand: every file is still as the former answers made it."""
    commits = lines(git("log", "--format=%H", "-2", "--", ANSWERS, cwd=root))
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
    changed_along = lines(
        git("show", "--format=", "--name-only", "--relative", commits[0], cwd=root)
    )
    here = {path: read(root / path) for path in told}
    stayed = [path for path in told if here[path] == then.get(path)]
    followed = [path for path in told if here[path] == now.get(path)]
    if differing and stayed and not followed and not told & set(changed_along):
        options = [
            f"--data {name}={answers[name]}"
            for name in differing
            if name in answers and name[0] != "_"
        ]
        raise Stop(
            f"{', '.join(differing)} in {ANSWERS} was edited by hand, and the files do not follow it: run "
            f"`git checkout {commits[0][:10]}^ -- {ANSWERS}`, commit that, and then "
            f"`uv run update.py apply{''.join(f' {option}' for option in options)}`."
        )


def update(root: Path, plan: Plan, data: dict[str, Any], trust: bool) -> list[str]:
    """Update a clone, compare it with the plan, bring it here; the paths that were written."""
    top = repository(root)
    inside = root.relative_to(top)
    kept = [change.path for change in plan.of("LOST", "WIPED", "renamed")]
    kept += [path for path in plan.deleted if (root / path).is_dir()]  # Copier fails on these.
    kept += [change.path for change in plan.of("conflict") if b"\0" in (change.result or b"")]
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        git("clone", "--quiet", "--shared", "--no-tags", str(top), str(clone), cwd=top)
        git(
            "checkout",
            "--quiet",
            "--detach",
            lines(git("rev-parse", "HEAD", cwd=top))[0],
            cwd=clone,
        )
        try:
            copier.run_update(
                clone / inside,
                data=data,
                vcs_ref=plan.target,
                exclude=["/" + re.sub(r"([\\*?\[\]!#])", r"\\\1", path) for path in kept],
                defaults=True,
                overwrite=True,
                quiet=True,
                conflict="inline",
                context_lines=1_000_000,
                unsafe=trust,
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
            put(clone / inside / path, content)
        verify(clone / inside, plan)
        return bring(clone, top, inside, plan)


def put(file: Path, content: bytes | None) -> None:
    if content is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def verify(clone: Path, plan: Plan) -> None:
    """Stop unless the clone is what the check foretold."""
    wrong = []
    for change in plan.changes:
        there = read(clone / change.path)
        # With a migration, or of an ignored file, nothing is foretold to the letter.
        if change.verdict == "WIPED" or plan.migrations:
            continue
        wrong += [change.path] * (there != change.result)
    foretold = {change.path for change in plan.changes}
    wrong += [path for path in leftovers(clone) if path not in foretold]
    if not plan.migrations:
        touched = lines(
            git("status", "--porcelain", "-z", "--no-renames", "-uall", cwd=clone), "\0"
        )
        prefix = lines(git("rev-parse", "--show-prefix", cwd=clone))
        names = {line[3:].removeprefix(prefix[0] if prefix else "") for line in touched}
        wrong += sorted(names - foretold - plan.carried.keys() - {ANSWERS})
    if wrong:
        raise Stop(
            f"Copier did not do what was foretold for {', '.join(sorted(set(wrong)))}: nothing was changed; "
            f"please report it to {plan.source}."
        )


def bring(clone: Path, top: Path, inside: Path, plan: Plan) -> list[str]:
    """Write what differs in the clone into the project, and mark its conflicts in the index."""
    unmerged = git("ls-files", "--unmerged", "-z", cwd=clone)
    touched = lines(git("status", "--porcelain", "-z", "--no-renames", "-uall", cwd=clone), "\0")
    paths = sorted({line[3:] for line in touched})
    # Ignored files are in the plan, but not in the clone's status.
    planned = [change.path for change in plan.of("added", "update", "removed")]
    paths += [path for name in planned if (path := (inside / name).as_posix()) not in paths]
    for path in paths:
        if (clone / path).is_file():
            put(top / path, (clone / path).read_bytes())
            shutil.copymode(clone / path, top / path)
        else:
            put(top / path, None)
            for parent in (top / path).parents:
                if parent == top or not parent.is_dir() or any(parent.iterdir()):
                    break
                parent.rmdir()
    conflicts = {(inside / change.path).as_posix() for change in plan.of("conflict")}
    entries = []
    for entry in lines(unmerged, "\0"):
        mode, sha, stage, path = re.split(r"[ \t]", entry, maxsplit=3)
        if path not in conflicts:  # Joined after all.
            continue
        if not entries or not entries[-1].endswith(f"\t{path}"):
            entries.append(f"0 {'0' * 40}\t{path}")
        text = git("cat-file", "blob", sha, cwd=clone)
        git("hash-object", "-w", "--stdin", cwd=top, stdin=text)
        entries.append(f"{mode} {sha} {stage}\t{path}")
    index = "".join(f"{entry}\0" for entry in entries).encode()
    git("update-index", "-z", "--index-info", cwd=top, stdin=index)
    return paths


def table(plan: Plan) -> str:
    shipped = plan.pristine + len(plan.edited) + len(plan.deleted)
    text = [f"{plan.source}: {plan.current} here, {plan.target} asked for"]
    text.append(
        f"{shipped} files of the template here: {plan.pristine} as made, {len(plan.edited)} edited, "
        f"{len(plan.deleted)} deleted"
    )
    text += [f"  answer    {line}" for line in plan.answers]
    text += [
        f"  migration {version}: runs code of the template, needs --trust"
        for version in plan.migrations
    ]
    text += [
        f"  {change.verdict:9} {change.path}{f': {change.note}' if change.note else ''}"
        for change in plan.changes
    ]
    text += [f"  note      {note}" for note in plan.notes]
    return "\n".join([*text, verdict(plan)])


def verdict(plan: Plan) -> str:
    if not plan.does_something:
        return "Up to date."
    counts = Counter(change.verdict for change in plan.changes)
    if count := counts["conflict"]:
        return f"{count} conflict{'s' * (count > 1)}: a person decides, after `uv run update.py apply --conflicts`."
    if count := counts["LOST"] + counts["WIPED"]:
        return f"`uv run update.py apply` updates and keeps {count} file{'s' * (count > 1)} that Copier would lose."
    return "`uv run update.py apply` updates without a conflict."


def markdown(plan: Plan) -> str:
    """The table for a pull request; nothing in it is taken for markup."""

    def cell(text: str) -> str:
        return re.sub(r"([\\`*_{}\[\]<>#|~@])", r"\\\1", " ".join(text.split()))

    rows = [("answer", line, "") for line in plan.answers]
    rows += [("migration", version, "runs code of the template") for version in plan.migrations]
    rows += [(change.verdict, change.path, change.note) for change in plan.changes]
    rows += [("note", note, "") for note in plan.notes]
    text = [f"From {cell(plan.current)} to {cell(plan.target)} of {cell(plan.source)}.", ""]
    text += ["| | file | |", "|---|---|---|"]
    text += [f"| {row} | {cell(path)} | {cell(note)} |" for row, path, note in rows]
    return "\n".join([*text, "", verdict(plan)])


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=__doc__.split("\n\n", 1)[1],
    )
    parser.add_argument("command", choices=["check", "apply", "report"])
    parser.add_argument(
        "--to", metavar="REF", help="a release; default: the newest; `:current:` for a toggle"
    )
    parser.add_argument(
        "-d", "--data", action="append", default=[], metavar="NAME=VALUE", help="an answer"
    )
    parser.add_argument("--json", action="store_true", help="print the check as JSON")
    parser.add_argument("--conflicts", action="store_true", help="leave conflicts in the files")
    parser.add_argument("--trust", action="store_true", help="run migrations of the template")
    options = parser.parse_args(argv)
    for item in options.data:
        if "=" not in item:
            parser.error(f"--data takes NAME=VALUE, not {item}")
    return options


def main(argv: list[str] | None = None, root: Path | None = None) -> int:
    options = arguments(argv)
    root = (root or Path(__file__).parent).resolve()
    for number, (key, value) in enumerate(GIT.items()):
        os.environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    os.environ["GIT_CONFIG_COUNT"] = str(len(GIT))
    warnings.simplefilter("ignore")
    data = dict(item.split("=", 1) for item in options.data)
    try:
        if options.command == "apply":
            repository(root)
            clean(root)
        plan = make_plan(root, options.to, data)
        if options.json:
            changes = [
                {k: v for k, v in asdict(change).items() if k != "result"}
                for change in plan.changes
            ]
            shown = {k: v for k, v in asdict(plan).items() if k != "carried"} | {"changes": changes}
            print(json.dumps(shown, indent=2))
        else:
            print(markdown(plan) if options.command == "report" else table(plan))
        if options.command != "apply":
            return int(plan.needs_a_person)
        if not plan.does_something:
            return 0
        if plan.of("conflict") and not options.conflicts:
            print("Nothing was changed.", file=sys.stderr)
            return 1
        written = update(root, plan, data, options.trust)
    except Stop as reason:
        print(reason, file=sys.stderr)
        return 2
    print(
        f"{len(written)} files were written. To go back: git reset --hard && git clean -fd",
        file=sys.stderr,
    )
    if plan.of("conflict"):
        print(
            "Resolve the conflicts (`git diff`), `git add` them, run the tests, commit.",
            file=sys.stderr,
        )
        return 1
    print("Run the tests, look at `git diff`, commit.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
