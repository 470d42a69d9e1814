"""Reset silently before each test: what production code leaves in a process, and may."""

from collections.abc import Generator, Iterable
from functools import cache
from typing import Any

from django.apps import apps
from django.core import mail

from .stores import Entry, reset


def resets(memoised: Iterable[Any], kept: list[Entry]) -> Generator[str]:
    """Empty caches, mail, stored files and memoised functions, but for these entries; name what there was."""
    yield from reset(kept)
    for manager in caching_managers():
        manager.clear_cache()
    if getattr(mail, "outbox", None):
        mail.outbox.clear()
        yield "mail.outbox"
    for function in memoised:
        if function.cache_info().currsize:
            function.cache_clear()
            yield f"{function.__module__}.{function.__qualname__} (memoised)"


@cache
def caching_managers() -> list[Any]:
    """The managers that remember rows: of ContentType and Site, where installed."""
    names = [("contenttypes", "ContentType"), ("sites", "Site")]
    found = [
        apps.get_model(*name) for name in names if apps.is_installed(f"django.contrib.{name[0]}")
    ]
    return [model._default_manager for model in found]
