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
changes nothing, and `apply --conflicts` updates and marks it; 2 no update is possible, and the message says why.
review exits with 1 when an edit was lost, renew when edits of update.py conflict. `--json` prints the preview as JSON.

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
from collections import Counter
from collections.abc import Iterable, Iterator, Sized
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
ORDER = ["conflict", "LOST", "WIPED", "renamed", "deleted", "merge", "update", "added", "removed"]
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
NOT_APPLIED = "the template's changes to it are not applied"
NO_GIT = "git is not installed, and an update needs it: install git."
# The questions whose answers stay: the package's name, and which of two kinds the project is.
NAME, LAYER, ADOPTED = "package_name", "testing_layer", "adopted"
UNDO = "git reset --hard && git clean -fd"


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


def configuration(settings: list[tuple[str, str]]) -> dict[str, str]:
    """Settings as git reads them from the environment."""
    names = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings):
        names |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return names


def set_environment() -> None:
    """Keep git's environment from redirecting us, and override the user's configuration."""
    given = range(int(os.environ.get("GIT_CONFIG_COUNT") or 0))
    keys, values = (
        [os.environ.get(f"GIT_CONFIG_{part}_{n}", "") for n in given] for part in ("KEY", "VALUE")
    )
    # These stay: one may be a token for the template.
    pairs = zip(keys, values, strict=True)
    kept = [pair for pair in pairs if pair[0] and not pair[0].lower().startswith(REDIRECTS)]
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        if not GIT_ENVIRONMENT.fullmatch(name):
            del os.environ[name]
    os.environ.update(configuration([*kept, *GIT.items()]))
    # Copier runs git in what it renders, to set modes: with core.fileMode it does not look at a .git there.
    copiers = configuration([*kept, *GIT.items(), ("core.fileMode", "true")])
    for name in {*plumbum.local.env.getdict()} - {*os.environ}:
        if name.startswith("GIT_"):
            del plumbum.local.env[name]
    plumbum.local.env.update({**os.environ, **copiers})


def git(
    *command: str, cwd: Path, stdin: bytes | None = None, ok: tuple[int, ...] = (0,), **env: str
) -> bytes:
    # Else a status would refresh the index, under a lock that stays when git is killed.
    env = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", **env}
    options: Any = {"cwd": cwd, "input": stdin, "capture_output": True, "env": env}
    try:
        done = subprocess.run(["git", *command], **options)  # noqa: S603, S607
    except FileNotFoundError:
        if cwd.is_dir():
            raise Stop(NO_GIT) from None
        raise
    if done.returncode not in ok:
        text = " ".join(done.stderr.decode(errors="replace").split())
        raise Stop(owned_by_another(text) or f"git {command[0]} failed in {cwd}: {text}.")
    return done.stdout


def owned_by_another(text: str) -> str:
    if not (found := re.search(r"dubious ownership in repository at '(.*?)'", text)):
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
    """The repository of the project. Stop without a commit."""
    asked = ("--show-toplevel", "--absolute-git-dir", "--show-prefix")
    try:
        top, folder, prefix = os.fsdecode(git("rev-parse", *asked, cwd=root)).split("\n")[:3]
        head = line("rev-parse", "--verify", "HEAD", cwd=root)
    except Stop as stop:
        if not re.search("not a git repository|single revision", str(stop)):
            raise
        raise Stop(
            f"{root} has no git history, which an update needs: "
            'run `git init && git add -A && git commit -m "Start"` first.'
        ) from None
    return Repository(root, Path(top), prefix, Path(folder), head)


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
    stdin = "".join(f"{blob}\n" for blob in blobs).encode()
    printed, at = git("cat-file", "--batch", cwd=root, stdin=stdin), 0
    for _ in blobs:
        end = printed.index(b"\n", at)
        size = int(printed[at:end].split()[2])
        yield printed[end + 1 : end + 1 + size]
        at = end + size + 2


def unfinished(names: Iterable[str]) -> Stop:
    return Stop(
        f"An earlier update is unfinished: resolve the conflicts in {', '.join(sorted(names))} "
        f"and commit, or undo it with `{UNDO}`."
    )


def twin(repository: Repository, commit: str, folder: Path) -> Path:
    """The project as of a commit, in another repository: what is done there does not happen here."""
    copy, index = folder / "twin", {"GIT_INDEX_FILE": str(folder / "index")}
    with contextlib.suppress(Stop):
        tree = line("rev-parse", "--verify", "--quiet", f"{commit}^{{tree}}", cwd=repository.top)
        git("read-tree", tree, cwd=repository.top, **index)
        every = ["checkout-index", "--all", "--quiet", f"--prefix={copy}/"]
        git("-c", "core.sparseCheckout=false", *every, cwd=repository.top, **index)
    if not copy.is_dir():
        raise Stop(f"This repository has no commit {commit}: fetch it, or name another.")
    git("init", "--quiet", cwd=copy)
    git("add", "--all", "--force", cwd=copy)
    who = ["-c", "user.name=update.py", "-c", "user.email=update.py"]
    git(*who, "commit", "--quiet", "--allow-empty", "--message", commit, cwd=copy)
    return copy / repository.prefix


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
    for file in sorted(root.rglob("*")):
        path = file.relative_to(root).as_posix()
        plain = re.sub(r"[\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]|::?\$.*", "", file.name)
        if re.fullmatch(r"\.git[ .]*|git~1", plain, re.IGNORECASE):
            raise Stop(
                f"The template renders {path}, which is git's: a file there can run code. Nothing was changed; "
                "report it to the template's maintainers."
            )
        if isinstance(content := look(root, path), File) and path != ANSWERS:
            found[path] = content
    return found


def recorded(root: Path) -> dict[str, Any]:
    """The answers file. Stop when it names no source or release to update from."""
    if not (root / ANSWERS).is_file():
        raise Stop(
            f"{root} has no {ANSWERS}: run this command in a project made from the template."
        )
    try:
        answers = yaml.safe_load((root / ANSWERS).read_bytes())
        source, commit = answers["_src_path"], str(answers["_commit"])
    except (yaml.YAMLError, KeyError, TypeError, UnicodeError):
        raise Stop(
            f"{ANSWERS} no longer has _src_path or _commit: "
            f"find the last good commit with `git log --oneline {ANSWERS}`, and restore it with "
            f"`git checkout COMMIT -- {ANSWERS}`."
        ) from None
    try:
        Version(commit)
    except InvalidVersion:
        raise Stop(
            f"{ANSWERS} records _commit {commit}, which is no release of {source}: "
            "set it to the closest release and commit that."
        ) from None
    return {**answers, "_commit": commit}


def release(
    target: Path, source: str, ref: str | None, answers: bytes, data: Any = None, **options: Any
) -> Any:
    """Render a release into a new folder: `data`, else the answers file's, else defaults. Stop when that fails."""
    target.mkdir()
    (target / ANSWERS).write_bytes(answers)
    options |= {"data": data or {}, "vcs_ref": ref, "skip_tasks": True, **UNASKED}
    try:
        # Undocumented: copier.errors, copier._main; the worker's template, answers and match_skip. Seen in 9.19.1.
        return as_operation("update")(copier.run_copy)(source, target, **options)
    except UnsafeTemplateError:
        raise Stop(
            f"Release {ref or 'newest'} of {source} renders with Jinja extensions, which are code: read them first, then add --trust."
        ) from None
    except Exception as error:  # From Copier, a validator, or git.
        text = str(getattr(error, "stderr", "") or error).strip() or type(error).__name__
        if no_room(error) or "No space left" in text:
            raise Stop(
                f"The disk is full ({tempfile.gettempdir()}): free some space and repeat. Nothing was changed."
            ) from error
        if stop := owned_by_another(text) or NO_GIT * isinstance(error, plumbum.CommandNotFound):
            raise Stop(stop) from error
        asked = data is not None and isinstance(error, CopierError | ValueError)
        gone = "did not match|unknown revision|invalid reference|not our ref"
        reason = text.splitlines()[-1].rstrip(".")
        if ref and (re.search(gone, text, re.IGNORECASE) or repr(ref) in text):
            reason = f"release {ref} does not exist"
        elif re.search("could not read Username|Authentication failed|Permission denied|403", text):
            reason = "git has no credential for it, or one without access"
        elif asked and not text.startswith("Local template"):
            answer = " ".join(text.split()).rstrip(".")
            raise Stop(f"{answer}: answer it with --data.") from error
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
            # Marks so long that no line of a list is one.
            joined = join(merged("--diff3", "--marker-size=40")[0], path)
            if joined is not None and (
                not path.endswith(".toml") or is_union(here.text, old.text, new.text, joined)
            ):
                return File(joined, mode), False
    return File(text, mode), bool(conflicts)


HUNK = re.compile(
    rb"^<{40} before updating\r?\n(.*?)^\|{40} last update\r?\n(.*?)^={40}\r?\n(.*?)^>{40} after updating\r?\n",
    re.MULTILINE | re.DOTALL,
)
# An entry of a list of dependencies: the package's name, for one that both sides add differently.
ENTRY = re.compile(rb'\s*"([\w.-]+)[^"\n]*",\s*(?:#.*)?\r?\n')


def join(text: bytes, path: str) -> bytes | None:
    """Resolve conflicts where one side only added lines next to those that the other side changed."""

    def both(hunk: re.Match[bytes]) -> bytes:
        here, base, new = sides = [part.splitlines(keepends=True) for part in hunk.groups()]
        if path.endswith(".toml"):
            entries = [[ENTRY.fullmatch(item) for item in side] for side in sides]
            names = [
                {re.sub(rb"[-_.]+", b"-", entry[1]).lower() for entry in side if entry}
                for side in entries
            ]
            if not all(map(all, entries)) or names[0] & names[2] - names[1]:
                return hunk[0]
        for one, other in ((here, new), (new, here)):
            added, at = len(one) - len(base), len(base)
            if added < 0 or (other and not other[-1].endswith(b"\n")):
                continue
            after = one[:at] == base
            if after or one[added:] == base:
                more = one[at:] if after else one[:added]
                there, kept = Counter(other) - Counter(base), []
                for item in more:
                    if there[item]:  # Both sides add it: once is enough.
                        there[item] -= 1
                    else:
                        kept.append(item)
                return b"".join([*other, *kept] if after else [*kept, *other])
        return hunk[0]

    joined = HUNK.sub(both, text)
    return None if re.search(rb"^<{40} before", joined, re.MULTILINE) else joined


def is_union(here: bytes, base: bytes, new: bytes, joined: bytes) -> bool:
    """Whether the joined TOML says what both sides say."""

    def agree(ours: Any, old: Any, theirs: Any, result: Any) -> bool:
        if theirs == old or ours == theirs:
            return bool(result == ours)
        if ours == old:
            return bool(result == theirs)
        every = (ours, theirs, result)
        if all(isinstance(value, dict) for value in every):
            sides = (ours, old if isinstance(old, dict) else {}, theirs, result)
            return all(
                agree(*(side.get(key) for side in sides)) for key in {*ours, *theirs, *result}
            )
        if not all(isinstance(value, list) for value in every):
            return False
        old = old if isinstance(old, list) else []
        wanted = [item for item in ours if item in theirs or item not in old]
        wanted += [item for item in theirs if item not in ours and item not in old]
        return sorted(map(repr, result)) == sorted(map(repr, wanted))

    try:
        return agree(*(tomllib.loads(text.decode()) for text in (here, base, new, joined)))
    except ValueError:
        return False


def nearest(path: str, text: bytes, others: dict[str, int], read: Any) -> str:
    """The path that this one was moved to: of the same name, or four fifths of its lines equal; else ""."""
    found, best, lines = "", 0.0, text.splitlines()
    fit = [
        name
        for name, size in others.items()
        if text.strip() and len(text) <= 3 * size <= 9 * len(text)
    ]

    def distance(name: str) -> tuple[bool, int, str]:
        return Path(name).name != Path(path).name, abs(others[name] - len(text)), name

    for name in sorted(fit, key=distance)[:200]:
        matcher = difflib.SequenceMatcher(None, lines, read(name).splitlines(), autojunk=False)
        least = max(0.5 if Path(name).name == Path(path).name else 0.8, best)
        if min(matcher.real_quick_ratio(), matcher.quick_ratio()) > least < matcher.ratio():
            found, best = name, matcher.ratio()
    return found


def make_plan(
    repository: Repository, to: str | None, data: dict[str, Any], trust: bool = False
) -> Plan:
    """Render the project's release and the requested one, and merge both with the project."""
    root = repository.root
    answers, text = recorded(root), (root / ANSWERS).read_bytes()
    source, current = answers["_src_path"], answers["_commit"]
    if unmerged := paths("diff-files", "--name-only", "--diff-filter=U", cwd=root):
        raise unfinished({*unmerged})
    with tempfile.TemporaryDirectory() as name:
        base, new, folder = Path(name, "base"), Path(name, "new"), Path(name)
        ref = current if to == ":current:" else to
        worker = release(new, source, ref, text, data, unsafe=trust)
        template, seam = worker.template, worker.match_skip
        # A path that the new release excludes is handed over to the project.
        release(base, source, current, text, unsafe=trust, exclude=template.exclude)
        check_moved(current, text, (base / ANSWERS).read_bytes())
        check_questions(data, template.questions_data)
        check_kind(answers, {**answers, **data})
        plan = Plan(source, current, str(recorded_in(new)["_commit"]), base=tree(base))
        before, after = Version(current), version(plan.target)
        if after < before:
            raise Stop(
                f"{plan.target} is older than this project's release {current}, and an update only goes forward: "
                "to go back, revert the commit of the update."
            )
        plan.migrations = migrations(template.config_data, before, after)
        if template.config_data.get("tasks"):
            plan.notes.append("The template has _tasks, which are code; update.py never runs them.")
        if after > before and Path(source).expanduser().is_dir():
            plan.notes.append(
                f"_src_path {source} is a local folder: set it to the template's URL in {ANSWERS}."
            )
        hand_edited(repository, plan, folder / "former", seam)
        migrated = None
        if plan.migrations and trust:
            migrated = twin(repository, "HEAD", folder)
            migrate("before", migrated, plan, data)
            if (changed := (migrated / ANSWERS).read_bytes()) != text:
                shutil.rmtree(new)
                release(new, source, plan.target, changed, data, unsafe=trust)
        plan.new = tree(new)
        plan.answers = changed_answers(answers, recorded_in(new), data)
        compare(plan, repository, migrated or root, seam, template)
        if plan.current != plan.target or plan.answers or plan.writes:
            plan.writes[repository.prefix + ANSWERS] = File((new / ANSWERS).read_bytes())
        if migrated:
            finish_migration(plan, repository, migrated, data)
    return plan


def recorded_in(render: Path) -> Any:
    return yaml.safe_load((render / ANSWERS).read_bytes())


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
    options = {"vcs_ref": plan.target, "data": data, "unsafe": True, **UNASKED}
    try:
        with Worker(src_path=plan.source, dst_path=project, **options) as worker:
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
    top = Path(line("rev-parse", "--show-toplevel", cwd=project))
    for path, file in plan.writes.items():
        (top / path).unlink(missing_ok=True)
        if file:
            store(top / path, file)
    migrate("after", project, plan, data)
    for path in touched(top):
        found = look(top, path)
        plan.writes[path] = None if isinstance(found, str) else found


def check_moved(current: str, here: bytes, there: bytes) -> None:
    """Stop when the tag of the project's release now points to another commit."""
    then, now = (
        "".join(
            re.findall(r"^# Commit ([0-9a-f]{40,64})", text.decode(errors="replace"), re.MULTILINE)
        )
        for text in (here, there)
    )
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
    index, url, root = read_index(project), template.url_expanded, repository.root
    free = (path for path in every if not isinstance(look(project, path), str))
    stdin = b"\0".join(os.fsencode(path) for path in free)
    said = paths("check-ignore", "--stdin", "--no-index", cwd=project, stdin=stdin, ok=(0, 1))
    ignored = {*said} - index.keys()
    found = {path: look(root if path in ignored else project, path) for path in every}
    as_git_has_it(found, plan, index, project)
    if left := leftovers(project, found):
        raise unfinished(left)
    for path in every:
        here, old, coming = found[path], base.get(path), new.get(path)
        is_seam = bool(seam(Path(path)))
        if isinstance(here, File) and here.mode == LINK != getattr(coming or old, "mode", LINK):
            here = "a link here"
        blocked, here = (here, None) if isinstance(here, str) else ("", here)
        if path == SELF and here not in (None, old, coming) and is_released(here, plan, url, root):
            old = here  # `renew` has brought it.
        change: Change | None = None
        if not blocked:
            change = judge(path, here, old, coming, is_seam, path in ignored)
        elif old is None and vacated(path, project, plan):
            change = judge(path, here, old, coming, is_seam, False)
        elif coming not in (old, None) and not (is_seam and old):
            change = Change(path, "deleted", f"{blocked}; {NOT_APPLIED}")
        if change and change.verdict == "added" and old is None and is_abandoned(path, found, plan):
            change = Change(path, "deleted", "new, in a folder that was deleted here: not added")
        plan.here[path] = here
        if path in base and not is_seam:
            plan.pristine += here == old
            plan.deleted += [path] * (here is None)
            plan.edited += [path] * (here not in (None, old))
        if change:
            plan.changes.append(change)
    find_renames(plan, index, project)
    plan.changes.sort(key=lambda change: (ORDER.index(change.verdict), change.path))
    for change in plan.changes:
        kept = change.verdict in ("LOST", "WIPED", "deleted")
        if not kept and change.result != plan.here[change.path]:
            plan.writes[repository.prefix + change.path] = change.result


def is_abandoned(path: str, found: dict[str, Any], plan: Plan) -> bool:
    """Whether the nearest folder that the template had before has none of its files here."""
    for folder in Path(path).parents[:-1]:
        if inside := [name for name in plan.base if name.startswith(f"{folder.as_posix()}/")]:
            return not any(isinstance(found[name], File) for name in inside)
    return False


def vacated(path: str, project: Path, plan: Plan) -> bool:
    """Whether all that is in the way of a path is the template's, not edited, and removed by this update."""
    at = project / path
    while at.parent != project and not at.parent.is_dir():
        at = at.parent
    ways = [file for file in at.rglob("*") if not file.is_dir()] if at.is_dir() else [at]
    names = [file.relative_to(project).as_posix() for file in ways]
    gone = plan.base.keys() - plan.new.keys()
    return all(name in gone and look(project, name) == plan.base[name] for name in names)


def as_git_has_it(
    found: dict[str, Any], plan: Plan, index: dict[str, Index], project: Path
) -> None:
    """Take what is not edited, or not checked out, from git: its line ends are the template's."""
    prefix, dirty = line("rev-parse", "--show-prefix", cwd=project), touched(project)
    modes = line("config", "--default", "true", "--type=bool", "core.fileMode", cwd=project)
    wanted = []
    for path, here in found.items():
        old = plan.base.get(path)
        if modes == "false" and old and isinstance(here, File) and here.mode != LINK:
            here = found[path] = here._replace(mode=old.mode)
        if path in index and prefix + path not in dirty:
            asked = index[path].sparse if here is None else isinstance(here, File) and here != old
            wanted += [path] * asked
    blobs = read_blobs(project, [index[path].blob for path in wanted])
    for path, text in zip(wanted, blobs, strict=True):
        found[path] = (found[path] or plan.base.get(path) or File(b""))._replace(text=text)


def leftovers(project: Path, found: dict[str, Any]) -> list[str]:
    """Paths of the template with Copier's conflict markers, or with a rejected patch beside them."""
    files = {path: here for path, here in found.items() if isinstance(here, File)}
    rejected = (f"{path}.rej" for path in found if found[path])
    marked = [path for path, here in files.items() if MARKERS.search(here.text)]
    return [*marked, *(path for path in rejected if (project / path).is_file())]


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
    absent = {path for path in plan.base if plan.here[path] is None}
    if gone := [change for change in plan.of("deleted") if change.path in absent]:
        own = (project / path for path in index if path not in plan.base and path != ANSWERS)
        files = (file for file in own if file.is_file())
        sizes = {file.relative_to(project).as_posix(): file.lstat().st_size for file in files}
        for change in gone:
            text = plan.base[change.path].text
            change.to = nearest(
                change.path, text, sizes, lambda name: (project / name).read_bytes()
            )
            if change.to:
                change.note = f"moved here to {change.to}; {NOT_APPLIED}"


def judge(
    path: str, here: File | None, base: File | None, new: File | None, seam: bool, ignored: bool
) -> Change | None:
    """What the update does to a path: `here` it is, `base` was rendered, `new` is requested."""
    if here == new:
        return None
    if here and here != base:
        if ignored:
            return Change(path, "WIPED", "edited here, ignored by git; apply keeps it", result=here)
        if base == new and b"\0" in here.text:
            return Change(path, "WIPED", "edited here, binary; apply keeps it", result=here)
        if new is None:
            note = "edited here, no longer in the template; apply keeps it"
            return Change(path, "LOST", note, result=here)
    if new is None:
        return Change(path, "removed")
    if here is None and (seam or base is None):
        return Change(path, "added", "a project file from now on" if seam else "", result=new)
    if seam or base == new:
        return None
    if here is None:
        return Change(path, "deleted", NOT_APPLIED)
    if here == base:
        return Change(path, "update", result=new)
    merged, conflicts = merge(path, here, base, new)
    if here == merged and here.text == new.text and not conflicts:
        return None
    notes = ["added on both sides"] * (base is None)
    notes += ["binary; apply keeps your version"] * (conflicts and b"\0" in here.text)
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


def check_kind(before: dict[str, Any], after: dict[str, Any]) -> None:
    """A generated project and one that adopted the layer are of two kinds; a package keeps its name."""
    was, becomes = before.get(NAME), after.get(NAME)
    if was and was != becomes:
        raise Stop(f"{NAME} is {was} and cannot become {becomes}: no update renames a package.")
    was, becomes = before.get(LAYER), after.get(LAYER)
    if was != becomes and ADOPTED in (was, becomes):
        loss = (
            "remove what the template generated" if becomes == ADOPTED else "add a project's files"
        )
        raise Stop(
            f"{LAYER} is {was} and cannot become {becomes}: the update would {loss}. Nothing was changed; "
            "copy the template into another folder."
        )


def changed_answers(here: dict[str, Any], new: dict[str, Any], data: dict[str, Any]) -> list[str]:
    """One line for each answer that the update adds, changes or drops."""
    found = []
    for name in sorted(here.keys() | new.keys()):
        if name.startswith("_") or here.get(name) == new.get(name):
            continue
        values = here.get(name), new.get(name)
        was, becomes = (
            str(value).lower() if isinstance(value, bool) else value for value in values
        )
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
    root, base = repository.root, plan.base
    commits = git("log", "--format=%H", "-2", "--", ANSWERS, cwd=root).decode().split()
    if len(commits) < 2:
        return
    along = paths("show", "--format=", "--name-only", "--relative", commits[0], cwd=root)
    if any(look(root, path) == base[path] for path in along if path in base):
        return  # The commit of an update.
    try:
        text = git("show", f"{commits[0]}^:./{ANSWERS}", cwd=root)
        former = yaml.safe_load(text)
        release(folder, plan.source, former["_commit"], text)
        then = tree(folder)
    except Exception:  # Former answers that cannot be rendered prove nothing.
        return
    now = recorded(root)
    differing = [name for name in former.keys() | now.keys() if former.get(name) != now.get(name)]
    affected = {path for path in then.keys() | base.keys() if then.get(path) != base.get(path)}
    affected = {path for path in affected if not seam(Path(path))}
    here = {path: look(root, path) for path in affected}
    stayed = any(here[path] == then.get(path) for path in affected)
    followed = any(here[path] == base.get(path) for path in affected)
    if {*differing} - {"_src_path"} and stayed and not followed and affected.isdisjoint(along):
        names = sorted({*differing} - {"_src_path"})
        options = [
            f" --data {name}={now[name]}" for name in names if name in now and name[0] != "_"
        ]
        raise Stop(
            f"{', '.join(names)} in {ANSWERS} was edited by hand, but the files still match the former answers: run "
            f"`git checkout {commits[0][:10]}^ -- {ANSWERS}`, commit that, and then "
            f"`uv run update.py apply{''.join(options)}`."
        )


def kept_in_part(plan: Plan, repository: Repository) -> str:
    """Why the project would not start without what an answer removes: part of a folder stays; "" if none does."""
    folders, kept = set(), set()
    stay = {change.path for change in plan.of("LOST")}
    stay |= read_index(repository.root).keys() - plan.base.keys()
    for change in plan.of("removed"):
        parents = (f"{parent.as_posix()}/" for parent in reversed(Path(change.path).parents[:-1]))
        gone = (top for top in parents if not any(path.startswith(top) for path in plan.new))
        top = next(gone, "no folder")
        if inside := {path for path in stay if path.startswith(top)}:
            folders.add(top)
            kept |= inside
    if not kept:
        return ""
    return (
        f"{', '.join(sorted(folders))} would be removed in part only, and the project would not start, since files "
        f"of your own or edited here stay ({', '.join(sorted(kept))}): delete the folder and commit that first, "
        "keep the former answer, or add --conflicts and adapt what stays."
    )


def refusal(plan: Plan, repository: Repository, options: argparse.Namespace) -> str:
    """Why apply would change nothing, apart from conflicts; "" if it would not refuse."""
    if dirty := sorted(touched(repository.root)):
        return (
            f"The work tree has uncommitted changes ({dirty[0]}{', …' * (len(dirty) > 1)}): "
            "commit them, or stash them with `git stash -u`, so that the update can be undone."
        )
    if plan.migrations and not options.trust:
        return (
            f"This update runs the template's migration for {', '.join(plan.migrations)}, "
            f"which is code: read hooks/migrations in {plan.source} first, then add --trust."
        )
    if (repository.folder / "index.lock").exists():
        return BUSY
    # Without --data, a folder goes because the template moved it.
    return kept_in_part(plan, repository) if options.data and not options.conflicts else ""


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
    top, result = repository.top, dict(writes)
    ends = {line("config", "--default", "", key, cwd=top) for key in ("core.autocrlf", "core.eol")}
    names = [path for path, file in writes.items() if file and file.mode != LINK]
    if ends.isdisjoint({"true", "crlf"}):
        kinds = ("text", "eol", "crlf", "filter", "ident", "working-tree-encoding")
        stdin = b"\0".join(os.fsencode(path) for path in names)
        printed = paths("check-attr", "--stdin", *kinds, cwd=top, stdin=stdin)
        said = zip(printed[::3], printed[2::3], strict=True)
        names = [*{path for path, value in said if value != "unspecified"}]
    for path in names:
        file = writes[path] or File(b"")
        blob = store_blob(repository, file)
        text = git("cat-file", "--filters", f"--path={path}", blob, cwd=top)
        result[path] = file._replace(text=text)
    return result


def store_blob(repository: Repository, file: File) -> str:
    blob = git("hash-object", "-w", "--stdin", cwd=repository.top, stdin=file.text)
    return blob.decode().strip()


class Journal:
    """A folder in .git that says how far the writing has come. Each step has what was there and what comes."""

    def __init__(self, repository: Repository):
        self.top, self.git = repository.top, repository.folder
        self.folder, self.lock = self.git / "template-update", self.git / "index.lock"
        self.file, self.index = self.folder / "journal.json", self.folder / "index"
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
        self, before: dict[str, Any], after: dict[str, File | None], index: bytes | None
    ) -> None:
        """Keep what is here and what comes, answers last; from the last line on, the journal counts."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()

        def order(path: str) -> tuple[bool, bool, str]:
            """What is removed comes first, since a folder may take its place; the answers come last."""
            return path.endswith(ANSWERS), after[path] is not None, path

        for number, path in enumerate(sorted(after, key=order)):
            file, old, new = self.top / path, before[path], after[path]
            if isinstance(old, File):
                shutil.copy2(file, self.folder / f"{number}.old", follow_symlinks=False)
            if new:
                regular = isinstance(old, File) and old.mode != LINK
                store(self.folder / f"{number}.new", new, file.stat().st_mode if regular else 0)
            self.steps.append({"path": path, "old": digest(old), "new": digest(new)})
        self.marks = index is not None
        self.index.write_bytes(index or b"")
        beside(self.file).write_text(json.dumps({"steps": self.steps, "marks": self.marks}))
        os.replace(beside(self.file), self.file)

    def read(self) -> bool:
        """Whether there is an unfinished update."""
        if self.file.exists():
            found = json.loads(self.file.read_text())
            self.steps, self.marks = found["steps"], found["marks"]
        return bool(self.steps)

    def write(self, head: str) -> None:
        """Make each step, under git's own lock, so that no commit, switch or add happens meanwhile."""
        try:
            os.link(self.index, self.lock)
        except FileExistsError:
            raise Stop(BUSY) from None
        if line("rev-parse", "HEAD", cwd=self.top) != head:
            raise Stop("The branch has moved while the update was computed: repeat the update.")
        for number, step in enumerate(self.steps):
            path = step["path"]
            if digest(look(self.top, path)) != step["old"]:
                raise Stop(f"{path} was changed while the update was written: repeat the update.")
            self.move(f"{number}.new", path, step["new"] == "nothing")

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
                replace(file, self.folder / f"{name}.gone")
            for parent in file.parents:
                if parent == self.top or not parent.is_dir() or any(parent.iterdir()):
                    return
                parent.rmdir()
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir() and not file.is_symlink():
            file.rmdir()
        replace(self.folder / name, file)

    def end(self) -> None:
        """Let go of git's lock; it becomes the index when there are conflicts to mark."""
        if self.lock.exists() and self.index.exists() and self.lock.samefile(self.index):
            if self.marks:
                os.replace(self.lock, self.git / "index")
            else:
                self.lock.unlink()
        for step in self.steps:
            with contextlib.suppress(NotADirectoryError):
                beside(self.top / step["path"]).unlink(missing_ok=True)
        self.file.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def take_back(self) -> list[str]:
        """Put back what was there. Return the paths that somebody else has changed since: they stay."""
        foreign = []
        for number, step in reversed([*enumerate(self.steps)]):
            path, now = step["path"], digest(look(self.top, step["path"]))
            # A file that has come over from another disk may still be in the journal.
            done = self.done(number) or now == step["new"] != "nothing"
            if done and now == step["new"] != step["old"]:
                self.move(f"{number}.old", path, step["old"] == "nothing")
            elif done and now != step["old"]:
                foreign.append(path)
        self.marks = False
        self.end()
        return foreign

    def recover(self) -> str:
        """Finish, or take back, an update that was interrupted. Return a sentence that says which."""
        if not self.file.exists():
            return ""
        with self.held():
            if not self.read():
                return ""
            if all(self.done(number) for number in range(len(self.steps))):
                self.end()
                return f"An update was interrupted after its last file. It is finished: {counted(self.steps, 'file')} written."
            foreign = ", ".join(self.take_back())
            changed = f" {foreign} was changed since and stays as it is." * bool(foreign)
            return f"An update was interrupted. It was taken back: the project is as it was before it.{changed}"


def replace(file: Path, target: Path) -> None:
    """Move a file in one instant, also to another disk, as .git may be on."""
    try:
        os.replace(file, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        shutil.copy2(file, beside(target), follow_symlinks=False)
        os.replace(beside(target), target)
        file.unlink()


def beside(file: Path) -> Path:
    return file.with_name(f".{file.name}.template-update")


def bring(repository: Repository, plan: Plan, seen: dict[str, Any], marked: list[str]) -> None:
    """Write the plan here, all of it or nothing, and mark the conflicts in git's index."""
    journal = Journal(repository)
    with journal.held(), tempfile.TemporaryDirectory() as folder:
        try:
            after = smudge(repository, plan.writes)
            journal.begin(seen, after, mark_conflicts(repository, plan, marked, Path(folder)))
            journal.write(repository.head)
            journal.end()
        except BaseException:
            journal.take_back()
            raise


def mark_conflicts(
    repository: Repository, plan: Plan, marked: list[str], folder: Path
) -> bytes | None:
    """The index with the three versions of each conflicting file, as a merge leaves it."""
    if not marked:
        return None
    copy, stdin = folder / "index", ""
    shutil.copy(repository.folder / "index", copy)
    for path in marked:
        name = f"\t{repository.prefix}{path}\0"
        stdin += f"0 {'0' * len(repository.head)}{name}"
        for stage, file in enumerate((plan.base.get(path), plan.here[path], plan.new.get(path)), 1):
            if file:
                mode = file.mode | (0 if file.mode == LINK else 0o100000)
                stdin += f"{mode:o} {store_blob(repository, file)} {stage}{name}"
    update = ("update-index", "-z", "--index-info")
    git(*update, cwd=repository.top, stdin=os.fsencode(stdin), GIT_INDEX_FILE=str(copy))
    return copy.read_bytes()


def review(repository: Repository, base: str) -> list[str]:
    """Edits lost by the update since the commit `base` that `apply` would have kept."""
    root, lost = repository.root, []
    with tempfile.TemporaryDirectory() as folder:
        before = twin(repository, base, Path(folder))
        then, now = recorded(before), recorded(root)
        data = {name: now[name] for name in now if name[0] != "_" and now[name] != then.get(name)}
        plan = make_plan(find_repository(before), now["_commit"], data)
    if left := leftovers(root, {path: look(root, path) for path in plan.base.keys() | plan.new}):
        raise unfinished(left)
    for change in plan.of("conflict", "merge", "LOST", "WIPED", "renamed"):
        path = change.to or change.path
        here, new = look(root, path), plan.new.get(path)
        if isinstance(here, File) and new and here.text.replace(b"\r\n", b"\n") == new.text:
            here = new
        if here == new != change.result:
            lost.append(
                f"The update lost the edits of {path}: repeat it with `uv run update.py apply`, which keeps them."
            )
    return lost


def is_released(here: File, plan: Plan, url: str, root: Path) -> bool:
    """Whether update.py is that of a later release, as `renew` brings it."""
    with contextlib.suppress(Stop), tempfile.TemporaryDirectory() as name:
        folder, answers = Path(name), (root / ANSWERS).read_bytes()
        printed = git("ls-remote", "--tags", "--refs", url, cwd=folder).decode()
        for number, tag in enumerate(re.findall(r"refs/tags/(\S+)", printed)):
            with contextlib.suppress(InvalidVersion, Stop):
                later = Version(tag) > Version(plan.current)
                if later and only_self(folder / str(number), plan.source, tag, answers) == here:
                    return True
    return False


def only_self(folder: Path, source: str, ref: str | None, answers: bytes) -> File:
    """update.py of a release."""
    release(folder, source, ref, answers, exclude=("*", f"!{SELF}", f"!{ANSWERS}"))
    if not (file := tree(folder).get(SELF)):
        raise Stop(f"Release {ref or 'newest'} of {source} has no {SELF}.")
    return file


def renew(repository: Repository, to: str | None) -> int:
    """Show and take the update.py of a release, and nothing else of it."""
    root, name = repository.root, repository.prefix + SELF
    text, seen, answers = (root / ANSWERS).read_bytes(), look(root, SELF), recorded(root)
    source, current = answers["_src_path"], answers["_commit"]
    with tempfile.TemporaryDirectory() as folder:
        base = only_self(Path(folder, "base"), source, current, text)
        new = only_self(Path(folder, "new"), source, to, text)
        ref = str(recorded_in(Path(folder, "new"))["_commit"])
    if not isinstance(seen, File) or name in touched(root):
        raise Stop(
            f"{SELF} has uncommitted changes: commit them first, so that this can be undone."
        )
    here = seen._replace(text=seen.text.replace(b"\r\n", b"\n"))
    merged, conflicts = merge(SELF, here, base, new)
    if conflicts:
        where = f"{SELF} was edited here, in the same place as in {ref}."
        return say(1, f"{where} Nothing was changed.")
    if merged == here:
        return say(0, f"{SELF} is that of {ref}. Nothing was changed.")
    lines = [
        file.text.decode(errors="replace").splitlines(keepends=True) for file in (here, merged)
    ]
    sys.stdout.writelines(difflib.unified_diff(*lines, f"{SELF} here", f"{SELF} of {ref}"))
    bring(repository, Plan(source, current, ref, writes={name: merged}), {name: seen}, [])
    return say(0, f"{SELF} is that of {ref}; the project is still {current}. Review it and commit.")


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


def counted(things: Sized, name: str) -> str:
    return f"{len(things)} {name}{'s' * (len(things) != 1)}"


def table(plan: Plan, end: str) -> str:
    to = f" to {plan.target}" * (plan.target != plan.current)
    shipped = plan.pristine + len(plan.edited) + len(plan.deleted)
    text = [
        f"{plan.current}{to} of {plan.source}",
        f"{shipped} template files: {plan.pristine} pristine, "
        f"{len(plan.edited)} edited, {len(plan.deleted)} deleted",
    ]
    text += [f"  {word:9} {what}{f': {note}' * bool(note)}" for word, what, note in rows(plan)]
    return "\n".join([*text, *[end] * bool(end)])


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
    hidden = ("base", "new", "here", "writes", "changes")
    shown = {name: value for name, value in vars(plan).items() if name not in hidden}
    changes = [{**vars(change)} for change in plan.changes]
    for change in changes:
        del change["result"]
    return {**shown, "changes": changes, "code": plan.code}


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
        "--to", metavar="REF", help="release (default: the newest); `:current:` to change answers"
    )
    option("-d", "--data", action="append", default=[], metavar="NAME=VALUE", help="set an answer")
    option("--json", action="store_true", help="print the preview as JSON")
    option(
        "--conflicts",
        action="store_true",
        help="apply: update, mark conflicts in the files, exit with 1",
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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    set_environment()
    warnings.simplefilter("ignore")
    try:
        return run(options, (root or Path(__file__).parent).resolve())
    except Stop as stop:
        return say(2, str(stop))
    except KeyboardInterrupt:
        return say(2, "Interrupted. Nothing was changed.")
    except Exception as error:
        where = getattr(error, "filename", "")
        text = getattr(error, "strerror", "") or " ".join(str(error).split())
        reason = f"{where or type(error).__name__}: {text or type(error).__name__}."
        if no_room(error):
            at = f" ({where})" if where else ""
            reason = f"The disk is full{at}: free some space and repeat."
        return say(2, f"{reason} Nothing was changed.")


def run(options: argparse.Namespace, root: Path) -> int:
    recorded(root)
    repository = find_repository(root)
    if recovered := Journal(repository).recover():
        say(0, recovered)
    if options.command == "renew":
        return renew(repository, options.to)
    if options.command == "review":
        lost = review(repository, options.base)
        return say(int(bool(lost)), *lost or ["The update lost no edit."])
    data = dict(item.split("=", 1) for item in options.data)
    plan = make_plan(repository, options.to, data, options.trust)
    seen = {path: look(repository.top, path) for path in plan.writes}
    plan.refused = refusal(plan, repository, options)
    if options.json:
        print(json.dumps(as_json(plan), indent=2))
    else:
        # A refusal, or what was written, ends with its own sentence below.
        is_said = plan.code == 2 or (plan.code and options.command == "apply" and options.conflicts)
        end = "" if is_said else verdict(plan)
        print(markdown(plan) if options.command == "report" else table(plan, end))
    if plan.code == 2:
        raise Stop(f"{plan.refused} {verdict(plan)}")
    conflicts = [change.path for change in plan.of("conflict")]
    if options.command != "apply" or not plan.code + len(plan.writes):
        return plan.code
    if conflicts and not options.conflicts:
        return say(1, "Nothing was changed.")
    bring(repository, plan, seen, conflicts)
    written = counted(plan.writes, "file")
    summary = [f"{written} written. To undo: {UNDO}"]
    if kept := [change.path for change in plan.of("LOST")]:
        summary.append(
            f"Kept, although no longer in the template: {', '.join(kept)}. What is kept is yours now and may "
            "import what was removed: adapt or delete it."
        )
    relock = (root / "uv.lock").exists() and f"{repository.prefix}pyproject.toml" in plan.writes
    tests = "run `uv lock` and the tests" if relock else "run the tests"
    next_step = f"Review `git diff`, {tests}, and commit."
    if conflicts:
        next_step = (
            f"Resolve the conflicts (see `git diff`), `git add` the files, {tests}, and commit."
        )
    return say(plan.code, *summary, next_step)


def say(code: int, *sentences: str) -> int:
    print(*sentences, sep="\n", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
