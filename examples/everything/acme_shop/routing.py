"""Yours: the project's websocket URLs, such as `path("ws/stock/", StockConsumer.as_asgi())`.

`copier update` never touches this file.
"""

from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = []
