"""Files, sockets, threads, subprocesses, tasks, clocks and patches that outlive their test."""

import sys
import textwrap

import pytest

# Where a test keeps what it leaves alive: no leak for these tests.
KEPT = ("-o", "isolation_keep=attributes:sys.kept")


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        (
            "Path('report.csv').write_text('x')",
            "not Path('report.csv').exists()",
            "files:report.csv (created): write to tmp_path, or use an in-memory storage",
        ),
        ("import tempfile; tempfile.mkstemp()", "True", "files:/tmp/tmp* (created)"),
        ("import tempfile; tempfile.mkstemp('.csv')", "True", "files:/tmp/tmp*.csv (created)"),
        ("Path('uploads').mkdir()", "not Path('uploads').exists()", "files:uploads (created)"),
        (
            "from django.core.files.storage import FileSystemStorage\n"
            "with open('urls.py') as file: FileSystemStorage('media').save('a', file)",
            "not Path('media').exists()",
            "files:media (created)",
        ),
        ("Path('urls.py').write_text('x')", "Path('urls.py').read_text() != 'x'", "files:urls.py (changed)"),
        ("Path('urls.py').unlink()", "Path('urls.py').exists()", "files:urls.py (deleted)"),
        ("Path('link').symlink_to('urls.py')", "not Path('link').is_symlink()", "files:link (created)"),
    ],
    ids=[
        "created",
        "temporary",
        "temporary, with a suffix",
        "folder",
        "upload",
        "changed",
        "deleted",
        "link",
    ],
)
def test_files(leaks, polluter, victim, line):
    (found,) = leaks(polluter, victim)

    assert found.startswith(line)


def test_a_folder_that_a_library_makes_once_stays(project, leaks):
    """A search engine remembers that it has made the folder of its index, and would not find it again."""
    library = """
        import os
        def add(text):
            os.makedirs("index/main", exist_ok=True)
            open(f"index/main/{text}", "w").close()
        """
    (project.path / "site-packages").mkdir()
    files = {"site-packages/search": textwrap.dedent(library)}
    head = "sys.path.insert(0, 'site-packages'); import search"

    assert leaks("search.add('a')", "Path('index/main/a').exists()", head=head, files=files) == []


def test_a_temporary_file_that_ends_with_its_object_is_innocent(leaks):
    """Production code leaves a NamedTemporaryFile to the garbage collector, here in a cycle."""
    code = """
        import tempfile
        def fetch():
            file = tempfile.NamedTemporaryFile()
            file.response = {'file': file}
        """

    assert leaks("prod.fetch()", head="import prod", files={"prod": textwrap.dedent(code)}) == []


def test_temporary_files_are_innocent(leaks):
    polluter = "(tmp_path / 'a').write_text('x'); Path('b').write_text('x'); Path('b').unlink()"

    assert leaks(polluter, fixtures="tmp_path") == []


@pytest.mark.parametrize(
    ("made", "line"),
    [
        ("sys.kept.append(socket.create_server(('127.0.0.1', 0)))", "sockets:127.0.0.1:* (listening)"),
        ("sys.kept.append(socket.socket())", "sockets:0.0.0.0:0 (open)"),
        ("sys.kept.extend(socket.socketpair())", "sockets: (connected"),
    ],
    ids=["listening", "open", "pair"],
)
def test_sockets(leaks, made, line):
    found = leaks(made, "all(one.fileno() == -1 for one in sys.kept)", head="sys.kept = []", options=KEPT)

    start, _, end = line.partition("*")
    assert found[0].startswith(start.split(" (connected")[0])
    assert end in found[0]
    assert "use it as a context manager" in found[0]


def test_a_closed_socket_is_innocent(leaks):
    assert leaks("with socket.create_server(('127.0.0.1', 0)): pass") == []


POOL = """
import http.client, http.server, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args): pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
_kept = []

def get():
    if not _kept:
        _kept.append(http.client.HTTPConnection(*server.server_address))
    _kept[0].request("GET", "/")
    return _kept[0].getresponse().read()
"""


def test_the_connection_that_production_code_keeps_is_innocent(leaks):
    """As a pool does. It is not closed either: a module-level session would use the closed socket again."""
    assert leaks("assert api.get() == b''", "api.get() == b''", head="import api", files={"api": POOL}) == []


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="get_event_loop() makes no loop any more")
def test_the_current_event_loop_is_innocent_and_works_on(leaks):
    head = (
        "import warnings; warnings.simplefilter('ignore', DeprecationWarning)\nrun = asyncio.get_event_loop"
    )
    code = "run().run_until_complete(asyncio.wait_for(asyncio.to_thread(time.sleep, 0.05), 5))"

    assert leaks(code, f"{code} is None", head=head) == []


def test_an_event_loop_is_closed_whole(leaks):
    polluter = "asyncio.set_event_loop(asyncio.new_event_loop()); sys.kept.append(asyncio.get_event_loop())"

    assert leaks(polluter, "sys.kept[0].is_closed()", head="sys.kept = []", options=KEPT) == [
        "sockets:event loop (not closed): close it, or use asyncio.run()"
    ]


def test_a_thread_is_named(leaks):
    head = "done = threading.Event()"
    polluter = "threading.Thread(target=done.wait, args=[20], name='poller', daemon=True).start()"

    assert leaks(polluter, "done.set() is None", head=head) == [
        "threads:poller (still running): join() it, or use the executor as a context manager"
    ]


def test_a_thread_that_ends_is_innocent(leaks):
    assert leaks("threading.Thread(target=time.sleep, args=[0.05]).start()") == []


def test_a_subprocess_is_killed(leaks):
    (line,) = leaks(
        "sys.kept.append(subprocess.Popen(['sleep', '20'], stdout=subprocess.PIPE))",
        "sys.kept[0].poll() is not None",
        head="sys.kept = []",
        options=KEPT,
    )

    assert line.startswith("subprocesses:sleep (pid ")
    assert line.endswith("still running): wait() for it, or use Popen as a context manager")


@pytest.mark.parametrize(
    "code",
    [
        "subprocess.run(['true'], check=True)",
        "monkeypatch.setenv('PATH', str(tmp_path)); subprocess.run([sys.executable, '-c', ''], check=True)",
        """
        with mock.patch("subprocess.run") as run:
            subprocess.run(["deploy"])
            subprocess.check_call(["true"])
        run.assert_called_once_with(["deploy"])
        """,
        """
        with mock.patch("subprocess.Popen") as made:
            subprocess.Popen(["deploy"])
            os.waitpid(os.posix_spawn(sys.executable, ["python", "-c", ""], os.environ), 0)
        made.assert_called_once_with(["deploy"])
        """,
    ],
    ids=["finished", "no ps on PATH", "run is mocked", "Popen is mocked"],
)
def test_a_finished_subprocess_is_innocent(leaks, code):
    assert leaks(code, fixtures="monkeypatch, tmp_path") == []


@pytest.mark.parametrize("source", ["", "probe.IS_LINUX = False"], ids=["this system's", "ps"])
def test_a_subprocess_with_an_odd_name_is_named(leaks, source):
    """The kernel shows a process's name as it is, between brackets."""
    polluter = """
    shutil.copy(shutil.which("sleep"), tmp_path / "a (b) S 1")
    sys.kept.append(subprocess.Popen([tmp_path / "a (b) S 1", "20"]))
    """
    head = f"import shutil, hermetic.probes.subprocesses as probe; sys.kept = []; {source}"

    (line,) = leaks(polluter, "sys.kept[0].wait() == -9", head=head, fixtures="tmp_path", options=KEPT)

    assert "a (b) S 1 (pid " in line


def test_a_system_without_ps_costs_no_test(leaks):
    head = "import hermetic.probes.subprocesses as probe; probe.IS_LINUX = False; probe.PS = '/nowhere/ps'"

    assert leaks("subprocess.run([sys.executable, '-c', ''], check=True)", head=head) == []


def test_a_task_is_named(leaks):
    polluter = "sys.kept.append(asyncio.create_task(poll()))\nawait asyncio.sleep(0)"
    head = "sys.kept = []\nasync def poll():\n    await asyncio.sleep(20)"

    assert leaks(polluter, head=head, options=KEPT) == [
        "tasks:poll (still running): await or cancel it, or use asyncio.TaskGroup"
    ]


ASYNC = """
import asyncio

async def numbers():
    for number in range(3):
        await asyncio.sleep(0)
        yield number

async def work(queue):
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.wait_for(queue.get(), 10))

def create(coroutine):
    kept.add(task := asyncio.create_task(coroutine))
    return task

kept = set()
"""
TASKS = {
    "the end of a loop": "async for number in made.numbers(): break",
    "one value": "assert await anext(made.numbers()) == 0",
    "cancelled": "task = made.create(made.work(asyncio.Queue())); await asyncio.sleep(0.01); task.cancel()",
    "cancelled at once": "asyncio.create_task(made.work(asyncio.Queue())).cancel()",
    "the first of several": """
        waiting = {asyncio.create_task(made.work(asyncio.Queue())), asyncio.create_task(asyncio.sleep(0))}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        [task.cancel() for task in pending]
        """,
    "production code's": "made.create(asyncio.sleep(20)); await asyncio.sleep(0)",
}


@pytest.mark.parametrize("name", TASKS)
def test_tasks_that_end_by_themselves_are_innocent(leaks, name):
    polluter = f"await asyncio.sleep(0)\n{textwrap.dedent(TASKS[name]).strip()}"
    keep = ("-o", "isolation_keep=attributes:made.kept")

    assert leaks(polluter, head="import made", files={"made": ASYNC}, options=keep) == []


def test_a_task_and_a_variable_are_one_block(leaks):
    polluter = "sys.kept.append(asyncio.create_task(poll()))\nawait asyncio.sleep(0)\nos.environ['A'] = '1'"
    head = "sys.kept = []\nasync def poll():\n    await asyncio.sleep(20)"

    found = leaks(polluter, head=head, options=KEPT)
    assert [line.partition(" ")[0] for line in found] == ["tasks:poll", "environ:A"]


@pytest.mark.parametrize(
    ("polluter", "line"),
    [
        ("import time_machine; time_machine.travel(0).start()", "clock:time_machine.travel() (False → True)"),
        (
            "import freezegun; freezegun.freeze_time('2020-01-01').start()",
            "clock:freezegun.freeze_time() (0 → 1)",
        ),
    ],
    ids=["time-machine", "freezegun"],
)
def test_clocks(leaks, polluter, line):
    (found,) = leaks(polluter, "time.time() > 1_700_000_000")

    assert found.startswith(line)


def test_patches(leaks):
    assert leaks("mock.patch('shop.new_id').start()", "shop.new_id() != ''") == [
        "patches:shop.new_id (still patched): stop() it, or use the monkeypatch fixture or `with patch(...)`"
    ]


def test_a_patch_of_an_object_is_named_after_its_class(leaks):
    polluter, head = "mock.patch.object(service, 'call').start()", "service = shop.Service()"

    (line,) = leaks(polluter, "service.call() == 'real'", head=head)

    assert line.startswith("patches:shop.Service.call (still patched)")


def test_a_patch_that_ends_is_innocent(leaks):
    assert leaks("with mock.patch('shop.new_id'): pass") == []


def test_a_child_of_multiprocessing_knows_that_it_ended(leaks):
    polluter = """
    import multiprocessing
    child = multiprocessing.get_context('fork').Process(target=time.sleep, args=[20])
    child.start()
    sys.kept.append(child)
    """

    (line,) = leaks(polluter, "sys.kept[0].exitcode == -9", head="sys.kept = []", options=KEPT)

    assert line.startswith("subprocesses:")


def test_a_failed_test_is_not_blamed_for_what_its_traceback_keeps(project, run):
    project.makepyfile(
        """
        import socket

        def listen():
            return socket.create_server(("127.0.0.1", 0))

        def test_fails():
            server = listen()
            assert server is None
        """
    )

    result = run()

    result.assert_outcomes(failed=1)
    assert "leak" not in str(result.stdout)


def test_a_failed_test_is_not_blamed_for_the_executor_that_its_traceback_keeps(project, run):
    project.makepyfile(
        """
        from concurrent.futures import ThreadPoolExecutor
        from asgiref.sync import async_to_sync, sync_to_async

        async def fails():
            await sync_to_async(int)()
            assert False

        def test_fails(): async_to_sync(fails)()

        def test_pool():
            with ThreadPoolExecutor() as pool: assert pool.submit(int).result() == 0
        """
    )

    result = run()

    result.assert_outcomes(failed=1, passed=1)
    assert "leak" not in str(result.stdout)
