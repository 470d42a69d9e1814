"""The async ORM, sync_to_async, fixtures, transactions."""

import asyncio
import contextvars
import signal
import threading

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.core.exceptions import SynchronousOnlyOperation
from django.db import IntegrityError, connection, connections, transaction
from django.db.models import Sum
from shop.orders.models import Order
from shop.orders.services import process_order
from shop.users.models import User
from tests.orders.factories import OrderFactory

pytestmark = pytest.mark.django_db
two_databases = pytest.mark.django_db(databases=["default", "other"])
variable = contextvars.ContextVar("variable", default="unset")


@pytest.fixture
def order(db):
    return Order.objects.create(product="fixture")


@pytest.fixture
def generated(db):
    order = Order.objects.create(product="generated")
    yield order
    assert Order.objects.filter(pk=order.pk).exists()
    order.delete()


@pytest.fixture
async def async_order():
    return await Order.objects.acreate(product="async fixture")


@pytest.fixture
async def async_generated(order):
    yield await Order.objects.acreate(product=f"after {order.product}")
    assert await Order.objects.filter(pk=order.pk).aexists()
    await Order.objects.acreate(product="made in teardown")


async def test_acreate():
    await Order.objects.acreate(product="x")
    assert await Order.objects.acount() == 1


async def test_acreate_by_db_fixture(db):
    await Order.objects.acreate(product="x")
    assert await Order.objects.acount() == 1


def test_sync_test_beside_them():
    assert not Order.objects.exists()
    Order.objects.create(product="x")


async def test_every_async_method():
    order = await Order.objects.acreate(product="a")
    assert await Order.objects.aget_or_create(product="a") == (order, False)
    await Order.objects.aupdate_or_create(product="b", defaults={"quantity": 2})
    await Order.objects.abulk_create([Order(product="c"), Order(product="d")])
    order.quantity = 5
    await order.asave()
    await order.arefresh_from_db()
    assert await Order.objects.filter(quantity=5).aupdate(quantity=6) == 1
    assert {o.product async for o in Order.objects.all()} == set("abcd")
    assert len([o async for o in Order.objects.aiterator(chunk_size=2)]) == 4
    assert (await Order.objects.aaggregate(total=Sum("quantity")))["total"] == 10
    assert await (await Order.objects.alast()).adelete()
    assert await Order.objects.acount() == 3


async def test_relations():
    user = await User.objects.acreate(username="u")
    await user.orders.acreate(product="x")
    assert [o.customer.username async for o in Order.objects.select_related("customer")] == ["u"]
    assert len([u async for u in User.objects.prefetch_related("orders")]) == 1


@pytest.mark.parametrize("turn", ["first", "second"])
async def test_sync_to_async_factory(turn):
    await sync_to_async(OrderFactory)()
    assert await Order.objects.acount() == 1


async def test_rows_of_a_sync_fixture(order):
    assert (await Order.objects.aget()).product == "fixture"


async def test_rows_of_a_generator_fixture(generated):
    await Order.objects.acreate(product="x")
    assert await Order.objects.acount() == 2


async def test_admin_user(admin_user, async_client):
    await async_client.aforce_login(admin_user)
    assert (await async_client.get("/whoami/")).json() == {"user": "admin"}


async def test_rows_of_an_async_fixture(async_order):
    assert await Order.objects.aget() == async_order


async def test_rows_of_an_async_generator_fixture(async_generated):
    assert [o.product async for o in Order.objects.order_by("pk")] == ["fixture", "after fixture"]


def test_sync_test_with_an_async_fixture(async_order):
    assert Order.objects.get() == async_order


def test_sync_test_with_mixed_fixtures(generated, async_generated, order):
    assert Order.objects.count() == 3


async def test_gather():
    await asyncio.gather(*(Order.objects.acreate(product=str(n)) for n in range(20)))
    counts = await asyncio.gather(*(Order.objects.acount() for _ in range(5)))
    assert counts == [20] * 5


async def test_task_group():
    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(Order.objects.acreate(product=str(n)))
    assert await Order.objects.acount() == 5


async def test_atomic_in_sync_to_async():
    @transaction.atomic
    def work():
        Order.objects.create(product="in")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await sync_to_async(work)()
    assert await Order.objects.acount() == 0


async def test_durable_atomic():
    def work():
        with transaction.atomic(durable=True):
            Order.objects.create(product="durable")

    await sync_to_async(work)()
    assert await Order.objects.acount() == 1


async def test_select_for_update():
    order = await Order.objects.acreate(product="x")
    assert await sync_to_async(process_order)(order.pk) is True


async def test_integrity_error_in_a_nested_block_and_life_after_it():
    user = await User.objects.acreate(username="twin")

    @transaction.atomic
    def again():
        User.objects.create(username="twin")

    with pytest.raises(IntegrityError):
        await sync_to_async(again)()
    await user.orders.acreate(product="after")
    assert await Order.objects.acount() == 1


async def test_broken_transaction():
    await User.objects.acreate(username="twin")
    with pytest.raises(IntegrityError):
        await User.objects.acreate(username="twin")


async def test_health_after_a_broken_transaction():
    assert await User.objects.acount() == 0


async def test_on_commit_is_captured(django_capture_on_commit_callbacks):
    def work():
        transaction.on_commit(lambda: Order.objects.create(product="on commit"))

    with django_capture_on_commit_callbacks() as callbacks:
        await sync_to_async(work)()
    assert await Order.objects.acount() == 0
    for callback in callbacks:
        await sync_to_async(callback)()
    assert await Order.objects.acount() == 1


async def test_on_commit_is_executed_in_sync_code(django_capture_on_commit_callbacks):
    def work():
        with django_capture_on_commit_callbacks(execute=True):
            transaction.on_commit(lambda: Order.objects.create(product="on commit"))

    await sync_to_async(work)()
    assert await Order.objects.acount() == 1


@two_databases
async def test_two_databases():
    for alias in ("default", "other"):
        await Order.objects.using(alias).acreate(product=alias)
        assert await Order.objects.using(alias).acount() == 1


async def test_undeclared_database_is_refused():
    with pytest.raises(AssertionError, match="'other' are not allowed"):
        await Order.objects.using("other").acreate(product="x")


async def test_num_queries(django_assert_num_queries, django_assert_max_num_queries):
    with django_assert_num_queries(2):
        await Group.objects.acreate(name="x")
        await Group.objects.acount()
    with django_assert_max_num_queries(1):
        await Group.objects.acount()


def test_num_queries_of_a_sync_test(django_assert_num_queries):
    with django_assert_num_queries(1):
        Group.objects.create(name="x")
    with pytest.raises(pytest.fail.Exception), django_assert_num_queries(0):
        Group.objects.count()


async def test_sync_orm_on_the_loop_is_refused_as_in_production():
    with pytest.raises(SynchronousOnlyOperation):
        Order.objects.count()
    with pytest.raises(SynchronousOnlyOperation), transaction.atomic():
        pass
    assert await Order.objects.acount() == 0


async def test_on_commit_on_the_loop_is_refused_as_in_production():
    with pytest.raises(SynchronousOnlyOperation):
        transaction.on_commit(print)


async def test_connection_is_readable_on_the_loop():
    assert connection.in_atomic_block
    assert connection.vendor in {"sqlite", "postgresql"}


async def test_closing_does_no_harm():
    await Order.objects.acreate(product="x")
    await sync_to_async(connection.close)()
    await sync_to_async(connections.close_all)()
    assert await Order.objects.acount() == 1


def test_closing_in_a_sync_test_does_no_harm():
    Order.objects.create(product="x")
    connection.close()
    assert Order.objects.count() == 1


async def test_nested_bridges():
    def outer():
        return async_to_sync(middle)()

    async def middle():
        await Order.objects.acreate(product="middle")
        return await sync_to_async(inner)()

    def inner():
        Order.objects.create(product="inner")
        return async_to_sync(count)()

    async def count():
        return await Order.objects.acount()

    assert await sync_to_async(outer)() == 2
    assert await Order.objects.acount() == 2


def test_bridges_from_a_sync_test():
    async def work():
        async with asyncio.TaskGroup() as group:
            for n in range(3):
                group.create_task(Order.objects.acreate(product=str(n)))
        return await sync_to_async(Order.objects.count)()

    assert async_to_sync(work)() == 3
    assert Order.objects.count() == 3


def test_asyncio_run_in_a_sync_test(order):
    async def work():
        await Order.objects.acreate(product="x")
        return await Order.objects.acount()

    assert asyncio.run(work()) == 2
    assert Order.objects.count() == 2


async def test_cancelled_query():
    started, go_on = threading.Event(), threading.Event()

    def slow():
        Order.objects.create(product="before")
        started.set()
        go_on.wait(5)
        Order.objects.create(product="after")

    task = asyncio.create_task(sync_to_async(slow)())
    while not started.is_set():
        await asyncio.sleep(0.01)
    task.cancel()
    threading.Timer(0.3, go_on.set).start()  # Its thread goes on when the test has ended.
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_timed_out_query():
    release = threading.Event()

    def slow():
        release.wait(0.3)
        Order.objects.create(product="late")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sync_to_async(slow)(), 0.05)


@pytest.mark.leaks("tasks:*")
async def test_left_over_task():
    async def endless():
        while True:
            await Order.objects.acreate(product="again")

    task = asyncio.create_task(endless())
    await asyncio.sleep(0.05)
    assert not task.done()


async def test_health_after_left_over_work():
    assert await Order.objects.acount() == 0


@pytest.mark.leaks("tasks:*")
async def test_abandoned_iteration():
    await Order.objects.abulk_create([Order(product=str(n)) for n in range(5)])
    rows = Order.objects.aiterator(chunk_size=2)
    assert await anext(rows)


@pytest.fixture
def set_variable():
    token = variable.set("by a sync fixture")
    yield
    variable.reset(token)


async def test_context_of_sync_fixtures(set_variable):
    assert variable.get() == await sync_to_async(variable.get)() == "by a sync fixture"


async def test_loop_runs_on_the_main_thread():
    assert threading.current_thread() is threading.main_thread()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print)
    asyncio.get_running_loop().remove_signal_handler(signal.SIGUSR1)


class TestClass:
    @pytest.fixture
    async def made(self):
        return await Order.objects.acreate(product="method")

    async def test_async_method(self, made):
        assert await Order.objects.acount() == 1

    def test_sync_method(self, made):
        assert Order.objects.count() == 1
