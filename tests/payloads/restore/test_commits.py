"""Each way to commit, and each thing that a test can do to a database; conftest.py looks after each."""

import asyncio
import os
import subprocess
import sys
import threading
import urllib.request
from contextlib import closing

import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import IntegrityError, connection, connections, transaction
from django.test import LiveServerTestCase, TransactionTestCase

from .models import Box, Shelf

commits = pytest.mark.django_db(transaction=True, databases=["default", "other"])
INSERT = "INSERT INTO restore_box (shelf_id, content) VALUES (1, 'of a process')"
PROCESSES = {
    "sqlite": "import sqlite3; connection = sqlite3.connect({database!r})",
    "postgresql": "import psycopg; connection = psycopg.connect(**{arguments!r})",
}
postgresql = pytest.mark.skipif(os.environ["RESTORE"] != "postgresql", reason="SQLite has no such thing")


def write():
    """Rows that refer to one another, and to those of the migration."""
    assert [shelf.name for shelf in Shelf.objects.order_by("pk")] == ["upper", "lower"]
    assert not Box.objects.exists()
    one = Box.objects.create(shelf_id=1)
    assert one.pk == 1 or connection.in_atomic_block  # Numbers begin anew.
    two = Box.objects.create(shelf_id=2, inside=one)
    one.inside = two
    one.save()
    one.friends.add(two)
    return one


@commits
def test_rows():
    write()
    Shelf.objects.using("other").create(name="other")


@commits
async def test_async():
    await asyncio.to_thread(write)
    await Shelf.objects.acreate(name="third")


@commits
def test_rows_of_migrations_change():
    Shelf.objects.filter(name="upper").update(name="changed")
    Shelf.objects.filter(name="lower").delete()
    ContentType.objects.all().delete()


@commits
def test_primary_keys_change_places():
    Shelf.objects.all().delete()
    Shelf.objects.create(pk=1, name="lower")
    Shelf.objects.create(pk=2, name="upper")


@pytest.mark.django_db
def test_rolled_back_between():
    write()


def test_transactional_db(transactional_db):
    write()


def test_live_server(live_server):
    for number in ("1", "2"):
        assert urllib.request.urlopen(f"{live_server.url}/box/").read().decode() == number


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_serialized_rollback():
    write()


@pytest.mark.parametrize("twin", [1, 2])
@pytest.mark.django_db(reset_sequences=True)
def test_reset_sequences(twin):
    assert write().pk == 1
    assert Shelf.objects.create(name="third").pk == 3


@pytest.mark.django_db(transaction=True, databases=["default", "mirror"])
def test_mirror():
    write()
    if connection.settings_dict["NAME"] == connections["mirror"].settings_dict["NAME"]:
        assert Box.objects.using("mirror").count() == 2


class TestCommitting(TransactionTestCase):
    databases = ("default", "other")

    def test_rows(self):
        write()

    async def test_async(self):
        await Shelf.objects.acreate(name="third")


class TestSerialized(TransactionTestCase):
    databases = ("default", "other")

    serialized_rollback = True

    def test_rows(self):
        write()


class TestLive(LiveServerTestCase):
    databases = ("default", "other")

    def test_live(self):
        assert urllib.request.urlopen(f"{self.live_server_url}/box/").read() == b"1"


@commits
def test_another_thread():
    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert Box.objects.count() == 2


def process(code, *options):
    """A program that has the test database as `connection`; it ends with its standard input."""
    names = ("dbname", "host", "port", "user", "password", "database")
    arguments = {name: value for name, value in connection.get_connection_params().items() if name in names}
    head = PROCESSES[connection.vendor].format(arguments=arguments, **arguments)
    command = [sys.executable, "-c", f"{head}; {code}"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@commits
def test_another_process():
    if "mode=memory" in str(connection.settings_dict["NAME"]):
        pytest.skip("a database in memory is one process's")
    process(f"connection.execute({INSERT!r}); connection.commit()").communicate()
    assert Box.objects.get().content == "of a process"


@commits
def test_schema():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE made (a integer)")
        cursor.execute("INSERT INTO made VALUES (1)")
        cursor.execute("ALTER TABLE restore_shelf ADD COLUMN made integer")
    write()


@commits
def test_schema_editor():
    with connection.schema_editor() as editor:
        editor.delete_model(Box)


@commits
def test_large_tables():
    Box.objects.bulk_create([Box(shelf_id=1, content="x" * 500) for _ in range(2000)])
    Shelf.objects.bulk_create([Shelf(name="x" * 50) for _ in range(5000)])


@commits
def test_an_error_in_a_transaction():
    with pytest.raises(IntegrityError), transaction.atomic():
        Shelf.objects.create(pk=write().shelf_id, name="twice")


@commits
def test_without_autocommit():
    transaction.set_autocommit(False)
    write()


@commits
@postgresql
def test_odd_tables():
    with connection.cursor() as cursor:
        cursor.execute("""
            DELETE FROM odd_child;
            UPDATE odd_parent SET a = a + 10;
            INSERT INTO odd_parent (a) VALUES (3);
            INSERT INTO odd_empty (parent) SELECT max(id) FROM odd_parent;
            INSERT INTO odd_empty_child (parent) SELECT max(id) FROM odd_empty;
            INSERT INTO "Odd name" VALUES (1, 'a'), (2, 'b');
            DELETE FROM odd_part WHERE id = 2;
            SELECT nextval('odd_sequence');
            INSERT INTO odd.elsewhere VALUES (1);
        """)


@commits
@postgresql
@pytest.mark.parametrize("twin", [1, 2])
def test_the_session(twin):
    with connection.cursor() as cursor:
        timeout = "FROM pg_settings WHERE name = 'statement_timeout'"
        cursor.execute(f"SELECT setting = reset_val, pg_try_advisory_lock(1) {timeout}")
        assert cursor.fetchone() == (True, True)
        cursor.execute("SELECT count(*) FROM pg_cursors")
        assert cursor.fetchone() == (0,)
        cursor.execute("CREATE TEMP TABLE temporary (a int)")
        cursor.execute("SET statement_timeout = 77")
        cursor.execute("SET TimeZone = 'Asia/Tokyo'")
        cursor.execute("DECLARE held CURSOR WITH HOLD FOR SELECT 1")
        cursor.execute("LISTEN news")


@commits
@postgresql
def test_the_connection_is_closed_by_the_server():
    write()
    ours = "datname = current_database() AND application_name = 'the test'"
    others = (
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {ours}"
    )
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute(others)


@pytest.fixture(scope="session")
def left_open():
    processes = []
    yield processes
    for one in processes:
        one.wait()
        one.stdout.close()


@pytest.mark.skipif("LOCKED" not in os.environ, reason="fails on purpose")
@pytest.mark.leaks("*")
@commits
def test_leaves_a_lock(left_open):
    code = f"connection.execute({INSERT!r}); print('held', flush=True); input()"
    left_open.append(process(code))
    assert left_open[0].stdout.readline() == b"held\n"
