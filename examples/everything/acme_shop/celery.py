"""The Celery app: set CELERY_* in settings.py, write tasks in your apps' tasks.py."""

import os
from typing import Any

import django
from celery import Celery
from celery.signals import before_task_publish, setup_logging, task_prerun
from django.apps import apps

from .logs import request_id

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme_shop.settings")

app = Celery("acme_shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def log_as_django_does(**options: Any) -> None:
    """Workers and beat log by LOGGING: with a receiver here, Celery sets up no logging."""
    if not apps.ready:
        django.setup()


@before_task_publish.connect
def send_request_id(headers: dict[str, Any], **options: Any) -> None:
    headers["request_id"] = request_id.get()


@task_prerun.connect
def take_request_id(task: Any, **options: Any) -> None:
    """The task's log records have the id of the request that caused it."""
    if not task.request.is_eager:
        request_id.set(getattr(task.request, "request_id", None) or "-")
