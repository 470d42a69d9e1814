"""Each test leaves something behind in Channels, and its twin looks for it: any order must pass."""

import pytest
import redis
from channels.layers import get_channel_layer

TWICE = pytest.mark.parametrize("n", range(2))


@TWICE
async def test_a_group(n):
    assert get_channel_layer().groups == {}
    await get_channel_layer().group_add("group", "channel")


@TWICE
async def test_an_undelivered_message(n):
    assert get_channel_layer().channels == {}
    await get_channel_layer().send("channel", {"type": "x"})


@pytest.fixture
def disconnected():
    yield
    assert get_channel_layer().groups == {}


@pytest.mark.django_db
async def test_ws_connect_disconnects(disconnected, ws_connect, authenticated_async_client):
    await ws_connect("/ws/orders/", client=authenticated_async_client)
    assert get_channel_layer().groups


@pytest.mark.timeout(20)
async def test_an_error_is_raised_at_once(ws_connect, monkeypatch):
    async def fail(self, content):
        raise LookupError("a bug")

    monkeypatch.setattr("acme_shop.orders.consumers.OrdersConsumer.receive_json", fail)
    socket = await ws_connect("/ws/orders/")
    await socket.send_to("{}")
    with pytest.raises(LookupError, match="a bug"):
        await socket.receive_from(timeout=60)


@pytest.fixture
def no_keys_left(redis_url):
    yield
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("test-*") == []


@TWICE
async def test_keys_in_redis(n, no_keys_left, redis_channel_layer):
    await redis_channel_layer.group_add("group", "channel")
    await redis_channel_layer.send("channel", {"type": "x"})
