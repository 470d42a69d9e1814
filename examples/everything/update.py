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
    uv run update.py renew                       show and take the newest release's update.py alone

Exit codes of check, report and apply agree: 0 the update is possible, or there is none; 1 a conflict, so apply
changes nothing; 2 no update is possible, and the message says why. review exits with 1 when an edit was
lost, renew when edits of update.py conflict. `--json` prints the preview as JSON.

The verdicts of `check`:
    update    not edited here; replaced by the template's new version
    merge     edited here and changed by the template, in different places; both changes are kept
    conflict  edited here and changed by the template, in the same place; a person decides
    added     new in the template
    removed   not edited here, no longer in the template
    deleted   deleted, moved or replaced here; the template's changes to it are not applied
    renamed   renamed by the template; edits made here are carried over
    LOST      edited here, no longer in the template: plain `copier update` deletes it; apply keeps it
    WIPED     edited here, ignored by git or binary: plain `copier update` overwrites it; apply keeps it

Copier renders this project's release (base) and the requested one (new); each file here is merged with them,
and `check` and `apply` use that one result. `apply` writes it under git's lock with a journal in .git: when it is
interrupted, at any instant, the next command takes the update back, or finishes it, and says which.
"""

import argparse
import contextlib
import difflib
import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import tomllib
import types
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import copier
import plumbum
import yaml
from copier._main import Worker, as_operation
from copier.errors import CopierError, UnsafeTemplateError
from packaging.version import InvalidVersion, Version

try:
    import fcntl
except ImportError:  # Windows.
    fcntl = None  # type: ignore[assignment]

ANSWERS, SELF = ".copier-answers.yml", "update.py"
# In the table's order: what a person must decide, what plain Copier would lose, the rest.
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
MARKERS = re.compile(
    rb"^<{7} before updating\r?$.*?^={7}\r?$.*?^>{7} after updating\r?$", re.MULTILINE | re.DOTALL
)
# Files with one item a line, in any order: items that both sides added are all kept.
LISTS = (".gitignore", ".dockerignore", ".env.example", "pyproject.toml")
# Options that stop Copier from asking questions.
UNASKED: dict[str, Any] = {"defaults": True, "overwrite": True, "quiet": True}
# Overrides of the user's git configuration: no code from it, no background maintenance, no signing.
GIT = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "commit.gpgSign": "false",
    "advice.detachedHead": "false",
    "merge.conflictStyle": "merge",
}
# What git's environment may say: who commits, and how to reach the template. The rest redirects git (GIT_DIR in a hook).
GIT_ENVIRONMENT = re.compile(
    r"GIT_(CONFIG_(GLOBAL|SYSTEM|NOSYSTEM)|(AUTHOR|COMMITTER|SSH|SSL|HTTP|PROXY|PROTOCOL|TRACE|TEST)\w*|"
    r"ASKPASS|TERMINAL_PROMPT|ALLOW_PROTOCOL|EXEC_PATH)"
)
REDIRECTS = ("core.worktree", "core.bare", "core.hookspath", "core.fsmonitor", "include")
LINK = 0o120000


class Stop(Exception):
    """No update is possible: the message says why and what to do. Nothing was changed."""


class File(NamedTuple):
    """What a path holds: a file (0o644 or 0o755) or a link, whose text is its target."""

    text: bytes
    mode: int = 0o644


class Index(NamedTuple):
    """A path in git's index; `sparse` is not checked out."""

    blob: str
    sparse: bool


@dataclass
class Change:
    """What the update does to one path. `result` is what it holds afterwards, None for no file."""

    path: str
    verdict: str
    note: str = ""
    to: str = ""  # The path it is moved to, or was moved to.
    result: File | None = field(default=None, repr=False)


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
    refused: str = ""  # Why `apply` would change nothing, apart from conflicts.
    # Not shown. Of each path of the template: as rendered before, as rendered now, as it is here.
    base: dict[str, File] = field(default_factory=dict)
    new: dict[str, File] = field(default_factory=dict)
    here: dict[str, File | None] = field(default_factory=dict)
    # What apply writes, by the path in the repository.
    writes: dict[str, File | None] = field(default_factory=dict)

    def of(self, *verdicts: str) -> list[Change]:
        return [change for change in self.changes if change.verdict in verdicts]

    @property
    def code(self) -> int:
        """The exit code of check, and of apply."""
        if not self.writes and not self.of("conflict"):
            return 0
        return 2 if self.refused else int(bool(self.of("conflict")))


@dataclass
class Repository:
    """The git repository of a project."""

    root: Path
    top: Path
    prefix: str  # Of the project in the repository: "" or "services/shop/".
    folder: Path  # .git, or a work tree's folder in it.
    head: str


# Git -------------------------------------------------------------------------------------------------------------


def set_environment() -> None:
    """Keep git's environment from redirecting us, and override the user's configuration."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    pairs = [
        (os.environ.get(f"GIT_CONFIG_KEY_{n}", ""), os.environ.get(f"GIT_CONFIG_VALUE_{n}", ""))
        for n in range(count)
    ]
    # These stay: one may be a token for the template.
    pairs = [(key, value) for key, value in pairs if key and not key.lower().startswith(REDIRECTS)]
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        if not GIT_ENVIRONMENT.fullmatch(name):
            del os.environ[name]
    names: dict[str, str] = {}
    # Copier runs git in what it renders, to set modes: with core.fileMode it does not look at a .git there.
    for settings in (GIT, {**GIT, "core.fileMode": "true"}):
        every = [*pairs, *settings.items()]
        names = {
            f"GIT_CONFIG_{part}_{n}": text
            for n, pair in enumerate(every)
            for part, text in zip(("KEY", "VALUE"), pair, strict=True)
        }
        names["GIT_CONFIG_COUNT"] = str(len(every))
        if settings is GIT:
            os.environ.update(names)
    for name in {*plumbum.local.env.getdict()} - {*os.environ}:
        if name.startswith("GIT_"):
            del plumbum.local.env[name]
    plumbum.local.env.update({**os.environ, **names})


def git(
    *command: str, cwd: Path, stdin: bytes | None = None, ok: tuple[int, ...] = (0,), **env: str
) -> bytes:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", *command],  # noqa: S607
            cwd=cwd,
            input=stdin,
            capture_output=True,
            env={**os.environ, **env},
        )
    except FileNotFoundError:
        if cwd.is_dir():
            raise Stop("git is not installed, and an update needs it: install git.") from None
        raise
    if done.returncode not in ok:
        text = done.stderr.decode(errors="replace").strip()
        raise Stop(
            owned_by_another(text) or f"git {command[0]} failed in {cwd}: {' '.join(text.split())}."
        )
    return done.stdout


def owned_by_another(text: str) -> str:
    if not (found := re.search(r"dubious ownership in repository at '(.*)'", text)):
        return ""
    return (
        f"git refuses {found[1]}, since it belongs to another user: work as that user, or trust it with "
        f"`git config --global --add safe.directory {found[1]}`."
    )


def line(*command: str, cwd: Path) -> str:
    """The single line printed by a git command."""
    return os.fsdecode(git(*command, cwd=cwd)).rstrip("\n")


def paths(command: str, *options: str, cwd: Path, **others: Any) -> list[str]:
    """The paths printed by a git command with -z."""
    printed = os.fsdecode(git(command, "-z", *options, cwd=cwd, **others))
    return [path for path in printed.split("\0") if path]


def find_repository(root: Path) -> Repository:
    """The repository of the project. Stop without a commit, or with an unfinished merge."""
    try:
        top, folder = (
            Path(line("rev-parse", option, cwd=root))
            for option in ("--show-toplevel", "--absolute-git-dir")
        )
        head = line("rev-parse", "--verify", "HEAD", cwd=root)
    except Stop as stop:
        if not re.search("not a git repository|single revision", str(stop)):
            raise
        raise Stop(
            f"{root} has no git history, which an update needs: "
            'run `git init && git add -A && git commit -m "Start"` first.'
        ) from None
    return Repository(root, top, line("rev-parse", "--show-prefix", cwd=root), folder, head)


def touched(root: Path) -> set[str]:
    """Paths that differ from the last commit, relative to the repository's top folder."""
    entries = paths("status", "--porcelain", "--no-renames", "-uall", cwd=root)
    return {entry[3:] for entry in entries}


def read_index(root: Path) -> dict[str, Index]:
    """The tracked paths below the project's folder."""
    found = {}
    for entry in paths("ls-files", "-t", "--stage", cwd=root):
        tag, _, blob, rest = entry.split(" ", 3)
        found[rest.split("\t", 1)[1]] = Index(blob, tag == "S")
    return found


def read_blobs(root: Path, blobs: list[str]) -> Iterator[bytes]:
    printed = git(
        "cat-file", "--batch", cwd=root, stdin="".join(f"{blob}\n" for blob in blobs).encode()
    )
    at = 0
    for _ in blobs:
        end = printed.index(b"\n", at)
        size = int(printed[at:end].split()[2])
        yield printed[end + 1 : end + 1 + size]
        at = end + size + 2


def unfinished(names: list[str]) -> Stop:
    return Stop(
        f"An earlier update is unfinished: resolve the conflicts in {', '.join(sorted(names))} "
        "and commit, or undo it with `git reset --hard`."
    )


def twin(repository: Repository, commit: str, folder: Path) -> Path:
    """The project as of a commit, in another repository: what is done there does not happen here."""
    copy = folder / "twin"
    with contextlib.suppress(Stop):
        tree = line("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}", cwd=repository.top)
        index = {"GIT_INDEX_FILE": str(folder / "index")}
        git("read-tree", tree, cwd=repository.top, **index)
        every = [
            "-c",
            "core.sparseCheckout=false",
            "checkout-index",
            "--all",
            "--quiet",
            f"--prefix={copy}/",
        ]
        git(*every, cwd=repository.top, **index)
    if not copy.is_dir():
        raise Stop(f"This repository has no commit {commit}: fetch it, or name another.")
    who = {
        f"GIT_{role}_{part}": "update.py"
        for role in ("AUTHOR", "COMMITTER")
        for part in ("NAME", "EMAIL")
    }
    git("init", "--quiet", cwd=copy)
    git("add", "--all", "--force", cwd=copy)
    git("commit", "--quiet", "--allow-empty", "--message", commit, cwd=copy, **who)
    return copy / repository.prefix


# Files and renders -----------------------------------------------------------------------------------------------


def look(root: Path, path: str) -> File | str | None:
    """What a path holds, None for nothing; a sentence when something is in the way."""
    file = root / path
    for parent in reversed(Path(path).parents[:-1]):
        if (root / parent).is_symlink() or (root / parent).is_file():
            return f"{parent.as_posix()} is a {'link' if (root / parent).is_symlink() else 'file'} here"
    try:
        mode = file.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISLNK(mode):
        return File(os.fsencode(os.readlink(file)), LINK)
    if stat.S_ISREG(mode):
        return File(file.read_bytes(), 0o755 if mode & 0o100 else 0o644)
    return "a folder here" if stat.S_ISDIR(mode) else "no regular file here"


def tree(root: Path) -> dict[str, File]:
    """Every file of a rendered tree except the answers file. Stop when a path is one of git's."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            path = (Path(folder) / name).relative_to(root).as_posix()
            if re.fullmatch(
                r"\.git[ .]*|git~1",
                re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]|::?\$.*", "", name),
                re.IGNORECASE,
            ):
                raise Stop(
                    f"The template renders {path}, which is git's: a file there can run code. Nothing was changed; "
                    "report it to the template's maintainers."
                )
            if isinstance(file := look(root, path), File) and path != ANSWERS:
                found[path] = file
    return dict(sorted(found.items()))


def recorded(root: Path) -> dict[str, Any]:
    """The answers file. Stop when it names no source or release to update from."""
    file = root / ANSWERS
    if not file.is_file():
        raise Stop(
            f"{root} has no {ANSWERS}: run this command in a project made from the template."
        )
    try:
        answers = yaml.safe_load(file.read_bytes())
        source, commit = answers["_src_path"], answers["_commit"]
    except (yaml.YAMLError, KeyError, TypeError, UnicodeError):
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


def render(
    target: Path, source: str, ref: str | None, answers: bytes, data: dict[str, Any], **options: Any
) -> Any:
    """Render a release into a new folder, with the answers of the file and defaults for the rest."""
    target.mkdir()
    (target / ANSWERS).write_bytes(answers)
    # Undocumented: copier.errors, copier._main; the worker's template, answers and match_skip. Seen in 9.19.1.
    return as_operation("update")(copier.run_copy)(
        source, target, data=data, vcs_ref=ref, skip_tasks=True, **UNASKED, **options
    )


def release(
    target: Path,
    source: str,
    ref: str | None,
    answers: bytes,
    data: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Render a release, with the answers in `data` if given. Stop with the reason when that fails."""
    try:
        return render(target, source, ref, answers, data or {}, **options)
    except UnsafeTemplateError:
        raise Stop(
            f"Release {ref or 'newest'} of {source} renders with Jinja extensions, which are code: read them first, then add --trust."
        ) from None
    except Exception as error:  # From Copier, a validator, or git.
        text = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
        gone = "did not match|unknown revision|invalid reference|not our ref"
        if no_room(error) or "No space left" in text:
            raise Stop(
                f"The disk is full ({tempfile.gettempdir()}): free some space and repeat. Nothing was changed."
            ) from error
        if stop := owned_by_another(text):
            raise Stop(stop) from error
        if isinstance(error, plumbum.CommandNotFound):
            raise Stop("git is not installed, and an update needs it: install git.") from error
        if ref and (re.search(gone, text, re.IGNORECASE) or repr(ref) in text):
            reason = f"release {ref} does not exist"
        elif re.search("could not read Username|Authentication failed|Permission denied|403", text):
            reason = "git has no credential for it, or one without access"
        elif (
            data is not None
            and isinstance(error, CopierError | ValueError)
            and not re.search("^Local template", text)
        ):  # A bad answer.
            raise Stop(f"{' '.join(text.split()).rstrip('.')}: answer it with --data.") from error
        else:
            reason = text.splitlines()[-1].rstrip(".")
    raise Stop(
        f"The template at {source} cannot be used: {reason}. If the template has moved, or this path is "
        f"relative, set _src_path in {ANSWERS} to its current location and commit that. If the release's "
        "tag was deleted, ask the template's maintainers to restore it."
    )


def no_room(error: BaseException | None) -> bool:
    return error is not None and (
        getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT)
        or no_room(error.__cause__ or error.__context__)
    )


# Merging ---------------------------------------------------------------------------------------------------------


def merge(path: str, here: File, base: File | None, new: File) -> tuple[File, bool]:
    """Git's three-way merge, and whether conflicts remain; lists are merged item by item."""
    old = base or File(b"", new.mode)
    mode = new.mode if here.mode == old.mode else here.mode
    if here.text in (old.text, new.text) or old.text == new.text:
        return File(new.text if here.text == old.text else here.text, mode), False
    with tempfile.TemporaryDirectory() as folder:
        for name, file in (("here", here), ("base", old), ("new", new)):
            (Path(folder) / name).write_bytes(file.text)
        labels = ["-L", "before updating", "-L", "last update", "-L", "after updating"]

        def merged(*options: str) -> tuple[bytes, int]:
            command = ["git", "merge-file", "-p", *options, *labels, "here", "base", "new"]
            done = subprocess.run(command, cwd=folder, capture_output=True)  # noqa: S603
            return done.stdout, done.returncode

        text, conflicts = merged()
        if conflicts > 127 or LINK in (here.mode, new.mode):  # Binary.
            return here, True
        if conflicts and Path(path).name in LISTS:
            joined = join(merged("--diff3")[0], path)
            if joined is not None and (
                not path.endswith(".toml") or is_union(here.text, old.text, new.text, joined)
            ):
                return File(joined, mode), False
    return File(text, mode), bool(conflicts)


HUNK = re.compile(
    rb"^<{7} before updating\n(.*?)^\|{7} last update\n(.*?)^={7}\n(.*?)^>{7} after updating\n",
    re.MULTILINE | re.DOTALL,
)
# An entry of a list of dependencies: the package's name, for one that both sides add differently.
ENTRY = re.compile(rb'\s*"([\w.-]+)[^"\n]*",\s*(?:#.*)?\r?\n')


def join(text: bytes, path: str) -> bytes | None:
    """Resolve conflicts where one side only added lines next to those that the other side changed."""

    def both(hunk: re.Match[bytes]) -> bytes:
        sides = [part.splitlines(keepends=True) for part in hunk.groups()]
        if path.endswith(".toml"):
            entries = [[ENTRY.fullmatch(item) for item in side] for side in sides]
            if not all(all(side) for side in entries):
                return hunk[0]
            names = [
                {re.sub(rb"[-_.]+", b"-", entry[1]).lower() for entry in side if entry}
                for side in entries
            ]
            if names[0] & names[2] - names[1]:
                return hunk[0]
        here, base, new = sides
        for one, other in ((here, new), (new, here)):
            for before in (True, False):
                if (one[: len(base)] if before else one[len(one) - len(base) :]) == base and len(
                    one
                ) >= len(base):
                    added = one[len(base) :] if before else one[: len(one) - len(base)]
                    kept = [item for item in added if item not in other or item in base]
                    if other and not other[-1].endswith(b"\n"):
                        return hunk[0]
                    return b"".join([*other, *kept] if before else [*kept, *other])
        return hunk[0]

    joined = HUNK.sub(both, text)
    return None if HUNK.search(joined) else joined


def is_union(here: bytes, base: bytes, new: bytes, joined: bytes) -> bool:
    """Whether the joined TOML says what both sides say."""

    def agree(ours: Any, old: Any, theirs: Any, result: Any) -> bool:
        if theirs == old or ours == theirs:
            return bool(result == ours)
        if ours == old:
            return bool(result == theirs)
        if all(isinstance(value, dict) for value in (ours, theirs, result)):
            old = old if isinstance(old, dict) else {}
            return all(
                agree(*(side.get(key) for side in (ours, old, theirs, result)))
                for key in {*ours, *theirs, *result}
            )
        if all(isinstance(value, list) for value in (ours, theirs, result)):
            old = old if isinstance(old, list) else []
            wanted = [
                *(x for x in ours if x in theirs or x not in old),
                *(x for x in theirs if x not in ours and x not in old),
            ]
            return sorted(map(repr, result)) == sorted(map(repr, wanted))
        return False

    try:
        return agree(*(tomllib.loads(text.decode()) for text in (here, base, new, joined)))
    except ValueError:
        return False


def nearest(path: str, text: bytes, others: dict[str, int], read: Any) -> str:
    """The path that this one was moved to: of the same name, or four fifths of its lines equal; else ""."""
    found, best = "", 0.0
    lines = text.splitlines()
    near = [
        name
        for name, size in others.items()
        if text.strip() and len(text) / 3 <= size <= 3 * len(text)
    ]
    for name in sorted(
        near,
        key=lambda name: (Path(name).name != Path(path).name, abs(others[name] - len(text)), name),
    )[:200]:
        matcher = difflib.SequenceMatcher(None, lines, read(name).splitlines(), autojunk=False)
        least = 0.5 if Path(name).name == Path(path).name else 0.8
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) <= max(least, best):
            continue
        if (alike := matcher.ratio()) > max(least, best):
            found, best = name, alike
    return found


# The plan --------------------------------------------------------------------------------------------------------


def make_plan(
    repository: Repository, to: str | None, data: dict[str, Any], trust: bool = False
) -> Plan:
    """Render the project's release and the requested one, and merge both with the project."""
    root = repository.root
    answers, text = recorded(root), (root / ANSWERS).read_bytes()
    source, current = answers["_src_path"], str(answers["_commit"])
    if unmerged := paths("diff", "--name-only", "--diff-filter=U", cwd=root):
        raise unfinished([*{*unmerged}])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ref = current if to == ":current:" else to
        worker = release(folder / "new", source, ref, text, data, unsafe=trust)
        # A path that the new release excludes is handed over to the project.
        release(
            folder / "base", source, current, text, unsafe=trust, exclude=worker.template.exclude
        )
        check_moved(current, text, (folder / "base" / ANSWERS).read_bytes())
        check_questions(data, worker.template.questions_data)
        recorded_now = yaml.safe_load((folder / "new" / ANSWERS).read_bytes())
        base = tree(folder / "base")
        plan = Plan(source, current, str(recorded_now["_commit"]), base=base)
        before, after = Version(current), version(plan.target)
        if after < before:
            raise Stop(
                f"{plan.target} is older than this project's release {current}, and an update only goes forward: "
                "to go back, revert the commit of the update."
            )
        plan.migrations = migrations(worker.template.config_data, before, after)
        if worker.template.config_data.get("tasks"):
            plan.notes.append("The template has _tasks, which are code; update.py never runs them.")
        if Path(source).expanduser().is_dir():
            plan.notes.append(
                f"_src_path {source} is a local folder: set it to the template's URL in {ANSWERS}."
            )
        seam = worker.match_skip
        hand_edited(repository, plan, folder / "former", seam)
        migrated = None
        if plan.migrations and trust:
            migrated = twin(repository, "HEAD", folder)
            migrate("before", migrated, plan, data)
            if (changed := (migrated / ANSWERS).read_bytes()) != text:
                shutil.rmtree(folder / "new")
                release(folder / "new", source, plan.target, changed, data, unsafe=trust)
                recorded_now = yaml.safe_load((folder / "new" / ANSWERS).read_bytes())
        plan.new = tree(folder / "new")
        plan.answers = changed_answers(answers, recorded_now, data)
        compare(plan, repository, migrated or root, seam, worker.template)
        if plan.current != plan.target or plan.answers or plan.writes:
            plan.writes[repository.prefix + ANSWERS] = File((folder / "new" / ANSWERS).read_bytes())
        if migrated:
            finish_migration(plan, repository, migrated, data)
    return plan


def version(ref: str) -> Version:
    try:
        return Version(ref)
    except InvalidVersion:
        raise Stop(f"{ref} is not a release of the template: name a tag, like v1.2.0.") from None


def migrations(config: dict[str, Any], before: Version, after: Version) -> list[str]:
    """The versions of the migrations between two releases; one without a version runs at each update."""
    found = []
    for migration in config.get("migrations", []):
        at = migration.get("version") if isinstance(migration, dict) else None
        if at is None or before < Version(str(at)) <= after:
            found.append("every update" if at is None else str(at))
    return found


def migrate(stage: str, project: Path, plan: Plan, data: dict[str, Any]) -> None:
    """Run a stage of the migrations in the twin, as `copier update` does."""
    since = types.SimpleNamespace(version=Version(plan.current), commit=plan.current)
    try:
        with Worker(
            src_path=plan.source,
            dst_path=project,
            vcs_ref=plan.target,
            data=data,
            unsafe=True,
            **UNASKED,
        ) as worker:
            if stage == "after":
                worker._ask()
            tasks = worker.template.migration_tasks(stage, since)
            as_operation("update")(worker._execute_tasks)(tasks)
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Stop(f"A migration failed, and nothing was changed: {reason}") from error


def finish_migration(
    plan: Plan, repository: Repository, project: Path, data: dict[str, Any]
) -> None:
    """Write the plan into the twin, run the migrations that come after it, and plan what differs there."""
    copy = (
        Path(str(project).removesuffix(repository.prefix.rstrip("/")))
        if repository.prefix
        else project
    )
    for path, file in plan.writes.items():
        if file is None:
            (copy / path).unlink(missing_ok=True)
        else:
            store(copy / path, file)
    migrate("after", project, plan, data)
    for path in touched(copy):
        found = look(copy, path)
        plan.writes[path] = None if isinstance(found, str) else found


def check_moved(current: str, here: bytes, there: bytes) -> None:
    """Stop when the tag of the project's release now points to another commit."""
    commits = [
        re.search(rb"^# Commit ([0-9a-f]{40,64})", text, re.MULTILINE) for text in (here, there)
    ]
    then, now = (found[1].decode() if found else None for found in commits)
    if then and now and then != now:
        raise Stop(
            f"The template's tag {current} was moved from {then[:10]} to {now[:10]}, so edits made here cannot be "
            f"distinguished from the template's changes: ask for the tag to be moved back or, if both commits "
            f"have the same content, write {now} into {ANSWERS}."
        )


def compare(plan: Plan, repository: Repository, project: Path, seam: Any, template: Any) -> None:
    """Fill in the plan, path by path. `project` is here, or the twin after its migrations."""
    base, new = plan.base, plan.new
    every = sorted(base.keys() | new.keys())
    index = read_index(project)
    free = (path for path in every if not isinstance(look(project, path), str))
    stdin = b"\0".join(os.fsencode(path) for path in free)
    ignored = paths("check-ignore", "--stdin", "--no-index", cwd=project, stdin=stdin, ok=(0, 1))
    ignored = {path for path in ignored if path not in index}
    found = {path: look(repository.root if path in ignored else project, path) for path in every}
    as_git_has_it(found, plan, index, project)
    if left := leftovers(project, found):
        raise unfinished(left)
    for path in every:
        here, old, coming = found[path], base.get(path), new.get(path)
        if isinstance(here, File) and here.mode == LINK != getattr(coming or old, "mode", LINK):
            here = "a link here"
        if isinstance(here, str):
            blocked, here = here, None
            change = Change(
                path, "deleted", f"{blocked}; the template's changes to it are not applied"
            )
            if (
                seam(Path(path))
                or coming in (old, None)
                or (old is None and vacated(path, project, plan))
            ):
                change = judge(path, here, old, coming, True, False) if old is None else None
        else:
            if (
                path == SELF
                and here not in (None, old, coming)
                and is_released(here, plan, template)
            ):
                old = here  # `renew` has brought it.
            change = judge(path, here, old, coming, seam(Path(path)), path in ignored)
        if change and change.verdict == "added" and old is None and is_abandoned(path, found, plan):
            change = Change(path, "deleted", "new, in a folder that was deleted here: not added")
        plan.here[path] = here
        if path in base and not seam(Path(path)):
            plan.pristine += here == old
            plan.deleted += [path] * (here is None)
            plan.edited += [path] * (here not in (None, old))
        if change:
            plan.changes.append(change)
    find_renames(plan, index, project)
    plan.changes.sort(key=lambda change: (VERDICTS.index(change.verdict), change.path))
    for change in plan.changes:
        kept = change.verdict in ("LOST", "WIPED", "deleted")
        if not kept and change.result != plan.here[change.path]:
            plan.writes[repository.prefix + change.path] = change.result


def is_abandoned(path: str, found: dict[str, Any], plan: Plan) -> bool:
    """Whether the nearest folder that the template had before has none of its files here."""
    for folder in Path(path).parents[:-1]:
        if inside := [name for name in plan.base if name.startswith(f"{folder.as_posix()}/")]:
            return all(found[name] is None for name in inside)
    return False


def vacated(path: str, project: Path, plan: Plan) -> bool:
    """Whether all that is in the way of a path is the template's, not edited, and removed by this update."""
    at = Path(path)
    while at.parent != Path() and not (project / at.parent).is_dir():
        at = at.parent
    ways = (
        [file for file in (project / at).rglob("*") if not file.is_dir()]
        if (project / at).is_dir()
        else [project / at]
    )
    names = [file.relative_to(project).as_posix() for file in ways]
    return all(
        name in plan.base and name not in plan.new and look(project, name) == plan.base[name]
        for name in names
    )


def as_git_has_it(
    found: dict[str, Any], plan: Plan, index: dict[str, Index], project: Path
) -> None:
    """Take what is not edited, or not checked out, from git: its line ends are the template's."""
    prefix = line("rev-parse", "--show-prefix", cwd=project)
    dirty = touched(project)
    modes = (
        line("config", "--default", "true", "--type=bool", "core.fileMode", cwd=project) == "true"
    )
    for path, here in found.items():
        if (
            not modes
            and isinstance(here, File)
            and here.mode != LINK
            and (old := plan.base.get(path))
        ):
            found[path] = File(here.text, old.mode)
    wanted = [
        path
        for path, here in found.items()
        if path in index
        and (
            index[path].sparse
            if here is None
            else isinstance(here, File) and here != plan.base.get(path)
        )
        if prefix + path not in dirty
    ]
    for path, text in zip(
        wanted, read_blobs(project, [index[path].blob for path in wanted]), strict=True
    ):
        known = found[path] or plan.base.get(path) or File(b"")
        found[path] = File(text, known.mode)


def leftovers(project: Path, found: dict[str, Any]) -> list[str]:
    """Paths of the template with Copier's conflict markers, or with a rejected patch beside them."""
    names = [
        path for path, here in found.items() if isinstance(here, File) and MARKERS.search(here.text)
    ]
    return [
        *names,
        *(f"{path}.rej" for path in found if found[path] and (project / f"{path}.rej").is_file()),
    ]


def find_renames(plan: Plan, index: dict[str, Index], project: Path) -> None:
    """Carry edits over to a file that the template renamed, and find what was moved here."""
    added = {change.path: change for change in plan.of("added") if change.path not in plan.base}
    for change in plan.of("LOST"):
        old, here = plan.base[change.path], change.result
        sizes = {path: len(plan.new[path].text) for path in added}
        heir = nearest(change.path, old.text, sizes, lambda name: plan.new[name].text)
        if not heir or here is None:
            continue
        merged, conflicts = merge(heir, here, old, plan.new[heir])
        if conflicts:
            change.note += f"; see {heir}"
            continue
        change.verdict, change.to, change.result = "renamed", heir, None
        change.note = f"to {heir}; edits made here are carried over"
        added.pop(heir).result = merged  # Each new file takes the edits of one old file only.
    gone = [
        change
        for change in plan.of("deleted")
        if plan.here[change.path] is None and change.path in plan.base
    ]
    if gone:
        own = (path for path in index if path not in plan.base and path != ANSWERS)
        sizes = {
            path: (project / path).lstat().st_size for path in own if (project / path).is_file()
        }
        for change in gone:
            change.to = nearest(
                change.path,
                plan.base[change.path].text,
                sizes,
                lambda name: (project / name).read_bytes(),
            )
            if change.to:
                change.note = (
                    f"moved here to {change.to}; the template's changes to it are not applied"
                )


def judge(
    path: str, here: File | None, base: File | None, new: File | None, seam: bool, ignored: bool
) -> Change | None:
    """What the update does to a path: `here` it is, `base` was rendered, `new` is requested."""
    edited = here is not None and here != base
    if ignored and edited and here != new:
        return Change(
            path, "WIPED", "edited here, ignored by git; apply keeps your version", result=here
        )
    if here and edited and base == new and b"\0" in here.text:
        return Change(path, "WIPED", "edited here, binary; apply keeps your version", result=here)
    if here == new:
        return None
    if new is None:
        if edited:
            return Change(
                path, "LOST", "edited here, no longer in the template; apply keeps it", result=here
            )
        return Change(path, "removed")
    if here is None and (seam or base is None):
        return Change(path, "added", "a project file from now on" if seam else "", result=new)
    if seam or base == new:
        return None
    if here is None:
        return Change(path, "deleted", "the template's changes to it are not applied")
    if here == base:
        return Change(path, "update", result=new)
    merged, conflicts = merge(path, here, base, new)
    if merged == here and not conflicts:  # Made the same change.
        return (
            Change(path, "merge", "both changes are kept", result=here)
            if here.text != new.text
            else None
        )
    notes = ["added on both sides"] * (base is None)
    notes += ["binary; apply keeps your version"] * (b"\0" in here.text)
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


def hand_edited(repository: Repository, plan: Plan, folder: Path, seam: Any) -> None:
    """Stop when answers were edited by hand and the files still match the former answers."""
    root = repository.root
    commits = git("log", "--format=%H", "-2", "--", ANSWERS, cwd=root).decode().split()
    if len(commits) < 2:
        return
    along = paths("show", "--format=", "--name-only", "--relative", commits[0], cwd=root)
    if any(look(root, path) == plan.base[path] for path in along if path in plan.base):
        return  # The commit of an update.
    text = git("show", f"{commits[0]}^:./{ANSWERS}", cwd=root, ok=(0, 128))
    try:
        former = yaml.safe_load(text) or {}
        render(folder, plan.source, former["_commit"], text, {})
        then = tree(folder)
    except Exception:  # Former answers that cannot be rendered prove nothing.
        return
    answers = recorded(root)
    differing = sorted(
        name
        for name in former.keys() | answers.keys()
        if name != "_src_path" and former.get(name) != answers.get(name)
    )
    affected = {
        path
        for path in then.keys() | plan.base.keys()
        if then.get(path) != plan.base.get(path) and not seam(Path(path))
    }
    here = {path: look(root, path) for path in affected}
    stayed = any(here[path] == then.get(path) for path in affected)
    followed = any(here[path] == plan.base.get(path) for path in affected)
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


def refusal(plan: Plan, repository: Repository, trust: bool) -> str:
    """Why apply would change nothing, apart from conflicts; "" if it would not refuse."""
    if dirty := sorted(touched(repository.root)):
        return (
            f"The work tree has uncommitted changes ({dirty[0]}{', …' * (len(dirty) > 1)}): "
            "commit or stash them first, so that the update can be undone."
        )
    if plan.migrations and not trust:
        return (
            f"This update runs the template's migration for {', '.join(plan.migrations)}, "
            f"which is code: read hooks/migrations in {plan.source} first, then add --trust."
        )
    return BUSY if (repository.folder / "index.lock").exists() else ""


# The journal -----------------------------------------------------------------------------------------------------

BUSY = (
    "Another git command is running in this repository, or one has crashed: wait until it has ended, "
    "or remove .git/index.lock, and repeat."
)


def store(file: Path, content: File, mode: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if content.mode == LINK:
        os.symlink(os.fsdecode(content.text), file)
        return
    file.write_bytes(content.text)
    mode = stat.S_IMODE(mode or file.stat().st_mode) & ~0o111
    file.chmod(mode | (mode & 0o444) >> 2 if content.mode == 0o755 else mode)


def digest(state: File | str | None) -> str:
    """A short form of what a path holds."""
    if isinstance(state, File):
        return f"{state.mode:o} {hashlib.sha256(state.text).hexdigest()}"
    return "nothing"


def smudge(repository: Repository, writes: dict[str, File | None]) -> dict[str, File | None]:
    """The contents as git checks them out, with the line ends that the project asks for."""
    names = [path for path, file in writes.items() if file and file.mode != LINK]
    ends = [
        line("config", "--default", "", key, cwd=repository.top)
        for key in ("core.autocrlf", "core.eol")
    ]
    if "true" not in ends and "crlf" not in ends:
        stdin = b"\0".join(os.fsencode(path) for path in names)
        asked = (
            "check-attr",
            "--stdin",
            "text",
            "eol",
            "crlf",
            "filter",
            "ident",
            "working-tree-encoding",
        )
        printed = paths(*asked, cwd=repository.top, stdin=stdin)
        said = zip(printed[::3], printed[2::3], strict=True)
        names = [*{path for path, value in said if value != "unspecified"}]
    result = dict(writes)
    for path in names:
        file = writes[path] or File(b"")
        blob = git("hash-object", "-w", "--stdin", cwd=repository.top, stdin=file.text).decode()
        command = ["cat-file", "--filters", f"--path={path}", blob.strip()]
        result[path] = File(git(*command, cwd=repository.top), file.mode)
    return result


class Journal:
    """A folder in .git that says how far the writing has come. Each step has what was there and what comes."""

    def __init__(self, repository: Repository):
        self.top, self.git = repository.top, repository.folder
        self.folder = self.git / "template-update"
        self.steps: list[dict[str, str]] = []
        self.marks = False

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """One update.py at a time; the system lets go when the process ends, however it ends."""
        with (self.git / "template-update.lock").open("a") as file:
            try:
                if fcntl:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Stop(
                    "Another update.py is writing into this repository: wait until it has ended."
                ) from None
            yield

    def begin(
        self,
        before: dict[str, File | str | None],
        after: dict[str, File | None],
        index: bytes | None,
    ) -> None:
        """Keep what is here and what comes, answers last; from the last line on, the journal counts."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        # What is removed first, since a folder may take its place; the answers last.
        order = sorted(
            after, key=lambda path: (path.endswith(ANSWERS), after[path] is not None, path)
        )
        for number, path in enumerate(order):
            file = self.top / path
            if isinstance(before[path], File):
                shutil.copy2(file, self.folder / f"{number}.old", follow_symlinks=False)
            if (content := after[path]) is not None:
                mode = (
                    file.lstat().st_mode
                    if isinstance(before[path], File) and not file.is_symlink()
                    else 0
                )
                store(self.folder / f"{number}.new", content, mode)
            self.steps.append({"path": path, "old": digest(before[path]), "new": digest(content)})
        self.marks = index is not None
        (self.folder / "index").write_bytes(index or b"")
        text = json.dumps({"steps": self.steps, "marks": self.marks})
        (self.folder / "unfinished").write_text(text)
        os.replace(self.folder / "unfinished", self.folder / "journal.json")

    def read(self) -> bool:
        """Whether there is an unfinished update."""
        try:
            found = json.loads((self.folder / "journal.json").read_text())
        except FileNotFoundError:
            return False
        self.steps, self.marks = found["steps"], found["marks"]
        return True

    def lock(self) -> None:
        """Hold git's own lock, so that no commit, switch or add happens meanwhile."""
        try:
            os.link(self.folder / "index", self.git / "index.lock")
        except FileExistsError:
            raise Stop(BUSY) from None

    def write(self) -> None:
        for number, step in enumerate(self.steps):
            if digest(look(self.top, step["path"])) != step["old"]:
                raise Stop(
                    f"{step['path']} was changed while the update was written: repeat the update."
                )
            self.move(f"{number}.new", step["path"], step["new"] == "nothing")

    def done(self, number: int) -> bool:
        """Whether a step was made: its file has left the journal, or has come into it."""
        if self.steps[number]["new"] == "nothing":
            return (self.folder / f"{number}.new.gone").exists()
        return not os.path.lexists(self.folder / f"{number}.new")

    def move(self, name: str, path: str, absent: bool) -> None:
        """Put a kept file into place in one instant, or remove what is there."""
        file = self.top / path
        if absent:
            with contextlib.suppress(FileNotFoundError):
                try:
                    os.replace(file, self.folder / f"{name}.gone")
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    (self.folder / f"{name}.gone").touch()
                    file.unlink()
            for parent in file.parents:
                if parent == self.top or not parent.is_dir() or any(parent.iterdir()):
                    return
                parent.rmdir()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        try:
            os.replace(self.folder / name, file)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            beside = file.with_name(f".{file.name}.update")  # .git is on another disk.
            shutil.copy2(self.folder / name, beside, follow_symlinks=False)
            os.replace(beside, file)

    def end(self) -> None:
        """Let go of git's lock; it becomes the index when there are conflicts to mark."""
        lock = self.git / "index.lock"
        if (
            lock.exists()
            and (self.folder / "index").exists()
            and lock.samefile(self.folder / "index")
        ):
            if self.marks:
                os.replace(lock, self.git / "index")
            else:
                lock.unlink()
        (self.folder / "journal.json").unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_back(self) -> list[str]:
        """Put back what was there. Return the paths that somebody else has changed since: they stay."""
        foreign = []
        for number, step in reversed([*enumerate(self.steps)]):
            now = digest(look(self.top, step["path"]))
            if not self.done(number):
                continue
            if now == step["new"] != step["old"]:
                self.move(f"{number}.old", step["path"], step["old"] == "nothing")
            elif now != step["old"]:
                foreign.append(step["path"])
        self.marks = False
        self.end()
        return foreign

    def recover(self) -> str:
        """Finish, or take back, an update that was interrupted. Return a sentence that says which."""
        if not (self.folder / "journal.json").exists():
            return ""
        with self.held():
            if not self.read():
                return ""
            if not all(self.done(number) for number in range(len(self.steps))):
                foreign = self.take_back()
                changed = f" {', '.join(foreign)} was changed since and stays as it is." * bool(
                    foreign
                )
                return f"An update was interrupted. It was taken back: the project is as it was before it.{changed}"
            self.end()
            return f"An update was interrupted after its last file. It is finished: {counted(self.steps, 'file')} written."


def bring(
    repository: Repository, plan: Plan, seen: dict[str, File | str | None], marked: list[str]
) -> list[str]:
    """Write the plan here, all of it or nothing, and mark the conflicts in git's index."""
    journal = Journal(repository)
    with journal.held(), tempfile.TemporaryDirectory() as folder:
        try:
            after = smudge(repository, plan.writes)
            journal.begin(seen, after, mark_conflicts(repository, plan, marked, Path(folder)))
            journal.lock()
            if line("rev-parse", "HEAD", cwd=repository.top) != repository.head:
                raise Stop("The branch has moved while the update was computed: repeat the update.")
            journal.write()
            journal.end()
        except BaseException:
            journal.take_back()
            raise
    return sorted(plan.writes)


def mark_conflicts(
    repository: Repository, plan: Plan, marked: list[str], folder: Path
) -> bytes | None:
    """The index with the three versions of each conflicting file, as a merge leaves it."""
    if not marked:
        return None
    copy = folder / "index"
    shutil.copy(repository.folder / "index", copy)
    entries = []
    for path in marked:
        entries.append(f"0 {'0' * len(repository.head)}\t{repository.prefix}{path}\0")
        for stage, file in enumerate((plan.base.get(path), plan.here[path], plan.new.get(path)), 1):
            if file:
                blob = (
                    git("hash-object", "-w", "--stdin", cwd=repository.top, stdin=file.text)
                    .decode()
                    .strip()
                )
                entries.append(
                    f"{0o100000 | file.mode if file.mode != LINK else LINK:o} {blob} {stage}\t{repository.prefix}{path}\0"
                )
    stdin = os.fsencode("".join(entries))
    git(
        "update-index",
        "-z",
        "--index-info",
        cwd=repository.top,
        stdin=stdin,
        GIT_INDEX_FILE=str(copy),
    )
    return copy.read_bytes()


# Commands --------------------------------------------------------------------------------------------------------


def review(repository: Repository, base: str) -> list[str]:
    """Edits lost by the update since the commit `base` that `apply` would have kept."""
    root = repository.root
    with tempfile.TemporaryDirectory() as folder:
        before = twin(repository, base, Path(folder))
        then, now = recorded(before), recorded(root)
        changed = {
            name: now[name] for name in now if name[0] != "_" and now[name] != then.get(name)
        }
        plan = make_plan(find_repository(before), str(now["_commit"]), changed)
    if left := leftovers(root, {path: look(root, path) for path in plan.base.keys() | plan.new}):
        raise unfinished(left)
    lost = []
    for change in plan.of("conflict", "merge", "LOST", "WIPED", "renamed"):
        path = change.to or change.path
        here, new = look(root, path), plan.new.get(path)
        if (
            here == new
            or (isinstance(here, File) and new and here.text.replace(b"\r\n", b"\n") == new.text)
        ) and change.result != new:
            lost.append(
                f"The update lost the edits of {path}: repeat it with `uv run update.py apply`, which keeps them."
            )
    return lost


def is_released(here: File, plan: Plan, template: Any) -> bool:
    """Whether update.py is that of a later release, as `renew` brings it."""
    with contextlib.suppress(Exception), tempfile.TemporaryDirectory() as folder:
        tags = git(
            "ls-remote", "--tags", "--refs", template.url_expanded, cwd=Path(folder)
        ).decode()
        for number, tag in enumerate(re.findall(r"refs/tags/(\S+)", tags)):
            with contextlib.suppress(InvalidVersion):
                if (
                    Version(tag) > Version(plan.current)
                    and only_self(Path(folder) / str(number), plan.source, tag) == here
                ):
                    return True
    return False


def only_self(folder: Path, source: str, ref: str | None, answers: bytes = b"") -> File:
    """update.py of a release."""
    release(folder, source, ref, answers, exclude=("*", f"!{SELF}", f"!{ANSWERS}"))
    file = tree(folder).get(SELF)
    if not file:
        raise Stop(f"Release {ref or 'newest'} of {source} has no {SELF}.")
    return file


def renew(repository: Repository, to: str | None) -> int:
    """Show and take the update.py of a release, and nothing else of it."""
    root = repository.root
    answers, text = recorded(root), (root / ANSWERS).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        base = only_self(Path(folder) / "base", answers["_src_path"], str(answers["_commit"]), text)
        new = only_self(Path(folder) / "new", answers["_src_path"], to, text)
        ref = str(yaml.safe_load((Path(folder) / "new" / ANSWERS).read_bytes())["_commit"])
    seen = look(root, SELF)
    if not isinstance(seen, File) or repository.prefix + SELF in touched(root):
        raise Stop(
            f"{SELF} has uncommitted changes: commit them first, so that this can be undone."
        )
    plan = Plan(answers["_src_path"], str(answers["_commit"]), ref)
    here = File(seen.text.replace(b"\r\n", b"\n"), seen.mode)
    merged, conflicts = merge(SELF, here, base, new)
    if conflicts:
        return say(
            1, f"{SELF} was edited here, in the same place as in {ref}. Nothing was changed."
        )
    if merged == here:
        return say(0, f"{SELF} is that of {ref}. Nothing was changed.")
    texts = [
        side.text.decode(errors="replace").splitlines(keepends=True) for side in (here, merged)
    ]
    sys.stdout.writelines(difflib.unified_diff(*texts, f"{SELF} here", f"{SELF} of {ref}"))
    plan.writes = {repository.prefix + SELF: merged}
    bring(repository, plan, {repository.prefix + SELF: seen}, [])
    return say(
        0, f"{SELF} is that of {ref}; the project is still {plan.current}. Review it and commit."
    )


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
    found = plan.of("conflict")
    if not plan.writes and not found:
        return "Up to date."
    if plan.refused:
        return "`apply` would change nothing."
    if found:
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
    hidden = ("base", "new", "here", "writes")
    shown = {key: value for key, value in vars(plan).items() if key not in hidden}
    names = ("path", "verdict", "note", "to")
    changes = [{name: getattr(change, name) for name in names} for change in plan.changes]
    return shown | {"changes": changes, "code": plan.code}


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n\n")[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=__doc__.split("\n\n", 1)[1],
    )
    parser.add_argument("command", choices=["check", "apply", "report", "review", "renew"])
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
    option("--trust", action="store_true", help="run the template's migrations")
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    set_environment()
    warnings.simplefilter("ignore")
    try:
        return run(options, root)
    except Stop as reason:
        return say(2, str(reason))
    except KeyboardInterrupt:
        return say(2, "Interrupted. Nothing was changed.")
    except Exception as error:
        where = getattr(error, "filename", "")
        if no_room(error):
            return say(
                2,
                f"The disk is full{f' ({where})' * bool(where)}: free some space and repeat. Nothing was changed.",
            )
        text = (
            getattr(error, "strerror", "") or " ".join(str(error).split()) or type(error).__name__
        )
        return say(2, f"{where or type(error).__name__}: {text}. Nothing was changed.")


def run(options: argparse.Namespace, root: Path) -> int:
    recorded(root)
    repository = find_repository(root)
    data = dict(item.split("=", 1) for item in options.data)
    if recovered := Journal(repository).recover():
        say(0, recovered)
    if options.command == "renew":
        return renew(repository, options.to)
    if options.command == "review":
        lost = review(repository, options.base)
        return say(int(bool(lost)), *lost or ["The update lost no edit."])
    plan = make_plan(repository, options.to, data, options.trust)
    seen = {path: look(repository.top, path) for path in plan.writes}
    plan.refused = refusal(plan, repository, options.trust)
    if options.json:
        print(json.dumps(as_json(plan), indent=2))
    else:
        print(markdown(plan) if options.command == "report" else table(plan))
    marked = [change.path for change in plan.of("conflict")] if options.conflicts else []
    if plan.code == 2:
        raise Stop(plan.refused)
    if options.command != "apply" or not plan.code + len(plan.writes):
        return plan.code
    if plan.code and not options.conflicts:
        return say(1, "Nothing was changed.")
    written = bring(repository, plan, seen, marked)
    summary = [f"{counted(written, 'file')} written. To undo: git reset --hard && git clean -fd"]
    if kept := [change.path for change in plan.of("LOST")]:
        summary.append(
            f"Kept, although no longer in the template: {', '.join(kept)}. It is a project file now and may "
            "import what was removed: adapt or delete it."
        )
    if marked:
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
