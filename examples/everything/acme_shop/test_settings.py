"""Tests only: what production has, isolated. Add yours in extra_test_settings.py, read last.

`--ds` in pyproject.toml pins pytest to this module. Nothing here reaches outside the process but
the database, and that is rolled back. tests/test_isolation_contract.py shows each line at work.
"""

import os

from .settings import *  # noqa: F403
from .settings import BASE_DIR, CACHES, DATABASES, LOGGING, MIDDLEWARE

DEBUG = False
SECRET_KEY = "tests-only"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SECURE_SSL_REDIRECT = False

# Saving an object enqueues nothing; a test of the enqueueing turns this off for itself.
DISABLE_AUTO_WORKER_SPAWN = True

# Tasks run in the caller, through the real serializer; errors reach the test; no broker is there.
CELERY_TASK_ALWAYS_EAGER = True
CELERY_TASK_EAGER_PROPAGATES = True
CELERY_TASK_STORE_EAGER_RESULT = True
CELERY_BROKER_URL = "memory://"
CELERY_RESULT_BACKEND = "cache+memory://"
CELERY_BROKER_TRANSPORT_OPTIONS = {"polling_interval": 0.01}
CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS = {}
# Celery prefers these to any setting: a shell, .env or CI would bring its broker into the tests.
for variable in ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "RESULT_BACKEND"):
    os.environ.pop(f"CELERY_{variable}", None)

# In memory, and as strict about messages as Redis is.
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "acme_shop.testing.channels.StrictInMemoryChannelLayer",
    }
}

# Tasks of django.tasks run in the caller, whatever production's backend is.
TASKS = {
    alias: {**options, "BACKEND": "django.tasks.backends.immediate.ImmediateBackend"}
    for alias, options in vars().get("TASKS", {"default": {}}).items()
}

# In memory, and emptied between tests.
CACHES = {
    alias: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": alias}
    for alias in CACHES
}
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}

# pytest captures logs, and shows those of a failed test.
LOGGING = {
    **LOGGING,
    "handlers": {name: {"class": "logging.NullHandler"} for name in LOGGING["handlers"]},
}

# Static files are the live server's business; this async middleware would start
# an event loop for each sync request.
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("servestatic.")]

# Real hashers are slow on purpose: 10 logins cost a minute.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

for database in DATABASES.values():
    # A test has one connection, and the database is dropped after the last: no pool.
    database.get("OPTIONS", {}).pop("pool", None)
    if database["ENGINE"] == "acme_shop.postgresql":
        database |= {"HOST": str(BASE_DIR / ".postgres" / "test"), "DURABLE": False}

from .extra_test_settings import *  # noqa: E402, F403
