"""Stand-ins for the clock, for stored files, and for the ORM."""

from datetime import UTC, datetime
from unittest.mock import AsyncMock

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client
from django.urls import path

from acme_shop.orders.models import Order

from .factories import OrderFactory

NOON = datetime(2026, 2, 28, 12, tzinfo=UTC)


@pytest.mark.django_db
def test_a_frozen_clock(time_machine):
    time_machine.move_to(NOON, tick=False)

    assert OrderFactory.create().created_at == NOON


def keep(request: HttpRequest) -> HttpResponse:
    """What an upload's view does; the sample has none."""
    note = request.FILES["note"]
    return HttpResponse(default_storage.save("note.txt", note))  # type: ignore[arg-type]


urlpatterns = [path("keep/", keep)]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize("turn", ["first", "second"])
def test_an_upload(client: Client, turn: str):
    """Stored files are in memory, and gone after the test: the name is free each time."""
    response = client.post("/keep/", {"note": SimpleUploadedFile("a.txt", b"no milk")})

    assert response.text == "note.txt"
    assert default_storage.open("note.txt").read() == b"no milk"


async def test_an_async_view_without_a_database(async_client: AsyncClient, monkeypatch):
    aget = AsyncMock(return_value=Order(pk=7, product="tea"))
    monkeypatch.setattr(QuerySet, "aget", aget)

    response = await async_client.get("/orders/7/")

    assert response.json()["product"] == "tea"
    aget.assert_awaited_once_with(pk=7)
