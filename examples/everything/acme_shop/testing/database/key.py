"""What a test database depends on in any project, without importing a migration: part -> digest.

The rest is recorded while the database is built (recorder.py).
"""

import functools
import hashlib
import os
import re
import sys
import warnings
from collections.abc import Generator, Iterable, Mapping
from contextlib import suppress
from importlib import util
from pathlib import Path
from types import FunctionType
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.loader import MigrationLoader
from django.db.models import Model
from django.utils.functional import Promise

Parts = dict[str, str]
# Where a database is and who asks for it, which say nothing of what it holds.
PLACE = {"NAME", "HOST", "PORT", "USER", "PASSWORD", "RUN", "TEST"}
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
DEEP = 20


def parts(connection: BaseDatabaseWrapper, server: Any) -> Parts:
    """`server`: what the server says, like its version."""
    found = {
        "the version of Python": digest(sys.version),
        "the installed packages": digest(sorted(_distributions())),
        "the server": digest(server),
        "DATABASES": digest([connection.alias, *map(_place_free, connections.settings.items())]),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of settings that are deprecated.
        for name in dir(settings):
            if name.isupper() and name != "DATABASES":
                found[f"the setting {name}"] = digest(getattr(settings, name))
    migrated = connection.settings_dict["TEST"]["MIGRATE"] is not False
    for app in apps.get_app_configs():
        folders = migration_folders(app) if migrated else ()
        models = app.get_models(include_auto_created=True)
        found[f"the models of {app.label}"] = digest([_model(one, not folders) for one in models])
        files = [[str(path), file_digest(path)] for one in folders for path in _files(one)]
        found[f"the migrations of {app.label}"] = digest(files)
    return found


def digest(value: Any) -> str:
    return hashlib.blake2b(plain(value).encode(errors="replace"), digest_size=12).hexdigest()


def file_digest(path: str | Path) -> str | None:
    """Of a file's bytes or of a folder's names; None when neither is there."""
    try:
        content = Path(path).read_bytes()
    except IsADirectoryError:
        content = "/".join(sorted({*os.listdir(path)} - {"__pycache__"})).encode(errors="replace")
    except (OSError, ValueError):
        return None
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def plain(value: Any, depth: int = 0) -> str:
    """A text that is the same in each process for the same value."""
    within = functools.partial(plain, depth=depth + 1)
    if depth > DEEP:
        return type(value).__qualname__
    if isinstance(
        value, Promise
    ):  # reverse_lazy and gettext_lazy, not evaluated: that imports URLs.
        return within(value.__reduce__()[1])
    if isinstance(value, Mapping):
        return f"{{{','.join(sorted(f'{within(k)}:{within(v)}' for k, v in value.items()))}}}"
    if isinstance(value, (set, frozenset)):
        return f"{{{','.join(sorted(map(within, value)))}}}"
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(within, value))}]"
    if isinstance(value, re.Pattern):  # Its repr is cut.
        return f"re {value.pattern!r} {value.flags}"
    if isinstance(value, FunctionType):
        code = value.__code__
        constants = [one for one in code.co_consts if not hasattr(one, "co_code")]
        return f"{value.__qualname__} {code.co_code!r} {constants!r} {code.co_names!r}"
    text = f"{type(value).__qualname__} {ADDRESS.sub('', repr(value))}"
    if type(value).__repr__ is object.__repr__:  # Which says nothing of what the object holds.
        text += within(getattr(value, "__dict__", {}))
    return text


def migration_folders(app: AppConfig) -> Iterable[str]:
    """The folders of an app's migrations; none for an app whose tables are made from its models."""
    module, _ = MigrationLoader.migrations_module(app.label)
    with suppress(ImportError):  # Of a module that MIGRATION_MODULES names.
        if module and (spec := util.find_spec(module)):
            return spec.submodule_search_locations or ()
    return ()


def _files(folder: str) -> Generator[Path]:
    """All: a migration may read SQL or data beside it."""
    for path, folders, names in os.walk(folder):
        folders[:] = sorted({*folders} - {"__pycache__"})
        yield from (Path(path, name) for name in sorted(names) if not name.endswith(".pyc"))


def _model(model: type[Model], whole: bool) -> list[Any]:
    """What post_migrate makes rows of, and `whole` what a table is made of."""
    meta = model._meta
    fields = [*meta.local_fields, *meta.local_many_to_many] if whole else []
    options = {name: value for name, value in meta.original_attrs.items() if name != "apps"}
    described = [[field.name, field.deconstruct()[1:]] for field in fields]
    names = [meta.label, meta.db_table, meta.verbose_name, meta.managed, meta.swapped]
    return [*names, options, described]


def _place_free(database: tuple[str, dict[str, Any]]) -> list[Any]:
    alias, values = database
    test = {name: value for name, value in values["TEST"].items() if name != "NAME"}
    return [alias, test, {name: value for name, value in values.items() if name not in PLACE}]


def _distributions() -> set[tuple[str, int]]:
    """Names with versions, and when each was installed. A set: pytest-xdist changes the order."""
    found = set()
    for folder in sys.path:
        with suppress(OSError):
            for entry in os.scandir(folder or "."):
                if entry.name.endswith(("-info", ".egg-link", ".pth")):
                    found.add((entry.name, entry.stat().st_mtime_ns))
    return found
