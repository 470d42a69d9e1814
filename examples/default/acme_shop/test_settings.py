"""Tests only: what production has, isolated. Add yours in extra_test_settings.py, read last.

`--ds` in pyproject.toml pins pytest to this module. Nothing here reaches outside the process but
the database, and that is rolled back. tests/test_isolation_contract.py shows each line at work.
"""

from .settings import *  # noqa: F403
from .settings import CACHES, LOGGING, MIDDLEWARE

DEBUG = False
SECRET_KEY = "tests-only"  # noqa: S105
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
SECURE_SSL_REDIRECT = False

# Saving an object enqueues nothing; a test of the enqueueing turns this off for itself.
DISABLE_AUTO_WORKER_SPAWN = True

# Tasks of django-tasks, if installed, run in the caller, whatever production's backend is.
TASKS = {
    alias: {**options, "BACKEND": "django_tasks.backends.immediate.ImmediateBackend"}
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
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"

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

from .extra_test_settings import *  # noqa: E402, F403
