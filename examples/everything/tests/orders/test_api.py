"""One example per situation with the REST framework; TESTING.md says when to use which."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from django.test import AsyncClient
from django.urls import resolve
from django.utils import timezone
from rest_framework.settings import api_settings
from rest_framework.test import APIClient
from rest_framework.throttling import SimpleRateThrottle

from acme_shop.orders.models import Order

from .factories import OrderFactory

URL = "/api/orders/"


@pytest.fixture
def api_client(user) -> APIClient:
    """DRF's own client, sync, as `user`; it skips authentication, so the session too."""
    client = APIClient()
    client.force_authenticate(user)
    return client


@pytest.mark.django_db
def test_placing_an_order(api_client, user):
    response = api_client.post(URL, {"product": "tea", "quantity": 2}, format="json")

    assert response.status_code == 201
    assert response.json()["status"] == "new"
    order = Order.objects.get()
    assert (order.product, order.quantity, order.customer) == ("tea", 2, user)


@pytest.mark.django_db
async def test_placing_an_order_in_an_async_test(authenticated_async_client, user):
    response = await authenticated_async_client.post(
        URL, {"product": "tea", "quantity": 2}, content_type="application/json"
    )

    assert response.status_code == 201
    assert await Order.objects.filter(customer=user, product="tea").aexists()


@pytest.mark.django_db
async def test_reading_changing_and_cancelling(authenticated_async_client, user):
    order = await Order.objects.acreate(product="tea", customer=user)
    url = f"{URL}{order.pk}/"

    assert (await authenticated_async_client.get(url)).json()["product"] == "tea"
    response = await authenticated_async_client.patch(
        url, {"quantity": 3}, content_type="application/json"
    )
    assert response.json()["quantity"] == 3
    assert (await authenticated_async_client.delete(url)).status_code == 204

    assert not await Order.objects.aexists()


@pytest.mark.django_db
def test_the_status_is_not_the_customers_to_set(api_client, user):
    order = OrderFactory.create(customer=user)

    response = api_client.patch(f"{URL}{order.pk}/", {"status": "processed"}, format="json")

    assert response.json()["status"] == "new"


@pytest.mark.django_db
def test_what_is_missing_is_named(api_client):
    response = api_client.post(URL, {"product": ""}, format="json")

    assert response.status_code == 400
    assert response.json() == {"product": ["This field may not be blank."]}


@pytest.mark.django_db
def test_an_order_is_of_at_least_one(api_client):
    response = api_client.post(URL, {"product": "tea", "quantity": 0}, format="json")

    assert (response.status_code, [*response.json()]) == (400, ["quantity"])


@pytest.mark.django_db
def test_json_that_is_nested_too_deeply_is_refused(api_client):
    response = api_client.post(URL, "[" * 100_000, content_type="application/json")

    assert response.status_code == 400


@pytest.mark.django_db
async def test_the_summary(authenticated_async_client, user):
    await Order.objects.acreate(product="tea", customer=user)
    await Order.objects.acreate(product="milk", customer=user, status=Order.Status.PROCESSED)

    response = await authenticated_async_client.get(f"{URL}summary/")

    assert response.json() == {"new": 1, "processed": 1}


@pytest.mark.django_db
async def test_a_stranger_is_refused(async_client: AsyncClient):
    assert (await async_client.get(URL)).status_code == 403


@pytest.mark.django_db
async def test_a_session_needs_a_csrf_token(user):
    client = AsyncClient(enforce_csrf_checks=True)
    await client.aforce_login(user)

    response = await client.post(URL, {"product": "tea"}, content_type="application/json")

    assert response.status_code == 403
    assert "CSRF" in response.json()["detail"]


@pytest.mark.django_db
async def test_orders_of_others_are_not_found(authenticated_async_client):
    order = await Order.objects.acreate(product="tea")

    assert (await authenticated_async_client.get(URL)).json()["results"] == []
    assert (await authenticated_async_client.get(f"{URL}{order.pk}/")).status_code == 404


@pytest.mark.django_db
def test_orders_come_in_pages(api_client, user, django_assert_num_queries):
    OrderFactory.create_batch(api_settings.PAGE_SIZE + 1, customer=user)

    with django_assert_num_queries(2):
        page = api_client.get(URL).json()

    assert (page["count"], len(page["results"])) == (
        api_settings.PAGE_SIZE + 1,
        api_settings.PAGE_SIZE,
    )


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.django_db
async def test_a_customer_in_haste_is_slowed(authenticated_async_client, monkeypatch, again):
    # The rates are read when Django starts, so overriding REST_FRAMEWORK would change nothing.
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "user", "2/min")

    codes = [(await authenticated_async_client.get(URL)).status_code for _ in range(3)]

    assert codes == [200, 200, 429]


@pytest.mark.django_db
async def test_the_next_minute_is_free_again(authenticated_async_client, monkeypatch, time_machine):
    monkeypatch.setitem(SimpleRateThrottle.THROTTLE_RATES, "user", "1/min")
    time_machine.move_to(timezone.now(), tick=False)

    assert (await authenticated_async_client.get(URL)).status_code == 200
    refused = await authenticated_async_client.get(URL)
    time_machine.shift(61)

    assert (refused.status_code, refused["Retry-After"]) == (429, "60")
    assert (await authenticated_async_client.get(URL)).status_code == 200


def test_the_views_are_async():
    assert resolve(URL).func.actions["get"] == "alist"  # type: ignore[attr-defined]


def test_the_schema_is_complete():
    output = StringIO()

    call_command("spectacular", validate=True, fail_on_warn=True, stdout=output)

    paths = yaml.safe_load(output.getvalue())["paths"]
    assert {path: {*operations} for path, operations in paths.items() if path.startswith(URL)} == {
        URL: {"get", "post"},
        URL + "{id}/": {"get", "put", "patch", "delete"},
        f"{URL}summary/": {"get"},
    }
    assert paths[URL]["get"]["operationId"] == "orders_list"
    assert "201" in paths[URL]["post"]["responses"]
    summary = paths[f"{URL}summary/"]["get"]["responses"]["200"]["content"]["application/json"]
    assert summary["schema"] == {"$ref": "#/components/schemas/Summary"}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/schema/", "/api/"])
def test_the_schema_and_its_page_want_a_login(api_client, client, path):
    assert api_client.get(path).status_code == 200
    assert client.get(path).status_code == 403
