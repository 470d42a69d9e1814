"""Helpers and clients for async tests."""

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.test import AsyncClient

if TYPE_CHECKING:
    from factory import Factory

T = TypeVar("T")


def run_async(awaitable: Awaitable[T]) -> T:
    """Wait for async code in a sync test or fixture; return its result, or raise its error.

        total = run_async(order_total(order.pk))

    Its thread-sensitive work is done in this thread, so on the test's connection, where
    ``asyncio.run`` would leave the test's context. In an async test, ``await`` instead: there,
    this raises RuntimeError.
    """

    async def wait_for_it() -> T:
        return await awaitable

    return async_to_sync(wait_for_it)()


async def acreate(factory: "type[Factory[T]]", /, **attributes: Any) -> T:
    """Create an object with a factory_boy factory in async code: ``await acreate(OrderFactory)``.

    ``attributes`` are those of ``factory.create``. factory_boy 3.3 is sync only: its SubFactories
    and hooks query, so the whole factory runs in asgiref's thread.
    """
    return await sync_to_async(factory.create)(**attributes)


@pytest.fixture
def user(django_user_model: Any, django_username_field: str) -> Any:
    """A saved user without privileges; the username is ``user``, an e-mail address ``user@example.com``.

    Override it in tests/conftest.py when your user model requires more fields.
    """
    name = "user@example.com" if django_username_field == "email" else "user"
    return django_user_model._default_manager.create_user(**{django_username_field: name})


@pytest.fixture
def authenticated_async_client(async_client: AsyncClient, user: Any) -> AsyncClient:
    """pytest-django's ``async_client``, logged in as ``user``; request ``user``, too, to compare.

        async def test_mine(authenticated_async_client, user): ...

    For another user, log in yourself: ``await async_client.aforce_login(other)``.
    """
    async_client.force_login(user)
    return async_client
