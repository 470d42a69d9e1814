"""The generated project's test settings, with an app whose migrations make rows."""

from shop.test_settings import *  # noqa: F403
from shop.test_settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [*INSTALLED_APPS, "kept"]
if DATABASES["default"]["ENGINE"].endswith("postgresql"):
    INSTALLED_APPS += ["django.contrib.postgres"]
