"""A service outside: its client is replaced by a fake, since tests reach no network."""

import json
from io import BytesIO
from unittest.mock import Mock

import pytest
from django.test import Client

from acme_shop.orders import carrier, shipping
from acme_shop.orders.models import Order
from tests.users.factories import UserFactory

from .factories import OrderFactory


class FakeCarrier(carrier.Carrier):
    def __init__(self) -> None:
        self.booked: list[Order] = []

    def book(self, order: Order) -> str:
        self.booked.append(order)
        return f"parcel-{order.pk}"


@pytest.fixture
def fake_carrier(monkeypatch) -> FakeCarrier:
    fake = FakeCarrier()
    monkeypatch.setattr(shipping, "carrier", lambda: fake)
    return fake


@pytest.mark.django_db
def test_staff_ship_an_order(admin_client: Client, settings, fake_carrier: FakeCarrier):
    order, url = OrderFactory.create(), "/admin/orders/order/"
    assert "Ship selected orders" not in admin_client.get(url).text

    settings.CARRIER_URL = "https://carrier.example.com"
    action = {"action": "ship", "_selected_action": [order.pk]}
    page = admin_client.post(url, action, follow=True)

    assert fake_carrier.booked == [order]
    assert f"Shipped: parcel-{order.pk}" in page.text


@pytest.mark.django_db
def test_the_customer_gets_mail(fake_carrier: FakeCarrier, mailoutbox):
    order = OrderFactory.create(customer=UserFactory.create(email="ann@example.com"))

    shipping.ship(order)

    (mail,) = mailoutbox
    assert mail.to == ["ann@example.com"]
    assert f"parcel-{order.pk}" in mail.body


def test_what_the_client_sends(monkeypatch):
    """Below the client, one function stands for the network."""
    urlopen = Mock(return_value=BytesIO(b'{"tracking": "parcel-7"}'))
    monkeypatch.setattr(carrier, "urlopen", urlopen)

    client = carrier.Carrier("https://carrier.example.com")
    assert client.book(Order(pk=7, product="tea", quantity=2)) == "parcel-7"

    (request,) = urlopen.call_args.args
    assert request.full_url == "https://carrier.example.com/parcels"
    assert json.loads(request.data) == {"reference": 7, "content": "2 × tea"}


def test_the_real_carrier_is_out_of_reach():
    client = carrier.Carrier("https://carrier.example.com")

    with pytest.raises(RuntimeError, match=r"resolve the host name 'carrier\.example\.com'"):
        client.book(Order(pk=7, product="tea"))


@pytest.mark.parametrize("turn", ["first", "second"])
def test_a_singleton_is_new_in_each_test(settings, turn: str):
    settings.CARRIER_URL = f"https://{turn}.example.com"

    assert carrier.carrier().url == settings.CARRIER_URL
    assert carrier.carrier() is carrier.carrier()
