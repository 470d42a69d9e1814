"""Rollback, seeds and reused databases: what a single run can show. The rest is tests/projects."""

import contextlib
import sqlite3
import textwrap

import pytest

GROUPS = """
import asyncio
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from hermetic import acreate, run_async, seed
"""


def groups(code: str) -> str:
    return GROUPS + textwrap.dedent(code)


ASYNC = """
@pytest.mark.django_db
@pytest.mark.parametrize('n', [1, 2])
async def test_one(n):
    assert not await Group.objects.aexists()
    await Group.objects.acreate(name='a')
"""


def test_async_rows_roll_back(project, run):
    project.makepyfile(groups(ASYNC))

    run().assert_outcomes(passed=2)


def test_the_part_is_switched_off_by_its_name(project, run):
    project.makepyfile(groups(ASYNC))

    assert "failed" in run("-p", "no:hermetic-rollback").parseoutcomes()


def test_a_test_may_add_a_database_of_its_own(project, run):
    """As tests of migrations do: nothing of it is in the transaction, and it is gone with its file."""
    project.makepyfile(
        groups("""
        from django.db import connections

        @pytest.mark.django_db
        def test_one(tmp_path):
            default = connections.databases['default']
            connections.databases['extra'] = {**default, 'NAME': str(tmp_path / 'extra.sqlite3')}
            connection = connections['extra']
            del connections.databases['extra']  # Else Django refuses it.
            try:
                with connections['extra'].cursor() as cursor:
                    cursor.execute('SELECT 1')
            finally:
                connection.close()
                del connections['extra']
        """)
    )

    run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("changed", "is_one"),
    [
        ({}, True),
        ({"USER": "b"}, True),
        ({"NAME": "b"}, False),
        ({"HOST": "b"}, False),
        ({"PORT": 5499}, False),
        ({"vendor": "sqlite"}, False),
    ],
)
def test_which_aliases_are_one_database(project, run, changed, is_one):
    project.makepyfile(
        f"""
        from types import SimpleNamespace
        from hermetic.database import restore

        def alias(vendor="postgresql", **changed):
            settings = {{"HOST": "a", "PORT": 5432, "NAME": "a", "USER": "a", "TEST": {{"MIRROR": None}}}}
            return SimpleNamespace(vendor=vendor, settings_dict={{**settings, **changed}})

        def test_one(monkeypatch):
            databases, image = restore.RestoredDatabases(), SimpleNamespace(connection=alias())
            databases.images["default"] = image
            monkeypatch.setattr(restore, "connections", {{"other": alias(**{changed!r})}})
            monkeypatch.setattr(restore, "IMAGES", {{}})

            assert databases.new_image("other") is {"image" if is_one else None}
        """
    )

    run().assert_outcomes(passed=1)


def test_a_database_that_only_other_settings_have(project, run):
    project.makepyfile(
        groups("""
        from django.test import TransactionTestCase

        @pytest.mark.skip('needs two databases')
        class TwoTest(TransactionTestCase):
            databases = {'default', 'replica'}

            def test_one(self):
                pass

        @pytest.mark.django_db(transaction=True)
        def test_two():
            Group.objects.create(name='a')
        """)
    )

    run().assert_outcomes(skipped=1, passed=1)


def test_another_thread_is_refused(project, run):
    project.makepyfile(
        groups("""
        @pytest.mark.django_db
        async def test_one():
            await asyncio.to_thread(Group.objects.count)
        """)
    )

    result = run()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*ConnectionBlocked: Thread 'asyncio_0' tried to open its own connection to database 'default'; "
            "its writes would be committed, not rolled back with the test. Use sync_to_async "
            "(thread-sensitive by default), or mark the test @pytest.mark.django_db(transaction=True)."
        ]
    )


def test_a_seed_is_made_once_and_copied(project, run):
    project.makepyfile(
        groups("""
        made = []

        @seed
        def shop():
            made.append(1)
            return SimpleNamespace(group=Group.objects.create(name='a'))

        @pytest.mark.django_db
        @pytest.mark.parametrize('n', [1, 2])
        def test_one(shop, n):
            assert shop.group.name == 'a'
            shop.group.name = 'b'
            shop.group.save()
            assert made == [1]
        """)
    )

    run().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("two", "@seed\ndef one(): ...\n\n@seed\ndef two(one): ..."),
        ("two", "@seed\nasync def two(*, one): ..."),
        ("TestIn.rows", "class TestIn:\n    @seed\n    def rows(self): ..."),
        ("TestIn.rows", "class TestIn:\n    @seed\n    @staticmethod\n    def rows(): ..."),
        ("TestIn.rows", "class TestIn:\n    @seed\n    @classmethod\n    def rows(cls): ..."),
    ],
)
def test_a_seed_with_arguments_is_refused(project, run, name, code):
    project.makepyfile(f"{GROUPS}\n{code}\n\ndef test_one(): ...\n")

    result = run()

    result.assert_outcomes(errors=1)
    assert f"TypeError: A seed takes no arguments: make '{name}' a function of the module" in str(
        result.stdout
    )


def test_a_seed_that_can_be_called_is_innocent(project, run):
    project.makepyfile(
        groups("""
        from unittest import mock

        @seed
        def default(name='a', *rest, **more):
            return Group.objects.create(name=name)

        @seed
        @mock.patch('os.getcwd')
        def wrapped(getcwd):
            return Group.objects.create(name='b')

        class Groups:
            @classmethod
            def method(cls):
                return Group.objects.create(name='c')

        method = seed(Groups.method)

        @pytest.mark.django_db
        def test_one(default, wrapped, method):
            assert Group.objects.count() == 3
        """)
    )

    run().assert_outcomes(passed=1)


def test_an_ordinary_fixture_overrides_a_seed_of_the_same_name(project, run):
    project.makeconftest(
        groups("""
        @seed
        def users():
            return SimpleNamespace(group=Group.objects.create(name='seed'))
        """)
    )
    project.makepyfile(
        groups("""
        @pytest.fixture
        def users(db):
            return 'mine'

        def test_one(users):
            assert users == 'mine'
            assert not Group.objects.exists()

        @pytest.mark.django_db(transaction=True)
        def test_commits(users):
            pass
        """)
    )

    run().assert_outcomes(passed=2)


def test_a_test_that_commits_is_refused_beside_a_seed(project, run):
    project.makepyfile(
        groups("""
        @seed
        def shop():
            return 1

        @pytest.mark.django_db(transaction=True)
        def test_commits():
            pass
        """)
    )

    result = run()

    result.assert_outcomes(errors=1)
    assert "test_commits commits, but its module is one open transaction, for the seed 'shop'" in str(
        result.stdout
    )


def test_rows_in_a_reused_database_stop_the_run(project, run):
    settings = project.path / "settings.py"
    settings.write_text(settings.read_text().replace('":memory:"', '"d", "TEST": {"NAME": "kept.sqlite3"}'))
    project.makepyfile(
        groups("""
        @pytest.mark.django_db
        def test_one(django_db_blocker):
            pass
        """)
    )
    run("--reuse-db").assert_outcomes(passed=1)
    with sqlite3.connect(project.path / "kept.sqlite3") as connection:
        connection.execute("INSERT INTO auth_group (name) VALUES ('left')")
    connection.close()

    text = str(run("--reuse-db").stdout)

    assert "holds rows that an earlier run left behind (auth_group: 1): run once with --create-db" in text
    run("--reuse-db", "--create-db").assert_outcomes(passed=1)


@pytest.mark.parametrize("scope", ["session", "module", "function"])
@pytest.mark.parametrize("use", ["mark", "set-up"])
def test_the_development_database_is_never_touched(project, run, scope, use):
    """A django_db_setup that does nothing stands in documents: the run ends before its first query."""
    settings = project.path / "settings.py"
    settings.write_text(settings.read_text().replace('":memory:"', '"db.sqlite3"'))
    with contextlib.closing(sqlite3.connect(project.path / "db.sqlite3")) as connection:
        connection.execute("CREATE TABLE auth_group (id integer primary key, name text)")
        connection.execute("INSERT INTO auth_group (name) VALUES ('mine')")
        connection.commit()
    before = (project.path / "db.sqlite3").read_bytes()
    body = (
        "pass" if use == "mark" else "django_db_blocker.unblock().__enter__(); Group.objects.all().delete()"
    )
    project.makeconftest(
        f"{GROUPS}\n@pytest.fixture(scope='{scope}')\ndef django_db_setup(django_db_blocker):\n    {body}\n"
    )
    project.makepyfile(
        groups(
            """
        @pytest.mark.django_db(transaction=True)
        def test_one():
            Group.objects.all().delete()

        @pytest.mark.django_db
        def test_two():
            Group.objects.create(name="a")
        """
        )
    )

    text = str(run().stdout)

    assert (
        "Tests would use the database 'db.sqlite3' of the settings (default), since django_db_setup in "
        in text
    )
    assert "conftest.py:" in text
    assert "add django_db_setup to its arguments. Nothing was changed." in text
    assert "1 passed" not in text
    assert (project.path / "db.sqlite3").read_bytes() == before


def test_a_database_that_no_test_declares_is_not_the_development_one(project, run):
    settings = project.path / "settings.py"
    settings.write_text(settings.read_text().replace('":memory:"', '"db.sqlite3"'))
    project.makepyfile(
        groups(
            """
        def test_one(request):
            request.getfixturevalue("db")
            Group.objects.count()
        """
        )
    )

    text = str(run().stdout)

    assert (
        "Tests would use the database 'db.sqlite3' of the settings (default), since pytest-django creates"
        in text
    )
    assert "mark the test with @pytest.mark.django_db" in text
    assert not (project.path / "db.sqlite3").exists()


def test_a_set_up_that_asks_for_pytest_djangos_is_innocent(project, run):
    settings = project.path / "settings.py"
    settings.write_text(settings.read_text().replace('":memory:"', '"db.sqlite3"'))
    project.makeconftest(
        f"{GROUPS}\n@pytest.fixture(scope='session')\n"
        "def django_db_setup(django_db_setup, django_db_blocker):\n"
        "    with django_db_blocker.unblock():\n        Group.objects.create(name='a')\n"
    )
    project.makepyfile(
        groups(
            """
        @pytest.mark.django_db
        def test_one():
            assert Group.objects.count() == 1
        """
        )
    )

    run().assert_outcomes(passed=1)
    assert not (project.path / "db.sqlite3").exists()


BEHIND = """
import pytest
from django.contrib.auth.models import Group
from django.db import connection
from hermetic import seed

{seed}

@pytest.mark.django_db
def test_commits():
    Group.objects.create(name="a")
    {commit}

@pytest.mark.django_db
def test_rolls_back():
    Group.objects.create(name="b")

@pytest.mark.django_db
def test_after():
    assert not Group.objects.filter(name="b").exists()
    assert Group.objects.filter(name="seed").count() == {rows}
"""
SEED = "@seed\ndef one():\n    return Group.objects.create(name='seed')"


@pytest.mark.parametrize("seed", ["", SEED], ids=["alone", "seed"])
@pytest.mark.parametrize(
    "commit",
    [
        "connection.cursor().execute('COMMIT')",
        "connection.connection.commit()",
        "connection.connection.executescript('SELECT 1')",
    ],
    ids=["COMMIT", "commit()", "executescript()"],
)
def test_a_commit_behind_djangos_back_is_named(project, run, commit, seed):
    project.makepyfile(BEHIND.format(commit=commit, seed=seed, rows=int(bool(seed))))

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    assert "1 leak: database:default (its transaction ended by COMMIT, commit() or executescript()" in str(
        result.stdout
    )
    assert "ERROR test_a_commit_behind_djangos_back_is_named.py::test_commits" in str(result.stdout)


def test_what_was_committed_with_a_seed_is_undone_after_its_module(project, run):
    """In a run with tests that commit: others have no image of the database."""
    guilty = BEHIND.format(commit="connection.cursor().execute('COMMIT')", seed=SEED, rows=1)
    beside = """
        @pytest.mark.django_db
        def test_beside():
            assert not Group.objects.exists()

        @pytest.mark.django_db(transaction=True)
        def test_commits():
            assert not Group.objects.exists()
    """
    project.makepyfile(test_a=guilty, test_b=groups(beside))

    run("-p", "no:randomly").assert_outcomes(passed=5, errors=1)


@pytest.mark.parametrize("seed", ["", SEED], ids=["alone", "seed"])
def test_a_block_left_open_is_named(project, run, seed):
    commit = "from django.db import transaction; transaction.atomic().__enter__()"
    project.makepyfile(BEHIND.format(commit=commit, seed=seed, rows=int(bool(seed))))

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    assert "1 leak: database:default (a transaction left open, rolled back)" in str(result.stdout)


def test_savepoints_errors_and_no_query_are_innocent(project, run):
    project.makepyfile(
        groups(
            """
        from django.db import IntegrityError, connection, transaction

        @pytest.mark.django_db
        def test_nothing():
            pass

        @pytest.mark.django_db
        def test_savepoint():
            with transaction.atomic():
                Group.objects.create(name="a")
            with pytest.raises(IntegrityError), transaction.atomic():
                Group.objects.create(name="a")

        @pytest.mark.django_db(transaction=True)
        def test_commits():
            Group.objects.create(name="a")
        """
        )
    )

    run().assert_outcomes(passed=3)


KEPT = """
@pytest.fixture(scope="{scope}")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        Group.objects.create(name="kept")

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n", [1, 2])
def test_commits(n):
    assert Group.objects.get().name == "kept"
    assert Group.objects.create(name="mine").pk == 2
    Group.objects.filter(name="kept").delete()
"""
BESIDE = """
@pytest.mark.django_db
def test_beside():
    assert not Group.objects.exists()
    assert Group.objects.create(name="a").pk == 1
"""


@pytest.mark.parametrize("scope", ["session", "module", "class"])
def test_rows_of_a_set_up_are_there_in_each_test_that_commits(project, run, scope):
    files = {"test_kept": groups(KEPT.replace("{scope}", scope))}
    if scope != "session":
        files |= {"test_a_beside": groups(BESIDE), "test_z_beside": groups(BESIDE)}
    project.makepyfile(**files)

    run("-p", "no:randomly").assert_outcomes(passed=2 if scope == "session" else 4)


SCHEMAS = """
from django.db import connection
from django.contrib.auth.models import User

@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement)
        Group.objects.create(name="kept")

def content():
    with connection.cursor() as cursor:
        names = cursor.execute("SELECT name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
        tables = [name for name, sql in names if sql and sql.startswith("CREATE") and "TABLE" in sql]
        quoted = ['"' + name.replace('"', '""') + '"' for name in tables]
        rows = [cursor.execute(f"SELECT * FROM {name} ORDER BY 1").fetchall() for name in quoted]
        return names, rows, cursor.execute("PRAGMA user_version").fetchone()

@pytest.fixture(scope="session")
def noted():
    return []

CHANGES = {
    "nothing": "SELECT 1",
    "rows": "INSERT INTO auth_group (name) VALUES ('mine')",
    "a row of the set-up": "UPDATE auth_group SET name = 'mine' WHERE name = 'kept'",
    "no rows": "DELETE FROM auth_group",
    "the numbers": "UPDATE sqlite_sequence SET seq = 77",
    "no numbers": "DELETE FROM sqlite_sequence",
    "a table": "CREATE TABLE mine (a int)",
    "an index": "CREATE INDEX mine ON auth_group (name)",
    "a trigger": "CREATE TRIGGER mine AFTER DELETE ON auth_permission BEGIN DELETE FROM auth_group; END",
    "a temporary table": "CREATE TEMP TABLE auth_user (id int)",
    "statistics": "ANALYZE",
    "a version": "PRAGMA user_version = 7",
}

@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("number", range(2 * len(CHANGES)))
def test_commits(number, noted):
    if noted:
        assert content() == noted[0]
    noted.append(content())
    User.objects.create(username="another")
    with connection.cursor() as cursor:
        cursor.execute(list(CHANGES.values())[number // 2])
        cursor.execute("DROP TABLE IF EXISTS temp.auth_user")
"""


TRIGGER = "CREATE TRIGGER made AFTER DELETE"
NUMBERS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c LIMIT 5000)"


@pytest.mark.parametrize(
    "statements",
    [
        [],
        ["CREATE TABLE \"odd ' \"\" name\" (id integer primary key)", "CREATE TABLE held (a, b)"],
        ["CREATE TABLE child (a integer REFERENCES auth_group (id) ON DELETE RESTRICT)"],
        ["CREATE TABLE w (a integer PRIMARY KEY) WITHOUT ROWID"],
        ["CREATE TABLE made (a)", f"{TRIGGER} ON auth_user BEGIN INSERT INTO made VALUES (1); END"],
        ["CREATE VIRTUAL TABLE words USING fts5(word)"],
        [f"CREATE TABLE many AS {NUMBERS} SELECT x FROM c"],
        [f"CREATE TABLE t{number} (a)" for number in range(600)],
    ],
    ids=["plain", "odd", "restrict", "no row ids", "trigger", "virtual", "many rows", "many tables"],
)  # fmt: skip
def test_whatever_a_test_commits_to_sqlite_is_undone(project, run, statements):
    project.makepyfile(groups(f"STATEMENTS = {statements!r}\n{SCHEMAS}"))

    run("-p", "no:randomly").assert_outcomes(passed=24)


WIDER = """
from django.contrib.auth.models import User
from django.db import connection, models
from django.test import TransactionTestCase

class Made(models.Model):
    name = models.CharField(max_length=9)

    class Meta:
        app_label = "made"

def query(sql):
    with connection.cursor() as cursor:
        return cursor.execute(sql).fetchall()

def make():
    with connection.schema_editor() as editor:
        editor.create_model(Made)
    query("CREATE TRIGGER made AFTER INSERT ON auth_user BEGIN INSERT INTO made_made VALUES (9, 't'); END")
    query("ALTER TABLE auth_group ADD COLUMN made DEFAULT 7")
    Made.objects.create(name="kept")

def remove():
    query("DROP TRIGGER made")
    query("ALTER TABLE auth_group DROP COLUMN made")
    with connection.schema_editor() as editor:
        editor.delete_model(Made)

def write():
    assert [one.name for one in Made.objects.all()] == ["kept"]
    Group.objects.create(name="a")
    assert query("SELECT made FROM auth_group") == [(7,)]
    query("CREATE TABLE own (a)")
    query("DROP TABLE auth_group_permissions")
    User.objects.create(username="a")
    assert Made.objects.count() == 2

@pytest.fixture(scope="SCOPE")
def wide(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        User.objects.create(username="wide")
        make()
        yield
        User.objects.filter(username="wide").delete()
        remove()

class TestFixture:
    @pytest.mark.parametrize("n", [1, 2, 3])
    @pytest.mark.django_db(transaction=True)
    def test_commits(self, n, wide):
        write()
        assert User.objects.count() == (2 if n == 1 else 1)  # As Django's flush has it.
"""
CASE = """
class TestCase(TransactionTestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        make()

    @classmethod
    def tearDownClass(cls):
        remove()
        super().tearDownClass()

    def test_one(self):
        write()

    def test_two(self):
        write()
"""
AFTER_WIDER = """
from django.contrib.auth.models import User
from django.db import connection

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_after(n):
    assert not {"made_made", "own"} & {*connection.introspection.table_names()}
    assert not User.objects.exists()
    User.objects.create(username="a")
    Group.objects.create(name="a").permissions.add(1)
"""


OWN_SET_UP = """
@pytest.fixture(scope="module")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        Group.objects.create(name="of the module")
"""


@pytest.mark.parametrize(("scope", "case", "passed"), [("module", "", 7), ("class", CASE, 9)])
def test_the_schema_that_a_wider_fixture_made_lives_as_long_as_the_fixture(project, run, scope, case, passed):
    wider = WIDER.replace("SCOPE", scope) + case
    own = AFTER_WIDER.replace("permissions.add(1)", "user_set.count()") + OWN_SET_UP
    project.makepyfile(test_a=groups(wider), test_b=groups(own), test_c=groups(AFTER_WIDER))

    run("-p", "no:randomly").assert_outcomes(passed=passed)


def test_rows_of_a_module_do_not_come_back_with_the_schema_of_a_session(project, run):
    """The session's table stays, so nothing says that the module's fixture has removed its rows."""
    project.makeconftest(groups(SESSION))
    project.makepyfile(test_a_module=groups(MODULE), test_b_after=groups(AFTER_MODULE))

    run("-p", "no:randomly").assert_outcomes(passed=4)


SESSION = """
from django.db import connection

@pytest.fixture(scope="session", autouse=True)
def view(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("CREATE VIEW names AS SELECT name FROM auth_group")
"""
MODULE = """
from django.db import connection

@pytest.fixture(scope="module", autouse=True)
def row(view, django_db_blocker):
    with django_db_blocker.unblock():
        Group.objects.create(name="of the module")
        yield
        Group.objects.all().delete()

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_commits(n):
    Group.objects.create(name="a")
"""
AFTER_MODULE = """
from django.db import connection

@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.django_db(transaction=True)
def test_after(n):
    with connection.cursor() as cursor:
        assert cursor.execute("SELECT * FROM names").fetchall() == []
"""


@pytest.mark.parametrize("day", ["2020-01-01", "2020-99-99"])
def test_a_date_that_is_none_is_undone(project, run, day):
    """SQLite keeps any text, which the converters of Django's connection refuse."""
    project.makepyfile(
        groups(f"""
        from django.db import connection

        def query(sql):
            with connection.cursor() as cursor:
                return cursor.execute(sql).fetchall()

        @pytest.fixture(scope="session")
        def django_db_setup(django_db_setup, django_db_blocker):
            with django_db_blocker.unblock():
                query("CREATE TABLE made (day date)")
                query("INSERT INTO made VALUES ('{day}')")

        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("n", [1, 2])
        def test_commits(n):
            assert query("SELECT day || '' FROM made") == [("{day}",)]
            assert not Group.objects.exists()
            query("INSERT INTO made VALUES ('2020-88-88')")
            Group.objects.create(name="a")
        """)
    )

    run().assert_outcomes(passed=2)


def test_an_async_test_that_commits_opens_no_connection(project, run):
    """Its own thread may not query while the loop runs, so asgiref's thread has its connection."""
    project.makepyfile(
        groups("""
        import asyncio
        import threading
        from asgiref.sync import SyncToAsync, sync_to_async
        from django.db import connection, transaction
        from django.db.backends.signals import connection_created

        @pytest.fixture
        def opened():
            opened = []
            note = lambda **kwargs: opened.append(threading.get_ident())
            connection_created.connect(note)
            yield opened
            connection_created.disconnect(note)

        @pytest.mark.django_db(transaction=True)
        @pytest.mark.parametrize("n", range(3))
        async def test_commits(n, opened):
            await Group.objects.acreate(name="a")
            assert not opened

        @pytest.mark.django_db(transaction=True)
        async def test_another_thread_has_its_own():
            @sync_to_async
            def both():
                done = []
                def another():
                    done.append((connection.in_atomic_block, Group.objects.exists()))
                with transaction.atomic():
                    thread = threading.Thread(target=another)
                    thread.start()
                    thread.join()
                return done

            assert await both() == [(False, False)]

        @pytest.mark.django_db(transaction=True)
        async def test_closing_is_innocent():
            await sync_to_async(connection.close)()
            await Group.objects.acreate(name="a")
            assert await asyncio.to_thread(Group.objects.count) == 1

        @pytest.mark.django_db(transaction=True)
        def test_a_sync_test_has_a_connection_for_each_thread():
            worker = SyncToAsync.single_thread_executor
            with transaction.atomic():
                assert worker.submit(lambda: connection.in_atomic_block).result() is False
        """)
    )

    run().assert_outcomes(passed=6)


def test_restoring_is_switched_off_by_its_name(project, run):
    project.makepyfile(groups(KEPT.replace("{scope}", "session")))

    run("-p", "no:hermetic-restore").assert_outcomes(passed=1, failed=1)


def test_rows_of_a_module_are_gone_without_a_test_that_commits(project, run):
    kept = KEPT.replace("{scope}", "module").replace("transaction=True", "").replace("{n}", "")
    project.makepyfile(test_kept=groups(kept), test_z_beside=groups(BESIDE))

    run("-p", "no:randomly").assert_outcomes(passed=3)


def test_a_lock_on_sqlite_is_an_error_that_names_the_thread(project, run):
    settings = project.path / "settings.py"
    settings.write_text(settings.read_text().replace('":memory:"', '"d", "TEST": {"NAME": "t.sqlite3"}'))
    project.makepyfile(
        groups("""
        import threading
        from django.db import connections

        @pytest.fixture(scope="session")
        def go():
            go = threading.Event()
            yield go
            go.set()

        @pytest.mark.leaks("*")
        @pytest.mark.django_db(transaction=True)
        def test_locks(go):
            held = threading.Event()
            def hold():
                connections["default"].set_autocommit(False)
                Group.objects.create(name="held")
                held.set()
                go.wait()
                connections["default"].rollback()
                connections["default"].close()
            threading.Thread(target=hold, name="holder", daemon=True).start()
            held.wait()
        """)
    )

    text = str(run("-p", "no:hermetic-rollback").stdout)

    assert "database 'default' was still locked by the connection of thread 'holder'" in text


def test_a_test_case_with_available_apps(project, run):
    project.makepyfile(
        """
        from django.test import TransactionTestCase

        class TestA(TransactionTestCase):
            available_apps = ['django.contrib.contenttypes', 'django.contrib.auth']

            def test_one(self):
                pass

            def test_two(self):
                pass
        """
    )

    run().assert_outcomes(passed=2)


@pytest.mark.parametrize("mark", ["django_db", "django_db(transaction=True)"])
def test_a_transaction_that_is_left_open_is_named(project, run, mark):
    project.makepyfile(
        f"""
        import pytest
        from django.contrib.auth.models import Group
        from django.db import connection, transaction

        pytestmark = pytest.mark.{mark}

        def test_begins():
            transaction.atomic().__enter__()
            Group.objects.create(name="a")

        def test_victim():
            assert not Group.objects.exists()
            assert len(connection.savepoint_ids) == 0
            with transaction.atomic():
                Group.objects.create(name="b")
            assert connection.in_atomic_block is {mark == "django_db"}

        def test_innocent():
            with pytest.raises(ValueError), transaction.atomic(), transaction.atomic():
                raise ValueError
            assert not Group.objects.exists()
        """
    )

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    text = str(result.stdout)
    assert "1 leak: database:default (a transaction left open, rolled back)" in text
    assert "::test_begins - " in text

    result = run("-p", "no:randomly", "--isolation=warn")

    result.assert_outcomes(passed=3)
    assert "isolation: 1 leak in 1 test" in str(result.stdout)


def test_autocommit_that_stays_off_is_switched_on(project, run):
    """Production code may switch it off, too, and commit for itself."""
    project.makepyfile(
        """
        import pytest
        from django.contrib.auth.models import Group
        from django.db import connection

        pytestmark = pytest.mark.django_db(transaction=True)

        def test_off():
            connection.set_autocommit(False)
            Group.objects.create(name="a")

        def test_victim():
            assert connection.get_autocommit()
            assert not Group.objects.exists()
        """
    )

    run("-p", "no:randomly").assert_outcomes(passed=2)


def test_a_database_that_stays_open_is_named(project, run):
    project.makepyfile(
        """
        import pytest
        from django.contrib.auth.models import Group

        @pytest.fixture(scope="session")
        def opened(django_db_setup, django_db_blocker):
            with django_db_blocker.unblock():
                return Group.objects.count()

        @pytest.mark.django_db
        def test_innocent(opened, django_db_blocker):
            with django_db_blocker.unblock():
                Group.objects.count()

        def test_opens(django_db_setup, django_db_blocker):
            django_db_blocker.unblock()

        def test_victim():
            with pytest.raises(RuntimeError, match="Database access not allowed"):
                Group.objects.count()
        """
    )

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    line = "1 leak: database:django_db_blocker (not restored): use it as a context manager"
    assert line in str(result.stdout)


def test_a_session_that_opens_the_database_is_innocent(project, run):
    project.makeconftest(
        """
        import pytest

        @pytest.fixture(scope="session", autouse=True)
        def opened(django_db_setup, django_db_blocker):
            django_db_blocker.unblock()
        """
    )
    project.makepyfile(
        """
        import pytest
        from django.contrib.auth.models import Group

        @pytest.mark.django_db
        def test_marked():
            Group.objects.count()

        def test_unmarked():
            Group.objects.count()
        """
    )

    run().assert_outcomes(passed=2)
