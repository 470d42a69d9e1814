"""Async tests roll back like sync tests.

Django gives every thread its own connection, and async code does its database work in threads, so
outside the transaction that a ``django_db`` test rolls back (pytest-django #580). While such a
transaction is open, this plugin changes one thing: which connection ``connections`` hands out.

* The test's own thread, and the one thread in which asgiref runs thread-sensitive work (all async
  ORM methods, ``sync_to_async``, sync views and consumers under ASGI), get the test's connections.
* Every other thread (``thread_sensitive=False``, ``asyncio.to_thread``, a plain thread) is refused
  when it opens a connection, on its own line: it could not join the transaction, so its rows would
  be committed and outlive the test.

Tests that commit (``django_db(transaction=True)``, ``live_server``) keep Django's one connection
a thread; what their threads opened is closed before the database is restored. In an async test that
commits, asgiref's thread gets the connection of the test's own thread, which does not need it while a
loop runs there: opening another one for each test takes longer than the test.
"""

import threading
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from functools import cache, partial
from inspect import iscoroutinefunction
from typing import Any, NoReturn

import pytest
from asgiref.sync import sync_to_async
from django.core.exceptions import SynchronousOnlyOperation
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase
from django.utils.asyncio import async_unsafe

from .. import compat
from ..leaks import ABSENT
from ..network import ConnectionBlocked
from .transactions import (
    COMMITTED,
    LEFT_OPEN,
    Committed,
    TransactionSpoilt,
    begin_again,
    entered,
    leave,
    raise_spoilt,
    transaction_is_gone,
)


@pytest.hookimpl(trylast=True)  # pytest-cov measures no thread that is older than its start.
def pytest_sessionstart() -> None:
    with suppress(compat.Renamed):  # Then the tests that need it say so.
        worker()  # Its thread outlives every test, so it should not seem to be the first one's.


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Inside pytest-django's transaction, whoever asks for it: a mark, ``db``, another fixture."""
    result = yield
    if fixturedef.argname == _transaction_fixture():
        stack = ExitStack()
        is_async = iscoroutinefunction(getattr(request.node, "obj", None))
        stack.enter_context(spoilt_is_a_leak(request.config))
        stack.enter_context(connections_of_the_test(is_async))
        fixturedef.addfinalizer(stack.close)  # Last in, so first out: before the rollback.
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    """Inside the transaction of a Django ``TestCase``, which opens it itself."""
    if issubclass(getattr(item, "cls", None) or object, TransactionTestCase):
        with spoilt_is_a_leak(item.config), connections_of_the_test():
            return (yield)
    return (yield)


@contextmanager
def spoilt_is_a_leak(config: pytest.Config) -> Generator[None]:
    """The guard names it at the end of the test, as its mode, marks and baseline say; without one it is an error."""
    guard = config.pluginmanager.get_plugin("hermetic-guard")
    try:
        yield
    except TransactionSpoilt as error:
        if guard is None:
            raise
        guard.early += error.leaks


def connections_of_the_test(is_async: bool = False) -> AbstractContextManager[None]:
    """The rule for a test that rolls back, or the one for a test that commits."""
    if any(connections[alias].in_atomic_block for alias in connections):
        return one_connection_per_database()
    return connections_of_threads_closed(is_async)


@contextmanager
def one_connection_per_database() -> Generator[None]:
    """Give this thread's connections to the thread-sensitive worker, and refuse other threads."""
    if isinstance(compat.connection_storage(), _TestConnections):  # A seed's, for its module.
        with _transactions_watched(connections, goes_on=True), _worker_finished():
            yield
        return
    shared = {alias: connections[alias] for alias in connections}
    patches = [
        (connections, "_connections", _TestConnections(shared, threading.get_ident(), worker())),
        (connections, "create_connection", partial(_new_connection, shared)),
    ]
    for module, name in compat.asgi_thread_switches():
        # Django gives each ASGI request a thread; they cannot share a transaction, so take turns.
        # It answers and logs errors in any thread, although an error page may ask for the user.
        switch = nullcontext if name == "ThreadSensitiveContext" else _thread_sensitive
        patches.append((module, name, switch))
    for connection in shared.values():
        patches += [(connection, *held) for held in _held_open(connection)]
        connection.inc_thread_sharing()
    try:
        with _transactions_watched(shared), _patched(patches), _worker_finished():
            yield
    finally:
        for connection in shared.values():
            connection.dec_thread_sharing()


@contextmanager
def _transactions_watched(aliases: Iterable[str], goes_on: bool = False) -> Generator[None]:
    """Say which transactions were left open or ended; a module's goes on after the test."""
    shared = {alias: connections[alias] for alias in aliases}
    committed = {alias: Committed(connection) for alias, connection in shared.items()}
    depths = {alias: entered(connection) for alias, connection in shared.items()}
    try:
        yield
        left = [alias for alias, one in shared.items() if leave(one, depths[alias])]
        gone = [a for a, one in shared.items() if committed[a].seen or transaction_is_gone(one)]
        for alias in gone if goes_on else ():
            begin_again(shared[alias])
        raise_spoilt(left, *LEFT_OPEN)
        raise_spoilt(gone, *COMMITTED)
    finally:
        for one in committed.values():
            one.end()


class _TestConnections(threading.local):
    """What ``connections`` looks up: the test's in its threads, nothing in others, so a new one."""

    def __init__(self, shared: dict[str, BaseDatabaseWrapper], *threads: int) -> None:
        if threading.get_ident() in threads:  # threading.local calls this in each thread.
            vars(self).update(shared)


def _new_connection(shared: Collection[str], alias: str) -> BaseDatabaseWrapper:
    """A connection of another thread, which cannot be opened; one to a database that the test added can."""

    def connect() -> NoReturn:
        raise ConnectionBlocked(
            f"Thread {threading.current_thread().name!r} tried to open its own connection to database "
            f"{alias!r}; its writes would be committed, not rolled back with the test. Use "
            "sync_to_async (thread-sensitive by default), or mark the test "
            "@pytest.mark.django_db(transaction=True)."
        )

    connection = type(connections).create_connection(connections, alias)
    if alias in shared:
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
def _worker_has_ours() -> Generator[None]:
    """Give this thread's connections to asgiref's thread, which takes turns with it."""
    shared = {alias: connections[alias] for alias in connections}
    threads = _TestConnections(shared, threading.get_ident(), worker())
    for connection in shared.values():
        connection.inc_thread_sharing()
    try:
        with _patched([(connections, "_connections", threads)]):
            yield
    finally:
        for connection in shared.values():
            connection.dec_thread_sharing()


@contextmanager
def connections_of_threads_closed(is_async: bool) -> Generator[None]:
    """Close what other threads left open, or PostgreSQL cannot drop the test database."""
    thread, opened = threading.get_ident(), list[BaseDatabaseWrapper]()
    ours = [connections[alias] for alias in connections]

    def note(connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
        if threading.get_ident() != thread and connection not in ours:
            opened.append(connection)

    connection_created.connect(note)
    try:
        with _worker_has_ours() if is_async else nullcontext(), _worker_finished():
            yield
    finally:
        connection_created.disconnect(note)
        left = [one.alias for one in connections.all(initialized_only=True) if leave(one, 0)]
        for connection in opened:
            connection.inc_thread_sharing()
            # SQLite's own keeps a database in memory, but this thread's connection does that.
            BaseDatabaseWrapper.close(connection)
            connection.dec_thread_sharing()
    raise_spoilt(left, *LEFT_OPEN)


@cache
def _transaction_fixture() -> str:
    return compat.transaction_fixture()


@cache
def worker() -> int:
    """The thread in which asgiref runs thread-sensitive work of a loop."""
    return compat.thread_sensitive_executor().submit(threading.get_ident).result()


@contextmanager
def _worker_finished(seconds: float = 60) -> Generator[None]:
    """Let the worker end before the rollback: the query of a cancelled task goes on in there."""
    executor, work = compat.thread_sensitive_executor(), list[Future[Any]]()
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
                f"sync_to_async work started by this test was still running {seconds:.0f} s after it "
                "ended. Await or cancel it in the test."
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
