"""The websockets of the orders app."""

from typing import Any

from channels.db import database_sync_to_async
from django.urls import path

from acme_shop.websockets import JsonConsumer

from .access import place_order, visible_orders
from .live import groups_for
from .views import OrderForm


class OrdersConsumer(JsonConsumer):
    """Says when an order of this page changed, and places orders of customers."""

    async def connect(self) -> None:
        user, session = self.scope["user"], self.scope["session"]
        for group in await database_sync_to_async(groups_for)(user, session):
            await self.join(group)
        await self.accept()

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        if errors := await self.place(content):
            await self.send_json({"errors": errors})

    @database_sync_to_async
    def place(self, content: dict[str, Any]) -> dict[str, Any]:
        """Save the order, and so tell its pages; return what is wrong with it by field."""
        user, session = self.scope["user"], self.scope["session"]
        if not user.is_authenticated:  # The session of a visitor is the browser's to keep.
            return {"__all__": ["Log in to place an order here, or use the form."]}
        form = OrderForm(content)
        if form.is_valid():
            place_order(form.save(commit=False), user, session)
        return form.errors

    async def orders_changed(self, event: dict[str, Any]) -> None:
        await self.send_json({"changed": "orders"})


class ChatConsumer(JsonConsumer):
    """A chat on each order, for its customer and staff."""

    async def connect(self) -> None:
        self.room = f"order-{self.scope['url_route']['kwargs']['order_id']}-chat"
        if await self.may_enter():
            await self.join(self.room)
            await self.accept()
        else:
            await self.close()

    @database_sync_to_async
    def may_enter(self) -> bool:
        user, session = self.scope["user"], self.scope["session"]
        orders = visible_orders(user, session)
        order_id = self.scope["url_route"]["kwargs"]["order_id"]
        return user.is_authenticated and orders.filter(pk=order_id).exists()

    async def receive_json(self, content: dict[str, Any], **kwargs: Any) -> None:
        message = content.get("message")
        if not isinstance(message, str) or not 0 < len(message) <= 500:
            await self.refuse("Send a message of 1 to 500 characters.")
            return
        said = {"user": str(self.scope["user"]), "message": message}
        await self.channel_layer.group_send(self.room, {"type": "chat.said", "said": said})

    async def chat_said(self, event: dict[str, Any]) -> None:
        await self.send_json(event["said"])


websocket_urlpatterns = [
    path("ws/orders/", OrdersConsumer.as_asgi()),
    path("ws/orders/<int:order_id>/chat/", ChatConsumer.as_asgi()),
]
