"""Views, sync and async, that query in every way a view can; and the ASGI application with consumers."""

import asyncio

from asgiref.sync import sync_to_async
from channels.auth import AuthMiddlewareStack
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.db import IntegrityError, connection, transaction
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from shop.orders.models import Order


def sync_view(request):
    order = Order.objects.create(product=request.GET.get("product", "sync"))
    return JsonResponse({"id": order.pk, "count": Order.objects.count()})


async def async_view(request):
    order = await Order.objects.acreate(product=request.GET.get("product", "async"))
    return JsonResponse({"id": order.pk, "count": await Order.objects.acount()})


@transaction.atomic
def atomic_view(request):
    first = Order.objects.count()
    Order.objects.create(product="atomic")
    return JsonResponse({"alone": Order.objects.count() == first + 1})


def broken_view(request):
    with transaction.atomic():
        Order.objects.create(product="broken")
        Order.objects.create(pk=Order.objects.get(product="broken").pk, product="again")


def on_commit_view(request):
    order = Order.objects.create(product="hooked")
    transaction.on_commit(lambda: Order.objects.filter(pk=order.pk).update(product="committed"))
    return JsonResponse({"id": order.pk})


async def bad_on_commit_view(request):
    transaction.on_commit(print)
    return HttpResponse()


async def threaded_view(request):
    await asyncio.to_thread(Order.objects.create, product="threaded")
    return HttpResponse()


async def streaming_view(request):
    async def lines():
        async for order in Order.objects.order_by("pk"):
            yield f"{order.product}\n"
        await Order.objects.acreate(product="streamed")

    return StreamingHttpResponse(lines())


def sync_streaming_view(request):
    return StreamingHttpResponse(f"{order.product}\n" for order in Order.objects.iterator())


async def whoami_view(request):
    user = await request.auser()
    return JsonResponse({"user": user.get_username()})


async def missing_view(request):
    raise Http404


async def closing_view(request):
    await sync_to_async(connection.close)()
    return JsonResponse({"count": await Order.objects.acount()})


def not_found(request, exception):
    """An error page that asks who the user is, as one that extends the site's base template does."""
    return HttpResponse(f"missing, {request.user.get_username()}", status=404)


handler404 = not_found
urlpatterns = [
    path("sync/", sync_view),
    path("async/", async_view),
    path("atomic/", atomic_view),
    path("broken/", broken_view),
    path("on-commit/", on_commit_view),
    path("bad-on-commit/", bad_on_commit_view),
    path("threaded/", threaded_view),
    path("streaming/", streaming_view),
    path("sync-streaming/", sync_streaming_view),
    path("whoami/", whoami_view),
    path("missing/", missing_view),
    path("closing/", closing_view),
]


class AsyncOrders(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        create = database_sync_to_async(Order.objects.create)
        order = await create(**content)
        await self.send_json({"id": order.pk, "user": self.scope["user"].get_username()})


class SyncOrders(JsonWebsocketConsumer):
    def receive_json(self, content):
        try:
            with transaction.atomic():
                order = Order.objects.create(**content)
        except IntegrityError:
            self.send_json({"id": None})
        else:
            self.send_json({"id": order.pk})


application = ProtocolTypeRouter(
    {
        "http": get_asgi_application(),
        "websocket": AuthMiddlewareStack(
            URLRouter([path("async/", AsyncOrders.as_asgi()), path("sync/", SyncOrders.as_asgi())])
        ),
    }
)
