"""The generated project's test settings with an app of odd tables, on the database that RESTORE names."""

import os

from django.db.backends.signals import connection_created
from shop.test_settings import *  # noqa: F403
from shop.test_settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "restore"]
ROOT_URLCONF = "restore.urls"
kind = os.environ["RESTORE"]
if kind == "memory":
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
elif kind == "file":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "development.sqlite3",
            "TEST": {"NAME": "test.sqlite3"},
            "OPTIONS": {"transaction_mode": "IMMEDIATE"},
        }
    }
else:
    DATABASES["default"]["NAME"] = os.environ.get("RESTORE_NAME") or DATABASES["default"]["NAME"]
    # As psycopg names other processes, too.
    DATABASES["default"].setdefault("OPTIONS", {})["application_name"] = "the test"
DATABASES["mirror"] = {**DATABASES["default"], "TEST": {"MIRROR": "default"}}
DATABASES["other"] = {**DATABASES["default"], "NAME": f"{DATABASES['default']['NAME']}_other", "TEST": {}}
if DATABASES["other"]["ENGINE"] == "django.db.backends.postgresql":
    DATABASES["other"]["ENGINE"] = "restore.engine"
if kind == "file":
    DATABASES["other"]["TEST"] = {"NAME": "test_other.sqlite3"}
if kind == "memory":
    DATABASES["other"]["NAME"] = ":memory:"


def set_tenant(connection, **kwargs):
    if connection.vendor == "postgresql":
        connection.cursor().execute("SET app.tenant = 'acme'")


connection_created.connect(set_tenant)
