"""Placing and processing an order."""

import pytest
from django.test import AsyncClient, Client

from acme_shop.orders.models import Order
from acme_shop.orders.services import process_order

from .factories import OrderFactory


@pytest.mark.django_db
def test_saving_enqueues_nothing_in_tests(django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        order = OrderFactory.create()

    order.refresh_from_db()
    assert order.status == Order.Status.NEW


@pytest.mark.django_db
def test_an_order_is_processed_once():
    order = OrderFactory.create()

    assert process_order(order.pk) is True
    assert process_order(order.pk) is False

    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_the_page_places_an_order(client: Client):
    response = client.post("/", {"product": "tea", "quantity": 2}, follow=True)

    assert "tea" in response.text
    assert Order.objects.get().quantity == 2


@pytest.mark.django_db
def test_the_page_explains_what_is_missing(client: Client):
    response = client.post("/", {"product": "", "quantity": 2})

    assert "This field is required" in response.text
    assert not Order.objects.exists()


@pytest.mark.django_db
async def test_a_missing_order_is_404(async_client: AsyncClient):
    response = await async_client.get("/orders/1/")

    assert response.status_code == 404
