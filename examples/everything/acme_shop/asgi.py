"""The ASGI application: HTTP to Django, websockets to your routing.py."""

import os
from importlib import import_module

from django.apps import apps
from django.core.asgi import get_asgi_application
from django.urls import re_path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acme_shop.settings")

# Django first: importing consumers needs its apps.
http = get_asgi_application()

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from .routing import websocket_urlpatterns  # noqa: E402
from .websockets import SameOrigin, not_found  # noqa: E402

if apps.is_installed("acme_shop.orders"):
    sample = import_module(".orders.consumers", __package__)
    websocket_urlpatterns = [*sample.websocket_urlpatterns, *websocket_urlpatterns]

fallback = [re_path("", not_found)]  # type: ignore[arg-type]  # The stubs know views.
application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SameOrigin(
            AuthMiddlewareStack(URLRouter([*websocket_urlpatterns, *fallback]))
        ),
    }
)
