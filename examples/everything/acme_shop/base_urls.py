"""The template's URLs. Add yours in urls.py."""

from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from .health import health, ready

admin.site.site_header = admin.site.site_title = settings.PROJECT_NAME

urlpatterns = [
    path("health/", health, name="health"),
    path("ready/", ready, name="ready"),
    path("admin/", admin.site.urls),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="api"),
]
if apps.is_installed("acme_shop.orders"):
    urlpatterns.append(path("", include("acme_shop.orders.urls")))
