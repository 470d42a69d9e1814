"""Reset silently before each test: what production code leaves in a process, and may."""

from collections.abc import Generator, Iterable
from functools import cache
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core import mail
from django.core.cache import caches
from django.core.cache.backends.locmem import LocMemCache
from django.core.files.storage import InMemoryStorage, storages
from django.utils.module_loading import import_string

from . import compat


def resets(memoised: Iterable[Any]) -> Generator[str]:
    """Empty caches, mail, stored files and memoised functions; name what there was."""
    for one in caches.all(initialized_only=True):
        if isinstance(one, LocMemCache):  # Others may be shared with development.
            one.clear()
    for manager in caching_managers():
        manager.clear_cache()
    if getattr(mail, "outbox", None):
        mail.outbox.clear()
        yield "mail.outbox"
    for alias in storages_in_memory():
        if remove_stored_files(storages[alias]):
            yield f"storage {alias}"
    for function in memoised:
        if function.cache_info().currsize:
            function.cache_clear()
            yield f"{function.__module__}.{function.__qualname__} (memoised)"


def remove_stored_files(storage: InMemoryStorage) -> bool:
    """Empty a storage, and tell whether it held anything."""
    try:
        files = compat.stored_files(storage)
        found = [*files]
        files.clear()
    except compat.Renamed:
        found = [name for names in storage.listdir("") for name in names]
        for name in found:
            storage.delete(name)
    return bool(found)


@cache
def caching_managers() -> list[Any]:
    """The managers that remember rows: of ContentType and Site, where installed."""
    names = [("contenttypes", "ContentType"), ("sites", "Site")]
    found = [
        apps.get_model(*name) for name in names if apps.is_installed(f"django.contrib.{name[0]}")
    ]
    return [model._default_manager for model in found]


def storages_in_memory() -> list[str]:
    """Their aliases. Others are not created here: one may need a setting that tests lack."""
    return [
        alias for alias, options in settings.STORAGES.items() if is_in_memory(options["BACKEND"])
    ]


@cache
def is_in_memory(backend: str) -> bool:
    try:
        return issubclass(import_string(backend), InMemoryStorage)
    except Exception:  # The test that uses it sees the error.
        return False
