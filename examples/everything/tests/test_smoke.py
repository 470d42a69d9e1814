"""The project starts: its pages answer, its migrations are complete, its checks pass."""

from io import StringIO

import pytest
from django.core.management import call_command
from django.test import AsyncClient, Client


@pytest.mark.django_db
async def test_health(async_client: AsyncClient):
    response = await async_client.get("/health/")

    assert (response.status_code, response.json()) == (200, {"database": True})


@pytest.mark.django_db
def test_admin_login_page(client: Client):
    assert client.get("/admin/login/").status_code == 200


@pytest.mark.django_db
def test_migrations_are_complete():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_system_checks_pass():
    call_command("check", fail_level="WARNING", stdout=StringIO(), stderr=StringIO())
