import asyncio
import gc
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import freezegun.api
import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.core.files.storage import FileSystemStorage
from django.core.files.base import ContentFile
from django.db import connection

from .verdicts import blocked, reported, reset

HERE = Path(__file__).parent
KEPT = HERE / "kept.txt"
KEPT.write_text("as committed\n")
(HERE / "folder").mkdir(exist_ok=True)
(HERE / "folder" / "data.txt").write_text("as committed\n")
stop = threading.Event()
_objects = []


def count_query(execute, sql, params, many, context):
    return execute(sql, params, many, context)


def users():
    return get_user_model().objects


@reported("files:")
class TestFileInWorkingDirectory:
    def test_polluter(self):
        Path("report.csv").write_text("x")

    def test_victim(self):
        assert not Path("report.csv").exists()

    def test_innocent(self, tmp_path):
        (tmp_path / "report.csv").write_text("x")


@reported("files:")
class TestFolderInWorkingDirectory:
    def test_polluter(self):
        os.makedirs("out/deep")
        Path("out/deep/report.csv").write_text("x")

    def test_victim(self):
        assert not Path("out").exists()

    def test_innocent(self):
        os.makedirs("out/deep")
        shutil.rmtree("out")


@reported("files:")
class TestUpload:
    def test_polluter(self):
        FileSystemStorage("media").save("invoice.txt", ContentFile(b"x"))

    def test_victim(self):
        assert not Path("media/invoice.txt").exists()

    def test_innocent(self, tmp_path):
        FileSystemStorage(tmp_path).save("invoice.txt", ContentFile(b"x"))


@reported("(changed)")
class TestFileOverwritten:
    def test_polluter(self):
        KEPT.write_text("spoilt")

    def test_victim(self):
        assert KEPT.read_text() == "as committed\n"

    def test_innocent(self):
        KEPT.write_text("for a moment")
        KEPT.write_text("as committed\n")


@reported("(deleted)")
class TestFileDeleted:
    def test_polluter(self):
        KEPT.unlink()

    def test_victim(self):
        assert KEPT.exists()

    def test_innocent(self, tmp_path):
        shutil.copy(KEPT, tmp_path / "kept.txt").unlink()


@reported("files:")
class TestFileRenamed:
    def test_polluter(self):
        KEPT.rename(HERE / "moved.txt")

    def test_victim(self):
        assert KEPT.exists()
        assert not (HERE / "moved.txt").exists()

    def test_innocent(self):
        KEPT.rename(HERE / "moved.txt").rename(KEPT)


@reported("files:", "renamed to")
class TestFolderRenamed:
    def test_polluter(self):
        (HERE / "folder").rename(HERE / "moved")

    def test_victim(self):
        assert (HERE / "folder" / "data.txt").read_text() == "as committed\n"

    def test_innocent(self):
        (HERE / "folder").rename(HERE / "elsewhere").rename(HERE / "folder")


@reported("files:")
class TestSymlink:
    def test_polluter(self):
        os.symlink(KEPT, HERE / "link.txt")

    def test_victim(self):
        assert not (HERE / "link.txt").is_symlink()

    def test_innocent(self, tmp_path):
        os.symlink(KEPT, tmp_path / "link.txt")


@reported("files:")
class TestSqliteFile:
    def test_polluter(self):
        database = sqlite3.connect(HERE / "lookup.sqlite3")
        database.execute("CREATE TABLE t (x)")
        database.close()

    def test_victim(self):
        assert not (HERE / "lookup.sqlite3").exists()

    def test_innocent(self, tmp_path):
        sqlite3.connect(tmp_path / "lookup.sqlite3").close()


@reported("threads:poller")
class TestThreadLeft:
    cannot_be_undone = "a thread cannot be ended from outside"

    def test_polluter(self):
        stop.clear()
        threading.Thread(target=stop.wait, args=[20], name="poller", daemon=True).start()

    def test_victim(self):
        stop.set()

    def test_innocent(self):
        thread = threading.Thread(target=time.sleep, args=[0.01])
        thread.start()
        thread.join()


@reported("threads:pool_0")
class TestExecutorLeft:
    cannot_be_undone = "a thread cannot be ended from outside"

    def test_polluter(self):
        pool = ThreadPoolExecutor(1, thread_name_prefix="pool")
        pool.submit(int)
        _objects.append(pool)

    def test_victim(self):
        pass

    def test_innocent(self):
        with ThreadPoolExecutor(1, thread_name_prefix="pool") as pool:
            pool.submit(int).result()


@reported("subprocesses:")
class TestSubprocessLeft:
    def test_polluter(self):
        child = subprocess.Popen(["sleep", "30"])
        child.returncode = 0  # Keeps Popen's own ResourceWarning out of this fault.

    def test_victim(self):
        listing = ["ps", "--ppid", str(os.getpid()), "-o", "comm="]
        assert b"sleep" not in subprocess.run(listing, capture_output=True, check=True).stdout

    def test_innocent(self):
        subprocess.run([sys.executable, "-c", ""], check=True)


@reported("subprocesses:")
class TestSubprocessLeftWithAPipe:
    def test_polluter(self):
        with warnings.catch_warnings(action="ignore"):  # Popen's own, as above.
            subprocess.Popen(["sleep", "30"], stdout=subprocess.PIPE)

    def test_victim(self):
        found = [one for one in gc.get_objects() if type(one) is subprocess.Popen]
        assert [one for one in found if one.stdout and not one.stdout.closed] == []

    def test_innocent(self):
        with subprocess.Popen(["true"], stdout=subprocess.PIPE) as child:
            assert child.stdout.read() == b""


@reported("tasks:", "poll")
class TestTaskLeft:
    harmless_without_the_guard = "pytest-asyncio cancels it, which hides the mistake"

    async def test_polluter(self):
        async def poll():
            await asyncio.sleep(30)

        self.task = asyncio.create_task(poll())
        await asyncio.sleep(0)

    async def test_victim(self):
        assert len(asyncio.all_tasks()) == 1

    async def test_innocent(self):
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(0))


@reported("sockets:")
class TestSocketLeftListening:
    def test_polluter(self):
        server = socket.create_server(("127.0.0.1", 0))
        _objects.append(server)

    def test_victim(self):
        assert all(one.fileno() == -1 for one in _objects if isinstance(one, socket.socket))

    def test_innocent(self):
        with socket.create_server(("127.0.0.1", 0)):
            pass


@reported("clock:time_machine.travel()")
class TestClockLeftTravelling:
    def test_polluter(self):
        time_machine.travel(0, tick=False).start()

    def test_victim(self):
        assert time.time() > 1_700_000_000

    def test_innocent(self, time_machine):
        time_machine.move_to(0)
        assert time.time() < 1_700_000_000


@reported("clock:freezegun.freeze_time()")
class TestClockLeftFrozen:
    def test_polluter(self):
        freezegun.freeze_time("2020-01-01").start()

    def test_victim(self):
        assert time.time() > 1_700_000_000
        fakes = {id(found) for name, found in vars(freezegun.api).items() if name.lower().startswith("fake")}
        others = [module for name, module in sys.modules.items() if not name.startswith("freezegun")]
        assert [one for one in others if any(id(value) in fakes for value in vars(one).values())] == []

    def test_innocent(self):
        with freezegun.freeze_time("2020-01-01"):
            assert time.time() < 1_700_000_000


@blocked("pytest.mark.enable_socket")
class TestNetworkByAddress:
    def test_polluter(self):
        socket.create_connection(("192.0.2.1", 80), timeout=0.1)

    def test_victim(self):
        pass

    def test_innocent(self):
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname()).close()


@blocked("pytest.mark.enable_socket", "payments.example")
class TestNetworkByName:
    def test_polluter(self):
        urllib.request.urlopen("http://payments.example/", timeout=0.1)

    def test_victim(self):
        pass

    def test_innocent(self):
        assert socket.getaddrinfo("127.0.0.1", 80)


@blocked("pytest.mark.enable_socket")
class TestNetworkAsync:
    async def test_polluter(self):
        await asyncio.open_connection("192.0.2.1", 80)

    async def test_victim(self):
        pass

    async def test_innocent(self):
        server = await asyncio.start_server(lambda *streams: None, "127.0.0.1", 0)
        server.close()
        await server.wait_closed()


@blocked("isolation: the network is blocked")
class TestDatagram:
    def test_polluter(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as metrics:
            metrics.sendto(b"orders:1|c", ("192.0.2.1", 8125))

    def test_victim(self):
        """A datagram leaves nothing here."""

    def test_innocent(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as metrics:
            metrics.sendto(b"orders:1|c", ("127.0.0.1", 8125))


@reported("database:default.force_debug_cursor")
@pytest.mark.django_db
class TestDebugCursor:
    def test_polluter(self):
        connection.force_debug_cursor = True

    def test_victim(self):
        assert not connection.force_debug_cursor

    def test_innocent(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            users().count()


@reported("database:default.execute_wrappers")
class TestExecuteWrapper:
    def test_polluter(self):
        connection.execute_wrappers.append(count_query)

    def test_victim(self):
        assert connection.execute_wrappers == []

    def test_innocent(self):
        with connection.execute_wrapper(count_query):
            assert connection.execute_wrappers == [count_query]


@reset()
@pytest.mark.django_db
class TestAsyncRow:
    async def test_polluter(self):
        await users().acreate(username="leak")

    async def test_victim(self):
        assert await users().acount() == 0

    async def test_innocent(self):
        await users().acreate(username="leak")


@reset()
@pytest.mark.django_db
class TestRowBySyncToAsync:
    async def test_polluter(self):
        await sync_to_async(users().create)(username="leak")

    def test_victim(self):
        assert users().count() == 0

    async def test_innocent(self):
        await sync_to_async(users().create)(username="leak")


@blocked("not rolled back with the test")
@pytest.mark.django_db
class TestRowFromThread:
    def test_polluter(self):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(users().create, username="leak").result()

    def test_victim(self):
        assert users().count() == 0

    def test_innocent(self):
        users().create(username="leak")


@blocked("not rolled back with the test")
@pytest.mark.django_db
class TestRowThreadSensitiveOff:
    async def test_polluter(self):
        await sync_to_async(users().create, thread_sensitive=False)(username="leak")

    async def test_victim(self):
        assert await users().acount() == 0

    async def test_innocent(self):
        await sync_to_async(users().create)(username="leak")
