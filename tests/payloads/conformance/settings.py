"""The generated project's test settings with two databases, of the kind that CONFORMANCE names."""

import os

from shop.test_settings import *  # noqa: F403
from shop.test_settings import DATABASES

ROOT_URLCONF = "conformance.urls"
kind = os.environ["CONFORMANCE"]
if kind == "postgresql":
    DATABASES["other"] = {**DATABASES["default"], "NAME": f"{DATABASES['default']['NAME']}_other"}
else:
    names = ("default", "other")
    DATABASES = {name: {"ENGINE": "django.db.backends.sqlite3", "NAME": f"{name}.sqlite3"} for name in names}
    if kind == "file":
        for name, database in DATABASES.items():
            database["TEST"] = {"NAME": f"test_{name}.sqlite3"}
            database["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": 0.1}
