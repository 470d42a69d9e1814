"""acme_shop: settings, URLs and apps of the project."""

from .celery import app as celery_app

# Without this import, shared tasks bind to an app without settings (Celery's Django guide).
__all__ = ["celery_app"]
