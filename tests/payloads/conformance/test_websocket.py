"""Consumers, sync and async, whose database work goes through database_sync_to_async."""

import pytest
from channels.testing import WebsocketCommunicator
from shop.orders.models import Order

from .urls import application

pytestmark = pytest.mark.django_db


@pytest.fixture
async def connect():
    opened = []

    async def connect(path, headers=()):
        communicator = WebsocketCommunicator(application, path, headers=[*headers])
        assert (await communicator.connect())[0]
        opened.append(communicator)
        return communicator

    yield connect
    for communicator in opened:
        await communicator.disconnect()


@pytest.mark.parametrize("path", ["/async/", "/sync/"])
async def test_consumer(connect, path):
    websocket = await connect(path)
    await websocket.send_json_to({"product": "sent"})
    made = await websocket.receive_json_from()
    assert (await Order.objects.aget(pk=made["id"])).product == "sent"


async def test_two_connections(connect):
    for websocket in (await connect("/async/"), await connect("/sync/")):
        await websocket.send_json_to({"product": "sent"})
        await websocket.receive_json_from()
    assert await Order.objects.acount() == 2


async def test_user_of_a_session(connect, admin_client):
    session = admin_client.cookies["sessionid"].value
    websocket = await connect("/async/", [(b"cookie", f"sessionid={session}".encode())])
    await websocket.send_json_to({"product": "sent"})
    assert (await websocket.receive_json_from())["user"] == "admin"


async def test_integrity_error_of_a_consumer(connect):
    order = await Order.objects.acreate(product="x")
    websocket = await connect("/sync/")
    await websocket.send_json_to({"pk": order.pk, "product": "twin"})
    assert await websocket.receive_json_from() == {"id": None}
    assert await Order.objects.acount() == 1
