"""Each test leaves something behind in Channels, and its twin looks for it: any order must pass."""

import pytest
import redis
from channels.layers import InMemoryChannelLayer, channel_layers, get_channel_layer
from django.test import override_settings

KEPT = get_channel_layer()  # As a module of production may keep it.
OTHER = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
TWICE = pytest.mark.parametrize("n", range(2))


@TWICE
async def test_a_group(n):
    assert get_channel_layer().groups == {}
    await get_channel_layer().group_add("group", "channel")


@TWICE
async def test_an_undelivered_message(n):
    assert get_channel_layer().channels == {}
    await get_channel_layer().send("channel", {"type": "x"})


@TWICE
async def test_a_layer_that_a_module_keeps(n):
    assert get_channel_layer() is KEPT
    assert (KEPT.groups, KEPT.channels) == ({}, {})
    await KEPT.group_add("group", "channel")
    await KEPT.send("channel", {"type": "x"})


@TWICE
def test_another_setting(n, settings):
    assert get_channel_layer() is KEPT
    settings.CHANNEL_LAYERS = OTHER
    assert type(get_channel_layer()) is InMemoryChannelLayer


@TWICE
@pytest.mark.parametrize("alias", ["default", "more"])
def test_another_layer(n, alias):
    assert {**channel_layers.backends} == {"default": KEPT}
    channel_layers.set(alias, InMemoryChannelLayer())


@pytest.fixture(scope="class")
def other_setting():
    with override_settings(CHANNEL_LAYERS=OTHER):
        yield


@TWICE
class TestAnotherSettingOfAClass:
    async def test_groups(self, n, other_setting):
        assert get_channel_layer() is not KEPT
        assert get_channel_layer().groups == {}
        await get_channel_layer().group_add("group", "channel")


@TWICE
def test_after_a_class(n):
    assert get_channel_layer() is KEPT


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


async def test_the_layer_after_the_websocket(ws_connect, redis_channel_layer):
    await ws_connect("/ws/orders/")
    assert get_channel_layer() is redis_channel_layer


async def test_the_layer_before_the_websocket(redis_channel_layer, ws_connect):
    await ws_connect("/ws/orders/")
    assert get_channel_layer() is redis_channel_layer


@pytest.fixture
def no_keys_left(redis_url):
    yield
    with redis.Redis.from_url(redis_url) as client:
        assert client.keys("test-*") == []


@TWICE
async def test_keys_in_redis(n, no_keys_left, redis_channel_layer):
    await redis_channel_layer.group_add("group", "channel")
    await redis_channel_layer.send("channel", {"type": "x"})
