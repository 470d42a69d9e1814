"""The template's URLs. Add yours in urls.py."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path

from .health import health, ready

admin.site.site_header = admin.site.site_title = settings.PROJECT_NAME

urlpatterns = [
    path("health/", health, name="health"),
    path("ready/", ready, name="ready"),
    path("admin/", admin.site.urls),
]
if apps.is_installed("acme_shop.orders"):
    urlpatterns.append(path("", include("acme_shop.orders.urls")))
