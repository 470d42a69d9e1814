"""``hermetic adopt``: shows what it adds to a project as a diff, and adds it. No line of theirs changes."""

import difflib
import os
import re
import shlex
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import configuration, facts
from . import settings as isolated

BASELINE = "isolation-baseline.txt"
NETWORK = ["--disable-socket", "--allow-unix-socket", "--allow-hosts=127.0.0.1,::1"]
RUNNER = "django.test.runner.DiscoverRunner"
DEFAULT = re.compile(r"""DJANGO_SETTINGS_MODULE["']\s*,\s*["']([\w.]+)["']""")


@dataclass
class Plan:
    """What adopt writes, and what it leaves to a person."""

    edits: list[configuration.Edit] = field(default_factory=list)
    person: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


def look(folder: Path) -> dict[str, Any]:
    """The facts; those of a project without settings in pytest's file, by the settings of its manage.py."""
    options, known, from_manage = [], {}, None
    try:
        known = facts.of(folder)
    except facts.Unknown:
        if configuration.names_settings(folder):
            # Without the module that isolation_addopts names, which may have been deleted.
            return facts.of(folder, "--override-ini=isolation_addopts=") | {"from_manage": None}
    if not known.get("settings"):
        for manage in sorted(folder.glob("manage.py")) + sorted(folder.glob("*/manage.py")):
            if named := DEFAULT.search(manage.read_text(encoding="utf-8")):
                options, from_manage = [f"--ds={named[1]}"], named[1]
                break
        known = facts.of(folder, *options)
    return known | {"from_manage": from_manage}


def plan(known: dict[str, Any]) -> Plan:
    made, root, settings = Plan(), Path(known["root"]), known["settings"]
    file = Path(known["file"]) if known["file"] else None
    name = file.name if file else "pytest.ini" if not (root / "pyproject.toml").exists() else "pyproject.toml"
    options = {"isolation": "warn", "isolation_baseline": BASELINE, "isolation_addopts": [*NETWORK]}
    if known["from_manage"] and settings:  # Also for a run without isolation_addopts.
        options = {"DJANGO_SETTINGS_MODULE": known["from_manage"], **options}
    if known["asyncio_mode"] == "unset":
        options["asyncio_mode"] = "auto"
    if not known["loop_scope"]:
        options["asyncio_default_fixture_loop_scope"] = "function"
    if settings:
        made.found = summary(settings)
        blocks = isolated.blocks(settings)
        if settings["is_class"] or not settings["module"]:
            where = [one["configures"] for one in known["conftests"] if one["configures"]]
            made.person += [by_hand(blocks, where[0] if where else "your test settings")] if blocks else []
        elif not is_theirs(root, Path(settings["file"])):
            made.person.append(
                f"{settings['module']} lies outside of this project: name a settings module of the project "
                "that imports it, then run this again"
            )
        elif Path(settings["file"]).stem != isolated.NAME:
            target, module = isolated.place(settings)
            # Only a conftest.py names them later than any option; a plugin like pytest-env does not.
            by_conftest = any(one["names"] for one in known["conftests"])
            if known["named"] or os.environ.get("DJANGO_SETTINGS_MODULE") or not by_conftest:
                options["isolation_addopts"].insert(0, f"--ds={module}")
                reason = f"since isolation_addopts in {name}"
                if known["isolation_addopts"] and any(block.reaches for block in blocks):
                    made.person.append(
                        f"{settings['module']} is in use: add --ds={module} to isolation_addopts in {name}"
                    )
            else:
                reason = "once your conftest.py"
                made.person.append(f"a conftest.py names {settings['module']}: have it name {module}")
            if not target.exists():
                text = isolated.module(settings, blocks, reason)
                made.edits.append(configuration.Edit(target, None, text))
        if settings["runner"] != RUNNER:
            made.person.append(
                f"pytest does not use TEST_RUNNER: if {settings['runner']} changes settings, "
                f"put them into {isolated.NAME}.py"
            )
        if settings["celery"] and not settings["celery"]["namespace"]:
            made.person.append(
                "Celery's app does not read Django's settings with a namespace: set task_always_eager and "
                'broker_url = "memory://" where tests configure it'
            )
    else:
        made.person.append(
            "pytest found no settings of Django: set DJANGO_SETTINGS_MODULE, then run this again"
        )
    try:
        edit = configuration.edit(root, file, options)
        made.edits += [edit] if edit else []
    except configuration.NotSure as error:
        made.person.append(str(error))
    made.person += [
        f"{one['database']}: add django_db_setup to its arguments, or tests use the database of the settings"
        for one in known["conftests"]
        if one["database"]
    ]
    return made


def is_theirs(root: Path, file: Path) -> bool:
    """Whether the file is the project's: below pytest's root, or in the same repository."""
    if "site-packages" in file.parts:
        return False
    return file.resolve().is_relative_to(root.resolve()) or git(
        root, "ls-files", "--error-unmatch", str(file)
    )


def summary(settings: dict[str, Any]) -> list[str]:
    used = {
        "channels": "Channels",
        "procrastinate.contrib.django": "Procrastinate",
        "rest_framework": "REST framework",
    }
    engines = sorted({(engine or "none").rpartition(".")[2] for engine in settings["engines"].values()})
    found = [f"settings {settings['module'] or 'configured in code'}", f"database {', '.join(engines)}"]
    found += ["Celery"] if settings["celery"] else []
    return found + [name for app, name in used.items() if app in settings["apps"]]


def by_hand(blocks: list[isolated.Block], where: str) -> str:
    lines = [f"# {block.comment}\n{block.code}" for block in blocks]
    return f"settings are no module here: merge into {where}:\n" + indented("\n".join(lines))


def indented(text: str) -> str:
    return "".join(f"        {line}\n" for line in text.splitlines()).rstrip()


def main(folder: Path, dry_run: bool) -> int:
    try:
        known = look(folder)
    except facts.Unknown as error:
        print(f"pytest does not start here, so nothing was changed. It says:\n{indented(str(error))}")
        return 2
    made, root = plan(known), Path(known["root"])
    if made.found:
        print(f"Found: {'; '.join(made.found)}.\n")
    for edit in made.edits:
        name = edit.file.relative_to(root) if edit.file.is_relative_to(root) else edit.file
        before = "/dev/null" if edit.before is None else f"a/{name}"
        lines = ((edit.before or "").splitlines(), edit.after.splitlines())
        print("\n".join(difflib.unified_diff(*lines, before, f"b/{name}", lineterm="")) + "\n")
    if not made.edits:
        print("Nothing to add.")
    elif dry_run:
        print("Nothing was written (--dry-run).")
    else:
        told = undo(root, made.edits)
        for edit in made.edits:
            with edit.file.open("w", encoding="utf-8", newline="") as opened:
                opened.write(edit.after)
        print(f"Written. {told}")
    if made.person:
        print("\nFor a person to merge:")
        for number, line in enumerate(made.person, 1):
            print(f"    {number}. {line}")
    print("\nNext: `pytest` lists the leaks; `hermetic doctor` says what is missing.")
    return 0


def undo(root: Path, edits: list[configuration.Edit]) -> str:
    """How to undo it, asked before it is done; the index stays as it is, or `git stash` would fail."""
    if not git(root, "rev-parse", "--is-inside-work-tree"):
        return "This folder is not in git: to undo it, remove these lines and files."
    new, committed, by_hand = [], [], []
    for edit in edits:
        name = os.path.relpath(edit.file, root)
        is_tracked = git(root, "ls-files", "--error-unmatch", "--", name)
        is_same = is_tracked and git(root, "diff", "--quiet", "HEAD", "--", name)
        (new if edit.before is None else committed if is_same else by_hand).append(name)
    start = ["git"] if root.samefile(Path.cwd()) else ["git", "-C", str(root)]
    commands = [shlex.join([*start, "checkout", "HEAD", "--", *committed])] if committed else []
    commands += [shlex.join([*start, "clean", "-f", "--", *new])] if new else []
    told = [f"To undo it:\n\n    {' && '.join(commands)}"] if commands else []
    told += [
        f"{'Then' if told else 'To undo it,'} remove the lines above from {name} by hand, "
        "since it has changes that are not committed."
        for name in by_hand
    ]
    return "\n\n".join(told)


def git(root: Path, *command: str) -> bool:
    try:
        return subprocess.run(["git", *command], cwd=root, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False
