"""What every websocket needs: whose page it is, limits, an answer to bad frames, a clean end.

Template file. Yours: inherit from JsonConsumer in your apps' consumers.py.
"""

import json
import logging
import time
from io import BytesIO
from typing import Any
from urllib.parse import ParseResult

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.security.websocket import OriginValidator, WebsocketDenier
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

logger = logging.getLogger(__name__)


class JsonConsumer(AsyncJsonWebsocketConsumer):
    """Answers bad frames, closes on a flood, and leaves its groups whatever happens."""

    groups: list[str] = []
    max_length = 8 * 1024  # Characters a message; uvicorn's --ws-max-size bounds what reaches us.
    max_messages, seconds = 20, 10.0  # So many in so long; more is a flood.

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.groups = [*self.groups]  # This page's own.
        self.arrivals: list[float] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # Channels does it when the page says goodbye, not when this consumer fails.
            for group in self.groups:
                await self.channel_layer.group_discard(group, self.channel_name)

    async def disconnect(self, code: int) -> None:
        self.groups.clear()  # Left by then.

    async def join(self, group: str) -> None:
        self.groups.append(group)  # First: leaving a group that was not joined does no harm.
        await self.channel_layer.group_add(group, self.channel_name)

    async def receive(self, text_data: str | None = None, **kwargs: Any) -> None:
        now = time.monotonic()
        self.arrivals = [at for at in self.arrivals if at > now - self.seconds] + [now]
        if len(self.arrivals) > self.max_messages:
            await self.close(4008, "Too many messages.")
        elif text_data is None or len(text_data) > self.max_length:
            await self.refuse(f"Send text of up to {self.max_length} characters.")
        else:
            try:
                content = json.loads(text_data)
                json.dumps(content, ensure_ascii=False).encode()  # No half characters (surrogates).
            except (ValueError, RecursionError):
                content = None
            if isinstance(content, dict):
                await self.receive_json(content)
            else:
                await self.refuse("Send a JSON object.")

    async def refuse(self, message: str) -> None:
        await self.send_json({"errors": {"__all__": [message]}})


class LoggedOriginValidator(OriginValidator):
    """Channels' own, which says nothing, and a line in the log for each refusal."""

    def valid_origin(self, parsed_origin: ParseResult | None) -> bool:
        if super().valid_origin(parsed_origin):
            return True
        fault = f"not allowed: {parsed_origin.geturl()!r}" if parsed_origin else "missing"
        logger.warning("Websocket refused, its Origin header is %s", fault)
        return False


class SameOrigin:
    """Lets in this site's own pages, by scheme, host and port, as Django's CSRF check does.

    Pages of CSRF_TRUSTED_ORIGINS come in, too.
    """

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        allowed = [
            origin.replace("://*.", "://.") for origin in settings.CSRF_TRUSTED_ORIGINS
        ] + self.own_origins(scope)
        await LoggedOriginValidator(self.application, allowed)(scope, receive, send)

    def own_origins(self, scope: Any) -> list[str]:
        if b"host" not in dict(scope["headers"]):  # A test's communicator; each browser sends it.
            return list(settings.ALLOWED_HOSTS)
        scheme = {"ws": "http", "wss": "https"}[scope.get("scheme", "ws")]
        request = ASGIRequest({**scope, "method": "GET", "scheme": scheme}, BytesIO())
        try:
            return [f"{'https' if request.is_secure() else 'http'}://{request.get_host()}"]
        except DisallowedHost:
            return []


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    """For a path without consumer: closes it, and logs no traceback."""
    await WebsocketDenier()(scope, receive, send)
