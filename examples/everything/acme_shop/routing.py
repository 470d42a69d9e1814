"""Yours: the project's websocket URLs. `copier update` never touches this file.

    path("ws/stock/", StockConsumer.as_asgi())
"""

from django.urls import URLPattern

websocket_urlpatterns: list[URLPattern] = []
