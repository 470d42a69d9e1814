"""Options, marks, and how errors of others, and of the guard, are kept to the test they belong to."""

import ast
import gc
import importlib
from pathlib import Path

import pytest
import zygote

LEAKING = """
import os

def test_one():
    os.environ['LEAK'] = '1'

def test_two():
    assert 'LEAK' not in os.environ
"""
LINE = "environ:LEAK (unset → '1'): use monkeypatch.setenv()"


def append(file, line):
    file.write_text(f"{file.read_text()}\n{line}\n")


def test_fail_is_the_default(project, run):
    project.makepyfile(LEAKING)

    result = run()

    result.assert_outcomes(passed=2, errors=1)
    assert f"1 leak: {LINE}" in str(result.stdout)
    assert "ERROR test_fail_is_the_default.py::test_one - Leaked: 1 leak: environ:LEAK" in str(result.stdout)


@pytest.mark.parametrize("how", ["option", "ini"])
def test_warn_lists_leaks_at_the_end(project, run, how):
    project.makepyfile(LEAKING)
    if how == "ini":
        append(project.path / "tox.ini", "isolation = warn")

    result = run(*["--isolation=warn"][: how == "option"])

    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(
        ["*isolation: 1 leak in 1 test, reverted*", f"1 test: {LINE}", "    *::test_one"]
    )


def test_off_leaves_the_leak(project, run):
    project.makepyfile(LEAKING)

    run("--isolation=off").assert_outcomes(passed=1, failed=1)


def test_a_wrong_mode_is_refused_in_a_sentence(project, run):
    append(project.path / "tox.ini", "isolation = loud")

    assert "ERROR: The ini option isolation is 'loud': make it fail, warn or off." in str(run().stdout)


def test_the_report_counts(project, run):
    project.makepyfile(
        """
        import os, shop, socket, pytest

        def test_one():
            os.environ['LEAK'] = '1'
            shop.expensive('a')

        def test_two():
            socket.getaddrinfo('a.example', 1)
        """
    )

    result = run("--isolation-report", "--tb=no")

    result.stdout.fnmatch_lines(["*isolation report*"])
    text = str(result.stdout)
    assert "    1  reported  environ:LEAK" in text
    assert "    1  reset  shop.expensive (memoised)" in text
    assert "    1  blocked  A test tried to resolve the host name 'a.example'." in text


@pytest.mark.parametrize("how", ["mark", "ini"])
def test_a_tolerated_leak(project, run, how):
    """A mark reverts it all the same; isolation_keep lets it live."""
    mark = "import pytest\n\n@pytest.mark.leaks('environ:*')" if how == "mark" else "import pytest"
    kept = "not in" if how == "mark" else "in"
    project.makepyfile(
        f"import os\n{mark}\ndef test_one():\n    os.environ['LEAK'] = '1'\n\n"
        f"def test_two():\n    assert 'LEAK' {kept} os.environ\n"
    )
    if how == "ini":
        append(project.path / "tox.ini", "isolation_keep = environ:LEAK")

    run().assert_outcomes(passed=2)


def test_xfail_hides_no_leak(project, run):
    project.makepyfile(
        """
        import os, pytest

        @pytest.mark.xfail
        def test_one():
            os.environ['LEAK'] = '1'
            assert 0
        """
    )

    result = run()

    result.assert_outcomes(xfailed=1, errors=1)


def test_state_of_a_broader_fixture_is_its_own(project, run):
    project.makepyfile(
        """
        import os, pytest

        @pytest.fixture(scope='module')
        def mode():
            os.environ['MODE'] = 'x'
            yield
            del os.environ['MODE']

        def test_one(mode):
            pass

        def test_two(request):
            request.getfixturevalue('mode')
        """
    )

    run().assert_outcomes(passed=2)


def test_a_broader_fixture_that_a_running_test_asks_for(project, run):
    project.makepyfile(
        """
        import os, pytest

        @pytest.fixture(scope='session')
        def mode():
            os.environ['MODE'] = 'x'
            yield
            del os.environ['MODE']

        def test_one(request):
            request.getfixturevalue('mode')

        def test_two():
            assert os.environ['MODE']
        """
    )

    run().assert_outcomes(passed=2)


def test_an_error_in_a_reset_fails_that_test_alone(project, run):
    """A cache that raises is not there for the test either; every other test runs as without us."""
    project.makepyfile(
        broken="""
        from django.contrib.contenttypes.models import ContentTypeManager

        fail = False
        clear_cache = ContentTypeManager.clear_cache

        def broken(manager):
            global fail
            if fail:
                fail = False
                raise OSError('the cache is gone')
            clear_cache(manager)
        """,
        test_it="""
        import broken, pytest

        broken.ContentTypeManager.clear_cache = broken.broken

        def test_one():
            broken.fail = True

        def test_two(tmp_path):
            pass

        def test_three(tmp_path):
            pass
        """,
    )
    append(project.path / "tox.ini", "isolation_keep = attributes:broken.fail")

    result = run()

    assert result.parseoutcomes() == {"passed": 2, "errors": 1}
    assert "OSError: the cache is gone" in str(result.stdout)
    assert "ERROR test_it.py::test_two" in str(result.stdout)


def test_an_error_in_what_hears_of_an_event_reaches_no_test(project, run):
    project.makepyfile(
        plug="""
        from hermetic.probes.files import Files

        def touched(self, path):
            raise OSError('gone')

        Files.touched = touched
        """,
        test_it="""
        from pathlib import Path

        def test_one(): Path('a').write_text('x')
        """,
    )

    result = run("-p", "plug")

    result.assert_outcomes(passed=1)
    assert "isolation: this part failed and is off: files: OSError: gone" in str(result.stdout)


@pytest.mark.parametrize("moment", ["note", "leaks"])
def test_a_probe_that_raises_is_off_and_said_so(project, run, moment):
    project.makeconftest(
        f"""
        from hermetic.probes.environ import Environ

        def broken(self):
            raise TypeError('renamed')

        Environ.{moment} = broken
        """
    )
    project.makepyfile(
        """
        import os

        def test_one(tmp_path):
            os.environ['LEAK'] = '1'

        def test_two():
            os.chdir('/')
        """
    )

    result = run()

    result.assert_outcomes(passed=2, errors=1)
    assert "isolation: this part failed and is off: environ: TypeError: renamed" in str(result.stdout)
    assert "1 leak: process:cwd" in str(result.stdout)


def test_without_static_url_nothing_breaks(project, run):
    settings = project.path / "settings.py"
    settings.write_text(
        settings.read_text().replace("StaticFilesStorage", "ManifestStaticFilesStorage")
        + "\nSTATIC_URL = None\n"
    )
    project.makepyfile("""
        def test_one(tmp_path):
            pass

        def test_two():
            pass
        """)

    run().assert_outcomes(passed=2)


MIGRATION = """
from django.db import migrations

def fail(apps, schema_editor):
    raise ValueError("no rates")

class Migration(migrations.Migration):
    operations = [migrations.RunPython(fail)]
"""
SQLITE = '"ENGINE": "django.db.backends.sqlite3", "NAME": '
DATABASES = {
    "a file that cannot be created": (
        f'DATABASES["default"] = {{{SQLITE}"/proc/nowhere/a", "TEST": {{"NAME": "/proc/nowhere/b"}}}}',
        "unable to open database file",
    ),
    "a server that cannot be reached": (
        'DATABASES["default"] = {"ENGINE": "unreachable", "NAME": "shop"}',
        "connection refused",
    ),
    "a migration that fails": ('INSTALLED_APPS.append("taxes")', "no rates"),
}
ENGINE = """
from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

class DatabaseWrapper(base.DatabaseWrapper):
    def connect(self):
        raise OperationalError("connection refused")
"""


@pytest.mark.parametrize(("lines", "error"), DATABASES.values(), ids=DATABASES)
def test_a_broken_database_fails_the_tests_that_use_it(project, run, lines, error):
    append(project.path / "settings.py", lines)
    project.makepyfile(
        **{"taxes/__init__": "", "taxes/migrations/__init__": "", "taxes/migrations/0001_initial": MIGRATION},
        **{"unreachable/__init__": "", "unreachable/base": ENGINE},
    )
    project.makepyfile(
        """
        import os, pytest

        @pytest.mark.django_db
        def test_one():
            pass

        def test_two(tmp_path):
            pass

        def test_three():
            os.environ['LEAK'] = '1'
        """
    )

    result = run()

    assert result.parseoutcomes() == {"passed": 2, "errors": 2}
    assert error in str(result.stdout)
    assert f"1 leak: {LINE}" in str(result.stdout)
    assert "assert not self._finalizers" not in str(result.stdout)


def test_a_database_without_a_driver_harms_no_test_that_does_not_use_it(project, run):
    append(project.path / "settings.py", "DATABASES['other'] = {'ENGINE': 'nowhere', 'NAME': 'a'}")
    project.makepyfile("def test_one(tmp_path):\n    pass\n\ndef test_two():\n    pass\n")

    run().assert_outcomes(passed=2)


def test_what_django_sets_on_a_test_case_is_left_alone(project, run):
    project.makepyfile(
        """
        from django.test import TestCase

        class TestA(TestCase):
            def test_one(self):
                self.client.cookies['a'] = '1'
            def test_two(self):
                assert not self.client.cookies
                self.client.cookies['a'] = '1'
            def test_three(self):
                assert not self.client.cookies
        """
    )

    assert "reset" not in str(run("--isolation-report").stdout)


def test_a_run_without_django_is_left_alone(project, run):
    project.makeini("[pytest]\naddopts = -p hermetic.plugin -p no:cacheprovider\n")
    project.makepyfile(LEAKING.replace("not in", "in"))

    run().assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("started_patches", "patches"),
        ("encoded_environ", "environ"),
        ("signal_handler", "process"),
        ("base_temporary_folder", "files"),
        ("settings_object", "attributes"),
    ],
)
def test_a_rename_upstream_costs_one_probe(project, run, name, part):
    """Not the start of pytest, and no test."""
    project.makeconftest(
        f"""
        from hermetic import compat

        def renamed(*args):
            raise compat.Renamed('{name} is gone')

        compat.{name} = renamed
        """
    )
    project.makepyfile(
        "def test_one(tmp_path):\n    pass\n\ndef test_two():\n    import sys; sys.argv = []\n"
    )

    result = run()

    assert f"isolation: this part failed and is off: {part}: Renamed: {name} is gone" in str(result.stdout)
    result.assert_outcomes(passed=2, errors=0 if part == "process" else 1)


def test_without_its_fixture_async_rollback_is_off_and_said_so(project, run):
    project.makepyfile(
        plug="""
        from hermetic import compat

        def renamed(*args):
            raise compat.Renamed('the fixture is gone')

        compat.transaction_fixture = renamed
        """,
        test_it="def test_one(tmp_path):\n    pass\n",
    )

    result = run("-p", "plug")

    result.assert_outcomes(passed=1)
    assert "isolation: this part failed and is off: rollback: the fixture is gone" in str(result.stdout)


def test_a_storage_whose_inside_was_renamed_is_emptied_all_the_same(leaks):
    head = """
    from django.core.files.base import ContentFile
    from django.core.files.storage import default_storage
    from hermetic import compat
    def renamed(*args): raise compat.Renamed("gone")
    compat.stored_files = renamed
    """
    polluter = "default_storage.save('a/b', ContentFile(b'')); default_storage.save('c', ContentFile(b''))"

    assert leaks(polluter, "default_storage.listdir('') == ([], [])", head=head) == []


def test_a_part_that_is_switched_off_is_said_at_the_start(project, run):
    project.makepyfile("def test_one(): pass")
    sentence = "isolation: -p no: switched off hermetic-rollback, so tests may leak"

    assert sentence in str(run("-p", "no:hermetic-rollback").stdout)
    assert "switched off" not in str(run().stdout)


OUTSIDE = """
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"},
    "rows": {"BACKEND": "django.core.cache.backends.db.DatabaseCache", "LOCATION": "cache"},
}
CELERY_BROKER_URL = "amqp://127.0.0.1:1"
"""


def test_settings_that_reach_outside_are_said_at_the_start(project, run):
    project.makepyfile("def test_one(): pass")
    assert "reach outside" not in str(run().stdout)
    settings = project.path / "settings.py"
    before = settings.read_text()
    settings.write_text(f"{before}{OUTSIDE}")

    line = next(line for line in run().outlines if "reach outside" in line)

    assert line == (
        "isolation: settings lets tests reach outside by CACHES['default'] "
        "(django.core.cache.backends.redis.RedisCache), CELERY_BROKER_URL, without CELERY_TASK_ALWAYS_EAGER"
    )
    settings.write_text(f"{before}{OUTSIDE}CELERY_TASK_ALWAYS_EAGER = True\nCACHES.pop('default')\n")
    assert "reach outside" not in str(run().stdout)


@pytest.mark.parametrize(
    ("broker", "outside"),
    [
        (["amqp://127.0.0.1:1", "amqp://127.0.0.1:2"], True),
        (("memory://", "amqp://127.0.0.1:1"), True),
        ("memory://;amqp://127.0.0.1:1", True),
        (["memory://"], False),
        ("memory://", False),
        (None, False),
    ],
    ids=str,
)
def test_several_brokers(project, run, broker, outside):
    project.makepyfile("def test_one(): pass")
    with (project.path / "settings.py").open("a") as settings:
        settings.write(f"\nCELERY_BROKER_URL = {broker!r}\nCHANNEL_LAYERS = None\n")

    result = run()

    result.assert_outcomes(passed=1)
    assert ("reach outside by CELERY_BROKER_URL" in str(result.stdout)) == outside


@pytest.mark.parametrize("name", ["sorted", "open", "print", "min", "zip", "set", "callable", "issubclass"])
def test_a_builtin_that_a_test_replaced(leaks, name):
    """Without the guard, pytest itself ends with an error for most of them."""
    (line,) = leaks(f"import builtins; builtins.{name} = None", f"{name} is not None")

    assert line == f"attributes:builtins.{name} ({name} → None): use monkeypatch.setattr(builtins, ...)"


def test_a_patch_of_a_builtin_is_one_leak(leaks):
    (line,) = leaks("mock.patch('builtins.ascii').start()", "ascii(1) == '1'")

    assert line.startswith("patches:builtins.ascii (still patched)")


def test_a_coroutine_that_is_not_awaited_fails_its_own_test_only(project, run):
    """As async middleware in a sync chain leaves one (Django's documentation on async middleware)."""
    project.makepyfile(
        """
        async def view(request):
            return 200

        def middleware(request):
            return view(request).status_code

        def test_guilty():
            middleware(None)

        def test_next():
            pass

        def test_last():
            pass
        """
    )

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=2, failed=1)
    assert "'coroutine' object has no attribute 'status_code'" in str(result.stdout)
    assert "was never awaited" not in str(result.stdout)


def test_no_syntax_tree_of_a_test_file_is_kept():
    zygote.hermetic()
    testcode = importlib.import_module("hermetic.testcode")

    def nodes():
        gc.collect()
        return sum(issubclass(type(one), ast.AST) for one in gc.get_objects())

    before = nodes()
    changes = testcode.Changes(Path(__file__), None)

    assert nodes() == before
    assert "importlib" in changes.mentioned


@pytest.mark.parametrize("option", ["--setup-plan", "--setup-only", "--setup-show", "--collect-only"])
def test_options_that_show_a_run(project, run, option):
    """--setup-plan sets up no fixture, so each has the value None."""
    project.makepyfile(
        """
        import pytest
        from django.contrib.auth.models import Group
        from django.test import TestCase

        @pytest.fixture(scope='module')
        def group(django_db_setup, django_db_blocker):
            with django_db_blocker.unblock():
                group = Group.objects.create(name='staff')
                yield
                group.delete()

        @pytest.mark.django_db
        def test_rows(group):
            pass

        @pytest.mark.django_db
        async def test_async(async_client):
            pass

        @pytest.mark.django_db(transaction=True)
        def test_commits():
            pass

        class TestGroups(TestCase):
            def test_one(self):
                pass
        """
    )

    result = run(option)

    assert not {"failed", "errors"} & {*result.parseoutcomes()}, str(result.stdout)
    assert result.ret == 0
