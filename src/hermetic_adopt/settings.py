"""What test settings reach outside of the process, and a settings module on top of theirs that does not."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "hermetic_settings"
MEMORY_CACHE = "django.core.cache.backends.locmem.LocMemCache"
MEMORY_STORAGE = "django.core.files.storage.InMemoryStorage"
MD5 = "django.contrib.auth.hashers.MD5PasswordHasher"
HEAD = '''"""Test settings that stay in the process, on top of {module}.

Written by `hermetic adopt`, and yours: change it as you like, each block can go on its own. pytest uses it
{reason} names it.
"""

{imports}
'''


@dataclass
class Block:
    """``reaches``: what the settings do now. ``code``: what changes that. ``needs``: their names in it."""

    reaches: str
    comment: str
    code: str
    needs: tuple[str, ...] = ()


def blocks(settings: dict[str, Any]) -> list[Block]:
    """One for each thing that test settings should keep in the process, and do not."""
    return [*celery(settings), *in_memory(settings), *files(settings), *hasher(settings)]


def celery(settings: dict[str, Any]) -> list[Block]:
    found = settings["celery"]
    if not found or not found["namespace"] or (found["eager"] and found["memory"]):
        return []
    prefix = f"{found['namespace']}_"
    lines = [f"{prefix}TASK_ALWAYS_EAGER = True", f"{prefix}TASK_EAGER_PROPAGATES = True"]
    lines += [f'{prefix}BROKER_URL = "memory://"', f'{prefix}RESULT_BACKEND = "cache+memory://"']
    lines += ['for name in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "RESULT_BACKEND"):']
    lines += ['    os.environ.pop(f"CELERY_{name}", None)']
    comment = (
        "Celery: tasks run in the caller, errors reach the test, no broker is there.\n"
        "# Celery prefers variables of the environment to any setting."
    )
    # Eager tasks use no broker; the block then is for `send_task()`, which is never eager.
    reaches = "" if found["eager"] else "Celery sends tasks to a broker"
    return [Block(reaches, comment, "\n".join(lines), ("os",))]


def in_memory(settings: dict[str, Any]) -> list[Block]:
    found = []
    if caches := settings["caches"]:
        lines = [f'    "{name}": {{"BACKEND": "{MEMORY_CACHE}", "LOCATION": "{name}"}},' for name in caches]
        code = "\n".join(["CACHES = {", "    **CACHES,", *lines, "}"])
        reaches = f"the cache {next(iter(caches))!r} is shared ({next(iter(caches.values()))})"
        found.append(Block(reaches, "In memory, and emptied before each test.", code, ("CACHES",)))
    if layers := settings["layers"]:
        lines = [f'    "{name}": {{"BACKEND": "channels.layers.InMemoryChannelLayer"}},' for name in layers]
        code = "\n".join(["CHANNEL_LAYERS = {", "    **CHANNEL_LAYERS,", *lines, "}"])
        reaches = f"the channel layer {next(iter(layers))!r} is shared ({next(iter(layers.values()))})"
        found.append(Block(reaches, "In memory, and a new one for each test.", code, ("CHANNEL_LAYERS",)))
    if tasks := settings["queued"]:
        backend = "backends.immediate.ImmediateBackend"
        lines = [f'    "{name}": {{"BACKEND": "{package}.{backend}"}},' for name, package in tasks.items()]
        code = "\n".join(["TASKS = {", "    **TASKS,", *lines, "}"])
        found.append(Block("Django's tasks are enqueued", "Tasks run in the caller.", code, ("TASKS",)))
    return found


def files(settings: dict[str, Any]) -> list[Block]:
    for setting, backend in settings["storages"].items():
        # Those on disk stay: the guard names the files that a test leaves, and code may ask for their path.
        if not backend.startswith("django.core.files.storage"):
            code = f'{setting} = "{MEMORY_STORAGE}"'
            if setting == "STORAGES":
                code = f'STORAGES = {{**STORAGES, "default": {{"BACKEND": "{MEMORY_STORAGE}"}}}}'
            comment = "In memory, and emptied before each test."
            return [Block(f"uploads are sent to {backend}", comment, code, (setting,))]
    return []


def hasher(settings: dict[str, Any]) -> list[Block]:
    if settings["hasher"].endswith(("MD5PasswordHasher", "PlaintextPasswordHasher")):
        return []
    comment = "Real hashers are slow on purpose: 10 logins cost a minute."
    return [Block("passwords are hashed slowly", comment, f'PASSWORD_HASHERS = ["{MD5}"]')]


def module(settings: dict[str, Any], found: list[Block], reason: str) -> str:
    """The text of the new module; ``reason``: what makes pytest use it, ``since … names it``."""
    names = sorted({name for block in found for name in block.needs})
    imports = [f"import {name}" for name in names if name.islower()]
    imports += [""] if imports else []
    imports += [f"from {settings['module']} import *  # noqa: F403"]
    theirs = [name for name in names if not name.islower()]
    imports += [f"from {settings['module']} import {', '.join(theirs)}"] if theirs else []
    text = HEAD.format(module=settings["module"], reason=reason, imports="\n".join(imports))
    return text + "".join(f"\n# {block.comment}\n{block.code}\n" for block in found)


def place(settings: dict[str, Any]) -> tuple[Path, str]:
    """The file of the new module, beside theirs, and its dotted name."""
    file = Path(settings["file"])
    package = settings["module"] if file.name == "__init__.py" else settings["module"].rpartition(".")[0]
    return file.with_name(f"{NAME}.py"), f"{package}.{NAME}".lstrip(".")
