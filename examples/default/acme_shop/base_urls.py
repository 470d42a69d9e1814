"""The template's URLs. Add yours in urls.py."""

from django.contrib import admin
from django.urls import include, path

from .health import health

urlpatterns = [
    path("health/", health, name="health"),
    path("admin/", admin.site.urls),
    path("", include("acme_shop.orders.urls")),
]
