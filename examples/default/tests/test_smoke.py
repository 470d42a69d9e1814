"""The project starts: its pages answer, its migrations are complete, its checks pass."""

from io import StringIO
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError
from django.test import AsyncClient, Client
from django.utils.html import escape

from acme_shop.logs import RequestId


async def test_health_asks_nobody(async_client: AsyncClient):
    response = await async_client.get("/health/")

    assert (response.status_code, response.json()) == (200, {"alive": True})


@pytest.mark.django_db
async def test_ready(async_client: AsyncClient):
    response = await async_client.get("/ready/")

    assert (response.status_code, response.json()) == (200, {"database": "up"})


async def test_a_dead_database_is_not_ready(async_client: AsyncClient, monkeypatch):
    gone = Mock(**{"cursor.side_effect": OperationalError("gone")})
    monkeypatch.setattr("acme_shop.health.connection", gone)

    response = await async_client.get("/ready/")

    assert (response.status_code, response.json()) == (503, {"database": "down"})


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/health/", "/ready/"])
def test_probes_ask_by_ip_and_without_tls(client: Client, settings, path: str):
    settings.SECURE_SSL_REDIRECT = True

    assert client.get(path, headers={"Host": "10.0.0.7:8000"}).status_code == 200
    assert client.get("/admin/", headers={"Host": "10.0.0.7:8000"}).status_code == 400
    assert client.get("/admin/").status_code == 301


@pytest.mark.django_db
def test_admin_login_page(client: Client):
    response = client.get("/admin/login/")

    assert escape(settings.PROJECT_NAME) in response.text


@pytest.mark.django_db
async def test_every_response_has_a_request_id(async_client: AsyncClient):
    response = await async_client.get("/health/", headers={"X-Request-ID": "abc"})

    assert response["X-Request-ID"] == "abc"
    assert (await async_client.get("/missing/"))["X-Request-ID"]


@pytest.mark.django_db
def test_every_response_has_a_request_id_in_a_sync_server(client: Client):
    assert client.get("/admin/", headers={"X-Request-ID": "abc"})["X-Request-ID"] == "abc"
    assert client.get("/missing/")["X-Request-ID"]


@pytest.mark.django_db
@pytest.mark.parametrize("sent", ["x" * 65, "two words", '<a href="//evil.example">'])
def test_a_request_id_that_could_do_harm_is_replaced(client: Client, sent: str):
    answered = client.get("/admin/", headers={"X-Request-ID": sent})["X-Request-ID"]

    assert len(answered) == 32


@pytest.mark.django_db
def test_log_records_have_the_id_of_their_request(client: Client, caplog):
    client.get("/missing/", headers={"X-Request-ID": "abc"})

    (record,) = [record for record in caplog.records if record.name == "django.request"]
    assert RequestId().filter(record)
    assert record.request_id == "abc"


@pytest.mark.django_db
def test_pages_load_from_this_site_only(client: Client):
    policy = client.get("/admin/login/")["Content-Security-Policy"]

    assert "default-src 'self'" in policy


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_system_checks_pass():
    call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())
