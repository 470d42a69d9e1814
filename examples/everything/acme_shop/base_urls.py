"""The template's URLs. Add yours in urls.py."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView

from .health import health

admin.site.site_header = admin.site.site_title = settings.PROJECT_NAME

urlpatterns = [
    path("health/", health, name="health"),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
]
if apps.is_installed("acme_shop.orders"):
    urlpatterns.append(path("", include("acme_shop.orders.urls")))
