"""Yours: what this project adds to, or changes in, the template's base_settings.py.

`copier update` never touches this file. Lists grow like this:

    INSTALLED_APPS = [*INSTALLED_APPS, "acme_shop.catalog"]
"""

from .base_settings import *  # noqa: F403
