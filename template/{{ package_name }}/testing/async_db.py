"""Async tests roll back like sync tests.

Django gives every thread a connection of its own, and async code does its database work in threads,
so outside the transaction that a ``django_db`` test rolls back (pytest-django #580). While such a
transaction is open, this plugin changes one thing: which connection ``connections`` hands out.

* The test's own thread, and the one thread in which asgiref runs thread-sensitive work (all async
  ORM methods, ``sync_to_async``, sync views and consumers under ASGI), get the test's connections.
* Every other thread (``thread_sensitive=False``, ``asyncio.to_thread``, a plain thread) is refused
  when it opens a connection, on its own line: it could not join the transaction, so its rows would
  be committed and outlive the test. Nothing else in ``testing`` guards foreign connections.

Tests that commit (``django_db(transaction=True)``, ``live_server``) keep Django's one connection
a thread; what their threads opened is closed before the tables are flushed.
"""

import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import pytest
from asgiref.sync import SyncToAsync, async_to_sync, sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.core.handlers import asgi, base, exception
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import AsyncClient, TransactionTestCase
from django.utils.asyncio import async_unsafe
from pytest_django.fixtures import _django_db_helper

if TYPE_CHECKING:
    from factory import Factory

T = TypeVar("T")
ABSENT = object()


def pytest_sessionstart() -> None:
    _worker()  # Its thread outlives every test, so it should not seem to be the first one's.


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
    """Inside pytest-django's transaction, whoever asks for it: a mark, ``db``, another fixture."""
    result = yield
    # Private, seen in pytest-django 4.14: the fixture that opens and rolls back.
    if fixturedef.argname == _django_db_helper.__name__:
        stack = ExitStack()
        stack.enter_context(connections_of_the_test())
        fixturedef.addfinalizer(stack.close)  # Last in, so first out: before the rollback.
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Inside the transaction of a Django ``TestCase``, which opens it by itself."""
    if issubclass(getattr(item, "cls", None) or object, TransactionTestCase):
        with connections_of_the_test():
            return (yield)
    return (yield)


def connections_of_the_test() -> AbstractContextManager[None]:
    """The rule for a test that rolls back, or the one for a test that commits."""
    if any(connections[alias].in_atomic_block for alias in connections):
        return one_connection_per_database()
    return connections_of_threads_closed()


@contextmanager
def one_connection_per_database() -> Generator[None]:
    """Give this thread's connections to the thread-sensitive worker, and refuse other threads."""
    # Private, seen in Django 5.2 and 6.1: where ``connections`` keeps those of each thread.
    if isinstance(connections._connections, _TestConnections):  # A seed's, for its whole module.
        with _worker_finished():
            yield
        return
    shared = {alias: connections[alias] for alias in connections}
    patches = [
        (connections, "_connections", _TestConnections(shared, threading.get_ident(), _worker())),
        (connections, "create_connection", _refused_connection),
        # Django gives each ASGI request a thread; they cannot share a transaction, so take turns.
        (asgi, "ThreadSensitiveContext", nullcontext),
        # It answers and logs errors in any thread, although an error page may ask for the user.
        (exception, "sync_to_async", _thread_sensitive),
        (base, "sync_to_async", _thread_sensitive),
    ]
    for connection in shared.values():
        patches += [(connection, *held) for held in _held_open(connection)]
        connection.inc_thread_sharing()
    try:
        with _patched(patches), _worker_finished():
            yield
    finally:
        for connection in shared.values():
            connection.dec_thread_sharing()


class _TestConnections(threading.local):
    """What ``connections`` looks up: the test's in its threads, nothing in others, so a new one."""

    def __init__(self, shared: dict[str, BaseDatabaseWrapper], *threads: int) -> None:
        if threading.get_ident() in threads:  # threading.local calls this in each thread.
            vars(self).update(shared)


def _refused_connection(alias: str) -> BaseDatabaseWrapper:
    """A new connection, for a thread that is not the test's: it cannot be opened."""

    def connect() -> NoReturn:
        raise RuntimeError(
            f"Thread {threading.current_thread().name!r} opens a connection of its own to database "
            f"{alias!r}, and what it does there would not be rolled back with the test: run it "
            "thread-sensitively (the default of sync_to_async), or mark the test "
            "@pytest.mark.django_db(transaction=True)."
        )

    connection = type(connections).create_connection(connections, alias)
    connection.connect = connect
    return connection


def _held_open(connection: BaseDatabaseWrapper) -> Generator[tuple[str, Callable[..., Any]]]:
    """What the test's connection does otherwise than other connections."""

    def ensure_connection() -> None:
        # It is open, so the event loop's thread may ask too: django_assert_num_queries does.
        try:
            type(connection).ensure_connection(connection)
        except SynchronousOnlyOperation:
            if connection.connection is None:
                raise

    yield "ensure_connection", ensure_connection
    # Code that is done with "its" connection must not close the test's.
    yield "close", lambda: None
    # Outside a transaction, as in production, Django refuses this in the event loop's thread.
    yield "on_commit", async_unsafe(connection.on_commit)


def _thread_sensitive(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
    return sync_to_async(function)


@contextmanager
def connections_of_threads_closed() -> Generator[None]:
    """Close what other threads left open, or PostgreSQL cannot drop the test database."""
    thread, opened = threading.get_ident(), list[BaseDatabaseWrapper]()

    def note(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if threading.get_ident() != thread:
            opened.append(connection)

    connection_created.connect(note)
    try:
        with _worker_finished():
            yield
    finally:
        connection_created.disconnect(note)
        for connection in opened:
            connection.inc_thread_sharing()
            # SQLite's own keeps a database in memory, but this thread's connection does that.
            BaseDatabaseWrapper.close(connection)
            connection.dec_thread_sharing()


@cache
def _worker() -> int:
    """The thread in which asgiref (seen in 3.13) runs thread-sensitive work of a loop."""
    return SyncToAsync.single_thread_executor.submit(threading.get_ident).result()


@contextmanager
def _worker_finished(seconds: float = 60) -> Generator[None]:
    """Let the worker end before the rollback: the query of a cancelled task goes on in there."""
    executor, work = SyncToAsync.single_thread_executor, list[Future[Any]]()
    submit = executor.submit

    def noted_submit(*args: Any, **kwargs: Any) -> Future[Any]:
        work.append(submit(*args, **kwargs))
        return work[-1]

    try:
        with _patched([(executor, "submit", noted_submit)]):
            yield
    finally:
        if wait(work, timeout=seconds).not_done:
            raise RuntimeError(
                f"Thread-sensitive work of this test still runs {seconds:.0f} s after its end: "
                "let the test wait for it, or end it."
            )


@contextmanager
def _patched(patches: list[tuple[Any, str, Any]]) -> Generator[None]:
    """A ``mock.patch.object`` that is cheap, since every database test pays for it."""
    before = [vars(owner).get(name, ABSENT) for owner, name, _ in patches]
    for owner, name, value in patches:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for (owner, name, _), value in zip(patches, before, strict=True):
            if value is ABSENT:
                vars(owner).pop(name, None)
            else:
                setattr(owner, name, value)


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
    """A user without privileges, saved, whose username (or e-mail address) is made up.

    Override it in tests/conftest.py when your user model requires more fields.
    """
    name = "user@example.com" if django_username_field == "email" else "user"
    return django_user_model._default_manager.create_user(**{django_username_field: name})


@pytest.fixture
def authenticated_async_client(async_client: AsyncClient, user: Any) -> AsyncClient:
    """pytest-django's ``async_client``, logged in as ``user``; ask for ``user`` too to compare.

        async def test_mine(authenticated_async_client, user): ...

    For another user, log in yourself: ``await async_client.aforce_login(other)``.
    """
    async_client.force_login(user)
    return async_client
