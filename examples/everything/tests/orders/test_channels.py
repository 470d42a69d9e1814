"""One example per situation with websockets; TESTING.md says when to use which."""

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.test import AsyncClient
from django.utils import timezone

from acme_shop.orders.consumers import ChatConsumer
from acme_shop.orders.live import groups_for
from acme_shop.orders.models import Order
from acme_shop.orders.services import process_order
from acme_shop.testing import acreate
from tests.users.factories import UserFactory

from .factories import OrderFactory

PAGE = "/ws/orders/"
TEA = {"product": "tea", "quantity": 2}
CHANGED = {"changed": "orders"}


@pytest.fixture
async def connect(authenticated_async_client, ws_connect):
    """Open the page of ``user``."""

    async def connect(path=PAGE):
        return await ws_connect(path, client=authenticated_async_client)

    return connect


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


@pytest.mark.django_db
async def test_a_page_connects_and_goes(connect, user):
    page = await connect()

    assert await page.receive_nothing()
    assert {*get_channel_layer().groups} == {*groups_for(user, {})}
    await page.disconnect()

    assert get_channel_layer().groups == {}


async def test_a_foreign_page_is_refused(ws_connect, caplog):
    await ws_connect(PAGE, origin="https://evil.example", accept=False)

    assert "its Origin header is not allowed: 'https://evil.example'" in caplog.text


async def test_a_page_without_origin_is_refused(ws_connect, caplog):
    await ws_connect(PAGE, origin=None, accept=False)

    assert "its Origin header is missing" in caplog.text


@pytest.mark.parametrize(
    ("origin", "accept"),
    [
        ("http://testserver", True),
        ("https://testserver", False),
        ("http://testserver:8000", False),
    ],
)
async def test_another_scheme_or_port_is_another_site(ws_connect, origin, accept):
    host = (b"host", b"testserver")

    await ws_connect(PAGE, origin=origin, headers=[host], accept=accept)


async def test_a_path_without_consumer_is_closed(ws_connect, caplog):
    await ws_connect("/ws/nothing/", accept=False)

    assert not caplog.records


@pytest.mark.django_db
async def test_pages_are_notified_on_commit(
    layer, connect, user, django_capture_on_commit_callbacks
):
    pages = [await connect(), await connect()]

    def place():
        with django_capture_on_commit_callbacks(execute=True):
            OrderFactory.create_batch(20, customer=user)

    await sync_to_async(place)()

    for page in pages:
        assert await page.receive_json_from() == CHANGED
        assert await page.receive_nothing()  # One message: the page fetches, and sees all.


@pytest.mark.django_db
async def test_pages_of_others_are_not_notified(
    ws_connect, connect, django_capture_on_commit_callbacks
):
    anonymous, others = await ws_connect(PAGE), await connect()
    client = AsyncClient()
    await client.aforce_login(await acreate(UserFactory, is_staff=True))
    staff = await ws_connect(PAGE, client=client)

    def place():
        with django_capture_on_commit_callbacks(execute=True):
            OrderFactory.create(customer=UserFactory.create())

    await sync_to_async(place)()

    assert await staff.receive_json_from() == CHANGED
    assert await others.receive_nothing()
    assert await anonymous.receive_nothing()


@pytest.mark.django_db
async def test_a_visitor_is_notified_of_what_this_browser_placed(
    ws_connect, async_client, django_capture_on_commit_callbacks
):
    await async_client.post("/", TEA)
    order = await Order.objects.aget()
    page = await ws_connect(PAGE, client=async_client)

    def process():
        with django_capture_on_commit_callbacks(execute=True):
            process_order(order.pk)

    await sync_to_async(process)()

    assert await page.receive_json_from() == CHANGED


@pytest.mark.django_db
async def test_nothing_is_sent_before_the_commit(connect, user):
    page = await connect()

    await acreate(OrderFactory, customer=user)

    assert await page.receive_nothing()


@pytest.mark.django_db(transaction=True)
async def test_a_page_places_an_order_and_is_notified(layer, connect):
    page = await connect()

    await page.send_json_to(TEA)

    assert await page.receive_json_from() == CHANGED


@pytest.mark.django_db
@pytest.mark.parametrize("n", range(2))
async def test_what_a_consumer_writes_is_rolled_back(connect, n):
    assert not await Order.objects.aexists()
    page = await connect()

    await page.send_json_to(TEA)
    await page.disconnect()

    assert (await Order.objects.aget()).quantity == 2


@pytest.mark.django_db
async def test_a_page_receives_what_is_wrong(connect):
    page = await connect()

    await page.send_json_to({"quantity": 2})

    assert await page.receive_json_from() == {"errors": {"product": ["This field is required."]}}


async def test_a_visitor_places_orders_by_the_form_only(ws_connect):
    page = await ws_connect(PAGE)

    await page.send_json_to(TEA)

    assert "Log in" in str(await page.receive_json_from())


@pytest.mark.django_db
@pytest.mark.parametrize(
    "frame",
    ["[]", "1", "{", "[" * 8000, '{"product": "\\ud800"}', "x" * 9000, b"\x00"],
    ids=["array", "number", "no JSON", "deep", "surrogate", "long", "binary"],
)
async def test_a_bad_frame_is_answered(ws_connect, frame):
    page = await ws_connect(PAGE)

    await page.send_to(**{"text_data" if isinstance(frame, str) else "bytes_data": frame})

    assert "Send " in str(await page.receive_json_from())
    assert await page.receive_nothing()


async def test_a_flood_is_closed(ws_connect):
    page = await ws_connect(PAGE)

    for _ in range(21):
        await page.send_to("{")

    frames = [await page.receive_output() for _ in range(21)]
    assert (frames[-1]["type"], frames[-1]["code"]) == ("websocket.close", 4008)


@pytest.mark.django_db
async def test_an_order_placed_by_a_user(connect, user):
    page = await connect()

    await page.send_json_to(TEA)
    await page.disconnect()

    assert await Order.objects.values_list("customer", flat=True).aget() == user.pk


@pytest.mark.django_db
async def test_a_chat_is_heard_in_its_room_only(layer, chat, user):
    order, other = [await acreate(OrderFactory, customer=user) for _ in range(2)]
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
async def test_a_chat_wants_an_order_of_ones_own(chat):
    await chat(await acreate(OrderFactory, customer=await acreate(UserFactory)), accept=False)


@pytest.mark.django_db
@pytest.mark.parametrize("said", [{"text": "hi"}, {"message": 7}, {"message": "x" * 501}])
async def test_a_chat_says_what_it_takes(chat, user, said):
    page = await chat(await acreate(OrderFactory, customer=user))

    await page.send_json_to(said)

    assert "1 to 500" in str(await page.receive_json_from())


@pytest.mark.django_db
async def test_an_error_in_a_consumer_reaches_the_test(chat, user, monkeypatch):
    async def fail(self, content):
        raise LookupError("a bug")

    monkeypatch.setattr(ChatConsumer, "receive_json", fail)
    page = await chat(await acreate(OrderFactory, customer=user))

    await page.send_json_to({"message": "hi"})

    with pytest.raises(LookupError, match="a bug"):
        await page.receive_json_from()
    assert get_channel_layer().groups == {}  # No dead member is left.


@pytest.mark.django_db
async def test_an_idle_page_stays_connected(layer, connect, user):
    page = await connect()

    with pytest.raises(TimeoutError):
        await page.receive_json_from(timeout=0.01)

    await layer.group_send(groups_for(user, {})[0], {"type": "orders.changed"})
    assert await page.receive_json_from() == CHANGED


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
