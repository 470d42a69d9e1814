"""The Celery app: set CELERY_* in settings.py, write tasks in your apps' tasks.py."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme_shop.settings")

app = Celery("acme_shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
