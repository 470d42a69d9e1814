"""Channels in tests: websockets through the real ASGI application, a fresh channel layer per test."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any

import pytest
from channels.layers import (
    BaseChannelLayer,
    InMemoryChannelLayer,
    channel_layers,
    get_channel_layer,
)
from django.conf import settings as django_settings
from django.test import AsyncClient
from django.utils.module_loading import import_string

from . import compat

with suppress(ImportError):  # An adopted project may have another layer in production.
    import_module("channels_redis.core")  # Now: it brings modules that look like a test's fakes.


class StrictInMemoryChannelLayer(InMemoryChannelLayer):
    """A layer in memory that packs messages as the Redis layer does: it refuses a model or a datetime
    (TypeError), and a tuple arrives as a list. Channels' own passes any object on as it is.
    """

    async def send(self, channel: str, message: dict[str, Any]) -> None:
        import msgpack

        await super().send(channel, msgpack.unpackb(msgpack.packb(message)))


class Websocket(compat.websocket_communicator()):
    """Channels' communicator, whose ``receive_…`` raises what the consumer raised at once, not after
    the timeout (in seconds), and leaves the consumer alone when the timeout passes.
    """

    error_seen = False

    async def receive_output(self, timeout: float = 1) -> dict[str, Any]:  # noqa: ASYNC109
        if self.output_queue.empty():
            output = asyncio.ensure_future(self.output_queue.get())
            ends = {output, self.future}
            await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if output.done():
                return output.result()
            output.cancel()
            if self.future.done():
                await self.wait()
                raise AssertionError("The consumer ended without sending anything more.")
            raise TimeoutError(
                f"The consumer sent nothing within {timeout} s; what is sent on commit needs "
                "django_capture_on_commit_callbacks, or a test with transaction=True."
            )
        return self.output_queue.get_nowait()

    async def wait(self, timeout: float = 1) -> None:  # noqa: ASYNC109
        try:
            await super().wait(timeout)
        except Exception:
            self.error_seen = True
            raise


Connect = Callable[..., Awaitable[Websocket]]


class _Kept(dict[str, InMemoryChannelLayer]):
    """The layers in memory of the project's own setting, by alias."""

    def __init__(self) -> None:
        self.setting = getattr(django_settings, "CHANNEL_LAYERS", None)
        for alias, options in (self.setting or {}).items():
            with suppress(Exception):  # Channels says what is wrong with it, where it is used.
                if issubclass(import_string(options["BACKEND"]), InMemoryChannelLayer):
                    self[alias] = channel_layers[alias]

    def put_back(self) -> None:
        if getattr(django_settings, "CHANNEL_LAYERS", None) is self.setting:
            channel_layers.backends.update(self)


@pytest.fixture(scope="session", autouse=True)
def _kept_channel_layers() -> _Kept:
    return _Kept()


@pytest.fixture(autouse=True)
def _fresh_channel_layers(_kept_channel_layers: _Kept) -> Generator[None]:
    """Groups and undelivered messages end with the test: Channels keeps one layer for all of them.

    A layer in memory is emptied rather than replaced, since a module of production may hold it.
    """
    _kept_channel_layers.put_back()  # Another setting of a class has ended.
    yield
    channel_layers.backends.clear()
    for layer in _kept_channel_layers.values():
        layer.channels.clear()
        layer.groups.clear()
    _kept_channel_layers.put_back()


@pytest.fixture(scope="session")
def _asgi_application(django_test_environment: None) -> Any:
    """Imported for all tests at once, since ``get_asgi_application`` configures logging again."""
    return import_string(django_settings.ASGI_APPLICATION)


@pytest.fixture
def _redis_channel_layer_first(_asgi_application: Any, request: pytest.FixtureRequest) -> None:
    """Consumers read from Redis until they are disconnected, so its layer ends after them."""
    if "redis_channel_layer" in request.fixturenames:
        request.getfixturevalue("redis_channel_layer")


@pytest.fixture
async def ws_connect(
    _asgi_application: Any, _redis_channel_layer_first: None
) -> AsyncGenerator[Connect]:
    """Open websockets through asgi.py: origin check, session, routing and consumer are the real ones.

        async def test_page(ws_connect, authenticated_async_client):
            socket = await ws_connect("/ws/orders/", client=authenticated_async_client)
            assert await socket.receive_json_from() == {...}

    ``client``: whose session cookie is sent, a Django ``Client`` or ``AsyncClient``. ``origin``: the
    page's, by default an allowed one; None sends none. ``headers``: more of them, in bytes. ``accept=False``: the
    connection has to be refused. Returns a ``Websocket``: ``send_json_to``, ``receive_json_from``,
    ``receive_nothing``, ``disconnect``. Each is disconnected after the test, and an error of its
    consumer that no call raised fails the test.
    """
    sockets: list[Websocket] = []

    async def connect(
        path: str,
        *,
        client: Any = None,
        origin: str | None = "http://testserver",
        headers: Iterable[tuple[bytes, bytes]] = (),
        subprotocols: list[str] | None = None,
        accept: bool = True,
    ) -> Websocket:
        headers = [*headers]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        cookies = (client or AsyncClient()).cookies
        if cookie := cookies.get(django_settings.SESSION_COOKIE_NAME):
            headers.append((b"cookie", f"{cookie.key}={cookie.value}".encode()))
        socket = Websocket(_asgi_application, path, headers, subprotocols)
        sockets.append(socket)
        accepted, detail = await socket.connect(timeout=5)
        assert accepted is accept, f"{path} {'accepted' if accepted else 'refused'} ({detail})"
        return socket

    yield connect
    errors = []
    for socket in (socket for socket in reversed(sockets) if not socket.error_seen):
        try:
            await socket.disconnect(timeout=5)
        except Exception as error:
            errors.append(error)
    if errors:
        raise ExceptionGroup("Websocket consumers failed in this test", errors)


@pytest.fixture
async def redis_channel_layer(redis_url: str, settings: Any) -> AsyncGenerator[BaseChannelLayer]:
    """Production's channel layer on a real Redis (see ``redis_url``), with a prefix for this test.

    Without it, tests have ``StrictInMemoryChannelLayer``. The value is the layer.
    """
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {
                # Without that, redis-py 8 on Python 3.11 may wait 5 s for a page that is closed.
                "hosts": [{"address": redis_url, "socket_timeout": None}],
                "prefix": f"test-{uuid.uuid4().hex}",
            },
        }
    }
    layer = get_channel_layer()
    yield layer
    await layer.flush()
