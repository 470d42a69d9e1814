"""Settings with which tests would reach outside of their process, whatever the guard does."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

# Their rows are rolled back with the test's, or nothing is kept.
CACHES = ("locmem.LocMemCache", "dummy.DummyCache", "db.DatabaseCache")
BACKENDS = {
    "CACHES": tuple(f"django.core.cache.backends.{name}" for name in CACHES),
    "CHANNEL_LAYERS": ("channels.layers.InMemoryChannelLayer",),
}


def outside() -> Iterator[str]:
    """The name of each such setting, and what it reaches: ``CACHES['default'] (…RedisCache)``."""
    for setting, inside in BACKENDS.items():
        for alias, options in (getattr(settings, setting, None) or {}).items():
            if not is_one_of(options, inside):
                yield f"{setting}[{alias!r}] ({options['BACKEND']})"
    broker = getattr(settings, "CELERY_BROKER_URL", None)
    eager = getattr(settings, "CELERY_TASK_ALWAYS_EAGER", False)
    # Several brokers, of which Celery takes the next when one is down.
    urls = broker if isinstance(broker, list | tuple) else str(broker or "").split(";")
    if broker and not eager and not all(str(url).startswith("memory:") for url in urls):
        yield "CELERY_BROKER_URL, without CELERY_TASK_ALWAYS_EAGER"


def is_one_of(options: Mapping[str, Any], inside: tuple[str, ...]) -> bool:
    try:
        found = import_string(options["BACKEND"])
        return issubclass(found, tuple(map(import_string, inside)))
    except Exception:  # Django says what is wrong with it, where it is used.
        return True
