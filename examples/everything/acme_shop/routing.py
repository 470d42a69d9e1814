"""Yours: the project's websocket URLs. `copier update` never touches this file."""

from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = []
