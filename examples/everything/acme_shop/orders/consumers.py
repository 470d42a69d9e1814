"""The websockets of the orders app."""

from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.urls import path

from .live import GROUP
from .models import Order
from .views import OrderForm


class OrdersConsumer(AsyncJsonWebsocketConsumer):
    """Sends each change of an order to every open page, and places the orders that a page sends."""

    groups = [GROUP]

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        if errors := await self.place(content):
            await self.send_json({"errors": errors})

    @database_sync_to_async
    def place(self, content: dict[str, Any]) -> dict[str, Any]:
        """Save the order, and so tell every page; return what is wrong with it by field."""
        user = self.scope["user"]
        order = Order(customer=user if user.is_authenticated else None)
        form = OrderForm(content, instance=order)
        if form.is_valid():
            form.save()
        return form.errors

    async def order_changed(self, event: dict[str, Any]) -> None:
        await self.send_json(event["order"])


class ChatConsumer(AsyncJsonWebsocketConsumer):
    """A chat on each order, for users who are logged in."""

    async def connect(self) -> None:
        order_id = self.scope["url_route"]["kwargs"]["order_id"]
        known = await Order.objects.filter(pk=order_id).aexists()
        if not (known and self.scope["user"].is_authenticated):
            await self.close()
            return
        self.room = f"order-{order_id}"
        self.groups.append(self.room)  # Left by Channels when the page goes.
        await self.channel_layer.group_add(self.room, self.channel_name)
        await self.accept()

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        said = {"user": str(self.scope["user"]), "message": content["message"]}
        await self.channel_layer.group_send(self.room, {"type": "chat.said", "said": said})

    async def chat_said(self, event: dict[str, Any]) -> None:
        await self.send_json(event["said"])


websocket_urlpatterns = [
    path("ws/orders/", OrdersConsumer.as_asgi()),
    path("ws/orders/<int:order_id>/chat/", ChatConsumer.as_asgi()),
]
