"""One example per situation with websockets; TESTING.md says when to use which."""

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.utils import timezone

from acme_shop.orders.models import Order
from acme_shop.testing import acreate

from .factories import OrderFactory

PAGE = "/ws/orders/"
TEA = {"product": "tea", "quantity": 2}


@pytest.fixture
async def chat(authenticated_async_client, ws_connect):
    """Open a chat of the order: one page more of ``user``."""

    async def connect(order, **options):
        return await ws_connect(
            f"/ws/orders/{order.pk}/chat/", client=authenticated_async_client, **options
        )

    return connect


@pytest.fixture(params=["in memory", "on Redis"])
def layer(request):
    """The tests' layer, then production's: on the Redis of REDIS_URL, else on a private Valkey."""
    if request.param == "on Redis":
        request.getfixturevalue("redis_channel_layer")
    return get_channel_layer()


async def test_a_page_connects_and_goes(ws_connect):
    page = await ws_connect(PAGE)

    assert await page.receive_nothing()
    await page.disconnect()

    assert get_channel_layer().groups == {}


async def test_a_foreign_page_is_refused(ws_connect):
    await ws_connect(PAGE, origin="https://evil.example", accept=False)


@pytest.mark.django_db
async def test_pages_are_notified_on_commit(layer, ws_connect, django_capture_on_commit_callbacks):
    pages = [await ws_connect(PAGE), await ws_connect(PAGE)]

    def place():
        with django_capture_on_commit_callbacks(execute=True):
            return OrderFactory.create(product="tea")

    order = await sync_to_async(place)()

    for page in pages:
        message = await page.receive_json_from()
        assert message == {"id": order.pk, "product": "tea", "quantity": 1, "status": "new"}


@pytest.mark.django_db
async def test_nothing_is_sent_before_the_commit(ws_connect):
    page = await ws_connect(PAGE)

    await acreate(OrderFactory)

    assert await page.receive_nothing()


@pytest.mark.django_db(transaction=True)
async def test_a_page_places_an_order_and_is_notified(layer, ws_connect):
    page = await ws_connect(PAGE)

    await page.send_json_to(TEA)

    message = await page.receive_json_from()
    assert message == {"id": message["id"], "status": "new", **TEA}


@pytest.mark.django_db
@pytest.mark.parametrize("n", range(2))
async def test_what_a_consumer_writes_is_rolled_back(ws_connect, n):
    assert not await Order.objects.aexists()
    page = await ws_connect(PAGE)

    await page.send_json_to(TEA)
    await page.disconnect()

    assert (await Order.objects.aget()).quantity == 2


@pytest.mark.django_db
async def test_a_page_receives_what_is_wrong(ws_connect):
    page = await ws_connect(PAGE)

    await page.send_json_to({"quantity": 2})

    assert await page.receive_json_from() == {"errors": {"product": ["This field is required."]}}


@pytest.mark.django_db
async def test_an_order_placed_by_a_user(ws_connect, authenticated_async_client, user):
    page = await ws_connect(PAGE, client=authenticated_async_client)

    await page.send_json_to(TEA)
    await page.disconnect()

    assert await Order.objects.values_list("customer", flat=True).aget() == user.pk


@pytest.mark.django_db
async def test_a_chat_is_heard_in_its_room_only(layer, chat, user):
    order, other = await acreate(OrderFactory), await acreate(OrderFactory)
    speaker, listener, elsewhere = await chat(order), await chat(order), await chat(other)

    await speaker.send_json_to({"message": "hi"})

    said = {"user": str(user), "message": "hi"}
    assert await speaker.receive_json_from() == await listener.receive_json_from() == said
    assert await elsewhere.receive_nothing()


@pytest.mark.django_db
async def test_a_chat_wants_a_login(ws_connect):
    order = await acreate(OrderFactory)

    await ws_connect(f"/ws/orders/{order.pk}/chat/", accept=False)


@pytest.mark.django_db
async def test_a_chat_wants_an_order(chat):
    await chat(Order(pk=0), accept=False)


@pytest.mark.django_db
async def test_an_error_in_a_consumer_reaches_the_test(chat):
    page = await chat(await acreate(OrderFactory))

    await page.send_json_to({"text": "no message"})

    with pytest.raises(KeyError, match="message"):
        await page.receive_json_from()


async def test_an_idle_page_stays_connected(layer, ws_connect):
    page = await ws_connect(PAGE)

    with pytest.raises(TimeoutError):
        await page.receive_json_from(timeout=0.01)

    await layer.group_send("orders", {"type": "order.changed", "order": TEA})
    assert await page.receive_json_from() == TEA


@pytest.mark.django_db
def test_a_dead_redis_does_not_fail_the_request(
    client, settings, django_capture_on_commit_callbacks, caplog
):
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": ["redis://127.0.0.1:1"]},  # Nobody listens there.
        }
    }

    with django_capture_on_commit_callbacks(execute=True):
        response = client.post("/", TEA)

    assert (response.status_code, Order.objects.count()) == (302, 1)
    assert "open pages were not notified" in caplog.text


async def test_messages_must_survive_the_wire(layer):
    with pytest.raises(TypeError, match="datetime"):
        await layer.send("channel", {"type": "order.changed", "at": timezone.now()})

    await layer.send("channel", {"type": "order.changed", "ids": (1, 2)})
    assert (await layer.receive("channel"))["ids"] == [1, 2]


@pytest.mark.parametrize("n", range(2))
async def test_nothing_of_another_test_is_in_the_layer(n):
    layer = get_channel_layer()
    assert (layer.groups, layer.channels) == ({}, {})

    await layer.group_add("group", "channel")
    await layer.send("channel", {"type": "left.behind"})
