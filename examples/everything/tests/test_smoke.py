"""The project starts: its pages answer, its migrations are complete, its checks pass."""

from io import StringIO

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import AsyncClient, Client
from django.utils.html import escape


@pytest.mark.django_db
async def test_health(async_client: AsyncClient):
    response = await async_client.get("/health/")

    assert (response.status_code, response.json()) == (200, {"database": True})


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
def test_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_system_checks_pass():
    call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())
