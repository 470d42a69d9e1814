"""Placing and processing an order, and who may see it."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import AsyncClient, Client
from django.utils import timezone

from acme_shop.orders import services
from acme_shop.orders.access import visible_orders
from acme_shop.orders.models import Order
from acme_shop.orders.services import process_order, process_waiting_orders
from tests.users.factories import UserFactory

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
def test_what_waits_too_long_is_processed_once(time_machine):
    order = OrderFactory.create()
    assert process_waiting_orders() == 0

    time_machine.move_to(timezone.now() + timedelta(minutes=5, seconds=1))

    assert process_waiting_orders() == 1
    assert process_waiting_orders() == 0
    order.refresh_from_db()
    assert order.status == Order.Status.PROCESSED


@pytest.mark.django_db
def test_an_order_that_fails_does_not_hold_up_the_others(monkeypatch, time_machine, caplog):
    bad, good = OrderFactory.create(), OrderFactory.create()
    time_machine.move_to(timezone.now() + timedelta(hours=1))

    def process(order_id):
        return process_order(order_id) if order_id == good.pk else 1 / 0

    monkeypatch.setattr(services, "process_order", process)

    assert process_waiting_orders() == 1
    assert f"Order {bad.pk} still waits" in caplog.text


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
@pytest.mark.parametrize("quantity", [0, -1])
def test_an_order_is_of_at_least_one(client: Client, quantity: int):
    response = client.post("/", {"product": "tea", "quantity": quantity})

    assert response.context["form"].errors["quantity"]
    assert not Order.objects.exists()


@pytest.mark.django_db
def test_the_page_says_in_development_what_processes_orders(client: Client, settings, time_machine):
    client.post("/", {"product": "tea", "quantity": 1})
    assert "uv run" not in client.get("/").text

    time_machine.move_to(timezone.now() + timedelta(seconds=11))

    assert "uv run" not in client.get("/").text
    settings.DEBUG = True
    assert "uv run" in client.get("/").text


@pytest.mark.django_db
def test_whose_order_it_is():
    mine, others, somebodys = UserFactory.create(), UserFactory.create(), OrderFactory.create()
    orders = [OrderFactory.create(customer=user) for user in (mine, others)]

    assert [*visible_orders(mine, {})] == orders[:1]
    assert [*visible_orders(UserFactory.create(is_staff=True), {})] == [*Order.objects.all()]
    session = {"orders": [orders[0].pk, somebodys.pk]}
    assert [*visible_orders(AnonymousUser(), session)] == [somebodys]
    assert [*visible_orders(mine, session)] == orders[:1]


@pytest.mark.django_db
def test_a_visitor_sees_what_this_browser_placed(client: Client):
    client.post("/", {"product": "green tea", "quantity": 2})
    order = Order.objects.get()

    assert "green tea" in client.get("/").text
    assert client.get(f"/orders/{order.pk}/").status_code == 200
    assert "green tea" not in Client().get("/").text
    assert Client().get(f"/orders/{order.pk}/").status_code == 404


@pytest.mark.django_db
def test_a_customer_sees_no_order_of_others(client: Client):
    order = OrderFactory.create(customer=UserFactory.create(), product="green tea")
    client.force_login(UserFactory.create())

    assert "green tea" not in client.get("/").text
    assert client.get(f"/orders/{order.pk}/").status_code == 404


@pytest.mark.django_db
async def test_a_missing_order_is_404(async_client: AsyncClient):
    response = await async_client.get("/orders/1/")

    assert response.status_code == 404
