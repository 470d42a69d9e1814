"""The WSGI application. Add your middleware in settings.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme_shop.settings")

application = get_wsgi_application()
