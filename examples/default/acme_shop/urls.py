"""Yours: the project's URLs, before the template's. `copier update` never touches this file."""

from .base_urls import urlpatterns as base_urlpatterns

urlpatterns = [
    *base_urlpatterns,
]
