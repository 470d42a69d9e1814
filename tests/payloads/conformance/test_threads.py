"""What cannot join the transaction is refused on its own line; without a mark, by pytest-django."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.local import Local
from asgiref.sync import SyncToAsync, ThreadSensitiveContext, async_to_sync, sync_to_async
from django.core.handlers import asgi, base, exception
from django.db import connection, connections, transaction
from shop.orders.models import Order

refused = pytest.raises(RuntimeError, match=r"its own connection to database 'default'.*transaction=True")
not_marked = pytest.raises(RuntimeError, match="Database access not allowed")


def create():
    Order.objects.create(product="in a thread")


def in_a_thread(function):
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()


@pytest.mark.django_db
async def test_thread_sensitive_false_is_refused():
    with refused:
        await sync_to_async(create, thread_sensitive=False)()
    await Order.objects.acreate(product="life after it")


@pytest.mark.django_db
async def test_to_thread_is_refused():
    with refused:
        await asyncio.to_thread(create)


@pytest.mark.django_db
async def test_run_in_executor_is_refused():
    with refused:
        await asyncio.get_running_loop().run_in_executor(None, create)


@pytest.mark.django_db
def test_plain_thread_in_a_sync_test_is_refused():
    with refused:
        in_a_thread(create)
    assert not Order.objects.exists()


@pytest.mark.django_db
async def test_two_threads_in_atomic_are_refused():
    barrier = threading.Barrier(2, timeout=5)

    def work():
        barrier.wait()
        with transaction.atomic():
            create()

    concurrent = sync_to_async(work, thread_sensitive=False)
    results = await asyncio.gather(concurrent(), concurrent(), return_exceptions=True)
    assert ["its own connection" in str(result) for result in results] == [True, True]


@pytest.mark.django_db
def test_thread_with_a_loop_is_refused():
    with refused:
        in_a_thread(lambda: asyncio.run(sync_to_async(create, thread_sensitive=False)()))


@pytest.mark.django_db
@pytest.mark.leaks("threads:*")  # asgiref leaves the one of its loop to the garbage collector.
async def test_async_work_below_a_refused_thread():
    async def work():
        await Order.objects.acreate(product="x")

    with refused:
        await asyncio.to_thread(async_to_sync(work))


@pytest.mark.django_db
async def test_thread_that_closes_its_connection():
    def work():
        connection.close()
        connections.close_all()

    await asyncio.to_thread(work)
    await Order.objects.acreate(product="x")


@pytest.mark.django_db
def test_thread_may_read_attributes_of_its_connection():
    assert in_a_thread(lambda: connection.vendor) == connection.vendor
    assert in_a_thread(lambda: connection.in_atomic_block) is False


@pytest.mark.django_db
def test_thread_that_is_given_the_connection_shares_it():
    """Django's own way (LiveServerThread): whoever shares on purpose may."""
    shared = connections["default"]

    def work():
        connections["default"] = shared
        create()

    in_a_thread(work)
    assert Order.objects.count() == 1


@pytest.mark.parametrize("database_of", [create, Order.objects.count])
def test_without_the_mark(database_of):
    with not_marked:
        database_of()
    with not_marked:
        in_a_thread(database_of)


async def test_without_the_mark_async(async_client):
    with not_marked:
        await Order.objects.acount()
    with not_marked:
        await asyncio.to_thread(Order.objects.count)
    with not_marked:
        await async_client.get("/async/")
    with not_marked:
        await async_client.get("/sync/")


def test_work_that_does_not_end_is_named(pytestconfig):
    end = threading.Event()
    worker_finished = pytestconfig.pluginmanager.get_plugin("hermetic-rollback")._worker_finished
    problem = pytest.raises(RuntimeError, match="was still running 0 s after it ended")
    with problem, worker_finished(seconds=0.05):
        SyncToAsync.single_thread_executor.submit(end.wait, 10)
    end.set()


def test_everything_is_put_back():
    """What async_db replaces while a transaction is open, by the names that it relies on."""
    assert isinstance(connections._connections, Local)
    assert "create_connection" not in vars(connections)
    assert asgi.ThreadSensitiveContext is ThreadSensitiveContext
    assert exception.sync_to_async is base.sync_to_async is sync_to_async
    assert "submit" not in vars(SyncToAsync.single_thread_executor)
    assert not {"ensure_connection", "close", "on_commit"} & vars(connections["default"]).keys()
    if connection.vendor == "postgresql":  # live_server shares one in memory for as long as it runs.
        assert not connections["other"].allow_thread_sharing
