"""Views through AsyncClient, Client and the ASGI application itself."""

import asyncio
import json
import logging

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from channels.testing import HttpCommunicator
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError
from django.test import AsyncClient
from shop.orders.models import Order
from shop.users.models import User

from .urls import application

pytestmark = pytest.mark.django_db


async def asgi(path):
    communicator = HttpCommunicator(application, "GET", path, headers=[(b"host", b"testserver")])
    response = await communicator.get_response(timeout=10)
    await communicator.wait()  # Or the request's own clean-up is cut off.
    return response


async def streamed(path):
    """HttpCommunicator 4.3 expects a body in the last message of a streaming response, where none is."""
    communicator = HttpCommunicator(application, "GET", path, headers=[(b"host", b"testserver")])
    await communicator.send_input({"type": "http.request", "body": b""})
    await communicator.receive_output(10)
    body = b""
    while (message := await communicator.receive_output(10)).get("more_body"):
        body += message["body"]
    await communicator.wait()
    return body


@pytest.mark.parametrize("path", ["/sync/", "/async/"])
async def test_async_client(async_client, path):
    await Order.objects.acreate(product="before")
    assert (await async_client.get(path)).json()["count"] == 2
    assert await Order.objects.acount() == 2


@pytest.mark.parametrize("path", ["/sync/", "/async/"])
async def test_asgi_application(path):
    await Order.objects.acreate(product="before")
    assert json.loads((await asgi(path))["body"])["count"] == 2
    assert json.loads((await asgi(path))["body"])["count"] == 3
    assert await Order.objects.acount() == 3


@pytest.mark.parametrize("path", ["/sync/", "/async/"])
def test_sync_client(client, path):
    Order.objects.create(product="before")
    assert client.get(path).json()["count"] == 2
    assert Order.objects.count() == 2


@pytest.mark.parametrize("path", ["/sync/", "/async/"])
def test_asgi_application_in_a_sync_test(path):
    Order.objects.create(product="before")
    assert json.loads(async_to_sync(asgi)(path)["body"])["count"] == 2


def test_async_client_in_a_sync_test():
    assert async_to_sync(AsyncClient().get)("/async/").json()["count"] == 1
    assert Order.objects.count() == 1


@pytest.mark.parametrize("path", ["/sync/", "/async/", "/atomic/"])
async def test_concurrent_client_requests(async_client, path):
    responses = await asyncio.gather(*(async_client.get(path) for _ in range(5)))
    assert {response.status_code for response in responses} == {200}
    assert await Order.objects.acount() == 5


async def test_concurrent_asgi_requests():
    responses = await asyncio.gather(*(asgi("/atomic/") for _ in range(5)))
    assert [json.loads(response["body"])["alone"] for response in responses] == [True] * 5
    assert await Order.objects.acount() == 5


async def test_login(async_client):
    user = await User.objects.acreate_user("jo", password="secret")
    assert await async_client.alogin(username="jo", password="secret")
    assert (await async_client.get("/whoami/")).json() == {"user": user.username}


async def test_integrity_error_of_a_view(async_client):
    with pytest.raises(IntegrityError):
        await async_client.get("/broken/")
    assert await Order.objects.acount() == 0


async def test_on_commit_of_a_view(async_client, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as callbacks:
        await async_client.get("/on-commit/")
    for callback in callbacks:
        await sync_to_async(callback)()
    assert [o.product async for o in Order.objects.all()] == ["committed"]


async def test_on_commit_on_the_loop_is_refused_as_in_production(async_client):
    with pytest.raises(SynchronousOnlyOperation):
        await async_client.get("/bad-on-commit/")


async def test_error_page_that_asks_for_the_user(async_client):
    await async_client.aforce_login(await User.objects.acreate(username="jo"))
    assert (await async_client.get("/missing/")).content == b"missing, jo"
    assert (await async_client.get("/no/such/page/")).content == b"missing, jo"


async def test_log_handler_that_queries(async_client):
    class Handler(logging.Handler):
        def emit(self, record):
            Order.objects.create(product=record.levelname)

    handler = Handler()
    logging.getLogger("django.request").addHandler(handler)
    try:
        await async_client.get("/no/such/page/")
    finally:
        logging.getLogger("django.request").removeHandler(handler)
    assert await Order.objects.acount() == 1


async def test_error_page_of_the_asgi_application():
    assert (await asgi("/missing/"))["body"] == b"missing, "


async def test_streaming_response(async_client):
    await Order.objects.acreate(product="first")
    response = await async_client.get("/streaming/")
    assert [chunk async for chunk in response] == [b"first\n"]
    assert await Order.objects.acount() == 2


async def test_streaming_response_of_the_asgi_application():
    await Order.objects.acreate(product="first")
    assert await streamed("/streaming/") == b"first\n"
    assert await Order.objects.acount() == 2


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
async def test_sync_streaming_response_of_the_asgi_application():
    await Order.objects.acreate(product="first")
    assert await streamed("/sync-streaming/") == b"first\n"


@pytest.mark.leaks("tasks:*")
async def test_abandoned_streaming_response(async_client):
    await Order.objects.abulk_create([Order(product=str(n)) for n in range(3)])
    response = await async_client.get("/streaming/")
    assert await anext(aiter(response))


async def test_view_that_closes_the_connection(async_client):
    await Order.objects.acreate(product="x")
    assert (await async_client.get("/closing/")).json() == {"count": 1}
    assert await Order.objects.acount() == 1


async def test_thread_of_a_view_is_refused(async_client):
    with pytest.raises(RuntimeError, match="its own connection to database 'default'"):
        await async_client.get("/threaded/")
