"""What fixtures of a class, a module or the session leave is found when they end, and named after them."""

import pytest

SHOP = "mode = 'test'\nrates = {}\n"
VICTIM = """
import os, shop_first, shop_state

def test_victim():
    assert shop_first.mode == 'test'
    assert 'MODE' not in os.environ
    assert shop_state.mode == 'test'
"""
# name -> (tests with a fixture that leaves MODE, who is named, the remedy)
LEAKING = {
    "a class's fixture": (
        """
        @pytest.fixture(scope='class')
        def mode():
            os.environ['MODE'] = 'x'
            yield
        @pytest.mark.usefixtures('mode')
        class TestA:
            def test_one(self):
                assert os.environ['MODE'] == 'x'
            def test_two(self):
                assert os.environ['MODE'] == 'x'
        """,
        "the class fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
    "a module's fixture": (
        """
        @pytest.fixture(autouse=True, scope='module')
        def mode():
            os.environ['MODE'] = 'x'
        def test_one():
            assert os.environ['MODE'] == 'x'
        """,
        "the module fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
    "a fixture that asked for another one": (
        """
        @pytest.fixture(scope='module')
        def patch():
            yield pytest.MonkeyPatch()
        @pytest.fixture(scope='module')
        def mode(patch):
            patch.setenv('MODE', 'x')
        def test_one(mode):
            assert os.environ['MODE'] == 'x'
        """,
        "the module fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
    "setUpClass": (
        """
        class TestA(TestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                os.environ['MODE'] = 'x'
            def test_one(self):
                assert os.environ['MODE'] == 'x'
        """,
        "TestA.setUpClass in test_a.py",
        "undo it in tearDownClass",
    ),
    "setUpTestData": (
        """
        class TestA(TestCase):
            @classmethod
            def setUpTestData(cls):
                os.environ['MODE'] = 'x'
            def test_one(self):
                assert os.environ['MODE'] == 'x'
        """,
        "TestA.setUpClass in test_a.py",
        "undo it in tearDownClass",
    ),
    "setup_class": (
        """
        class TestA:
            @classmethod
            def setup_class(cls):
                os.environ['MODE'] = 'x'
            def test_one(self):
                assert os.environ['MODE'] == 'x'
        """,
        "TestA.setup_class in test_a.py",
        "undo it in teardown_class",
    ),
    "setup_module": (
        """
        def setup_module():
            os.environ['MODE'] = 'x'
        def test_one():
            assert os.environ['MODE'] == 'x'
        """,
        "setup_module in test_a.py",
        "undo it in teardown_module",
    ),
    "setUpModule": (
        """
        def setUpModule():
            os.environ['MODE'] = 'x'
        def tearDownModule():
            pass
        def test_one():
            assert os.environ['MODE'] == 'x'
        """,
        "setUpModule in test_a.py",
        "undo it in tearDownModule",
    ),
    "a decorated fixture": (
        """
        from unittest import mock
        @pytest.fixture(autouse=True, scope='module')
        @mock.patch('shop_state.mode', 'x')
        def mode():
            os.environ['MODE'] = 'x'
        def test_one():
            assert os.environ['MODE'] == 'x'
        """,
        "the module fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
    "a decorated setUpClass": (
        """
        from django.test import override_settings
        class TestA(TestCase):
            @classmethod
            @override_settings(PAGE_SIZE=1)
            def setUpClass(cls):
                super().setUpClass()
                os.environ['MODE'] = 'x'
            def test_one(self):
                assert os.environ['MODE'] == 'x'
        """,
        "TestA.setUpClass in test_a.py",
        "undo it in tearDownClass",
    ),
    "a teardown": (
        """
        @pytest.fixture(autouse=True, scope='module')
        def mode():
            yield
            os.environ['MODE'] = 'x'
        def test_one():
            pass
        """,
        "the module fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
    "a fixture that asks for another in its set-up": (
        """
        @pytest.fixture(scope='module')
        def inner():
            os.environ['INNER'] = 'x'
            yield
            del os.environ['INNER']
        @pytest.fixture(autouse=True, scope='module')
        def mode(request):
            os.environ['MODE'] = 'x'
            os.environ['BEFORE'] = 'x'
            request.getfixturevalue('inner')
            yield
            del os.environ['BEFORE']
        def test_one():
            assert os.environ['MODE'] == 'x'
        """,
        "the module fixture 'mode' in test_a.py",
        "undo it in the fixture, after its yield",
    ),
}
IMPORTS = "import os, shop_state, pytest\nfrom django.test import TestCase\n"


@pytest.fixture
def two_modules(project, run):
    """A function: the code of test_a.py -> the result of a run of it and of a module of victims."""

    def get(code, *options):
        project.makepyfile(shop_state=SHOP, shop_first=SHOP, shop_second=SHOP, test_b=VICTIM)
        project.makepyfile(test_a=code)
        file = project.path / "test_a.py"
        file.write_text(IMPORTS + file.read_text())
        return run(*options)

    return get


@pytest.mark.parametrize("name", LEAKING)
def test_what_it_leaves_is_named_and_reverted(two_modules, name):
    code, title, remedy = LEAKING[name]

    result = two_modules(code)

    assert "failed" not in result.parseoutcomes(), str(result.stdout)
    assert f"1 leak of {title}: environ:MODE (unset → 'x'): {remedy}" in str(result.stdout)
    assert result.parseoutcomes()["errors"] == 1


def test_a_name_of_production_code(two_modules):
    code = """
    @pytest.fixture(autouse=True, scope='module')
    def mode():
        shop_state.mode = 'live'
        shop_state.rates['de'] = 19
        yield
    def test_one():
        assert shop_state.mode == 'live'
    """

    result = two_modules(code)

    assert result.parseoutcomes() == {"passed": 2, "errors": 1}
    title = "the module fixture 'mode' in test_a.py"
    assert f"2 leaks of {title}: attributes:shop_state.mode, attributes:shop_state.rates" in str(
        result.stdout
    )


def test_the_fixture_of_a_conftest_for_the_session(project, run):
    project.makeconftest(
        """
        import os, pytest
        @pytest.fixture(autouse=True, scope='session')
        def mode():
            os.environ['MODE'] = 'x'
        """
    )
    project.makepyfile("def test_one(): pass\n")

    result = run()

    assert "1 leak of the session fixture 'mode' in conftest.py: environ:MODE" in str(result.stdout)


def test_warn_names_the_fixture(two_modules):
    result = two_modules(LEAKING["a class's fixture"][0], "--isolation=warn")

    assert result.parseoutcomes() == {"passed": 3}
    lines = [
        "*1 test: environ:MODE (unset → 'x'): undo it in the fixture*",
        "    the class fixture 'mode' in test_a.py",
    ]
    result.stdout.fnmatch_lines(lines)


def test_a_mark_of_the_class_tolerates_it(two_modules):
    code = LEAKING["setup_class"][0].replace(
        "class TestA", "@pytest.mark.leaks('environ:MODE')\n        class TestA"
    )

    assert two_modules(code).parseoutcomes() == {"passed": 2}


def test_the_test_and_its_fixture_leak_in_one_block(two_modules):
    code = """
    @pytest.fixture(autouse=True, scope='module')
    def mode():
        os.environ['MODE'] = 'x'
    def test_one():
        os.environ['OWN'] = 'x'
    """

    result = two_modules(code)

    assert result.parseoutcomes() == {"passed": 2, "errors": 1}
    text = str(result.stdout)
    assert "1 leak: environ:OWN (unset → 'x'): use monkeypatch.setenv()\n1 leak of the module fixture" in text


def test_a_test_leaves_what_a_fixture_held_before(two_modules, project):
    """A state that was seen while the fixture lived is not the one that was noted for the test."""
    project.makepyfile(
        shop_mode="""
        mode = 'test'

        def use(value):
            global mode
            mode = value
        """
    )
    code = """
    import shop_mode

    class TestA:
        @pytest.fixture(autouse=True, scope='class')
        @classmethod
        def mode(cls):
            shop_mode.use('x')
            yield
            shop_mode.use('test')
        def test_one(self): pass
    def test_two(): shop_mode.use('x')
    def test_victim(): assert shop_mode.mode == 'test'
    """

    assert two_modules(code).parseoutcomes() == {"passed": 4}


# name -> tests whose fixtures leave nothing
INNOCENT = {
    "undone after the yield": """
        @pytest.fixture(autouse=True, scope='module')
        def mode():
            before = shop_state.mode
            shop_state.mode = os.environ['MODE'] = 'x'
            shop_state.rates['de'] = 1
            yield
            shop_state.mode = before
            shop_state.rates.clear()
            del os.environ['MODE']
        def test_one(): assert shop_state.mode == 'x'
        """,
    "MonkeyPatch.context()": """
        @pytest.fixture(autouse=True, scope='class')
        def mode():
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv('MODE', 'x')
                patch.setattr(shop_state, 'mode', 'x')
                yield
        class TestA:
            def test_one(self): assert shop_state.mode == 'x'
        """,
    "a MonkeyPatch of the module or session, used by another fixture": """
        @pytest.fixture(scope='session')
        def monkeysession():
            patch = pytest.MonkeyPatch()
            yield patch
            patch.undo()
        @pytest.fixture(scope='session')
        def of_session(monkeysession): monkeysession.setenv('REGION', 'x')
        @pytest.fixture(scope='module')
        def monkeymodule():
            with pytest.MonkeyPatch.context() as patch:
                yield patch
        @pytest.fixture(scope='module')
        def mode(monkeymodule):
            monkeymodule.setenv('SHOP', 'x')
            monkeymodule.setattr(shop_state, 'mode', 'x')
        @pytest.fixture(scope='module', params=['a', 'b'])
        def rate(request, mode, monkeymodule): monkeymodule.setitem(shop_state.rates, 'de', request.param)
        @pytest.fixture(scope='module')
        def by_name(request): request.getfixturevalue('monkeymodule').setenv('NAMED', 'x')
        def test_one(rate, by_name): assert shop_state.mode == 'x' and os.environ['SHOP']
        def test_two(of_session): assert os.environ['REGION'] == 'x'
        """,
    "two patches of one name, by fixtures of two scopes": """
        from unittest import mock
        @pytest.fixture(autouse=True, scope='module')
        def of_module():
            patch = mock.patch('shop_state.mode', 'x')
            patch.start()
            yield
            patch.stop()
        @pytest.fixture(scope='class')
        def of_class():
            patch = mock.patch('shop_state.mode', 'y')
            yield patch.start()
            patch.stop()
        class TestA:
            def test_one(self, of_class): assert shop_state.mode == 'y'
        def test_two(): assert shop_state.mode == 'x'
        """,
    "a patch that is the first to import its module": """
        from unittest import mock
        @pytest.fixture(autouse=True, scope='module')
        def of_module():
            with mock.patch('shop_first.mode', 'x'):
                yield
        class TestA(TestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                cls.patch = mock.patch('shop_second.mode', 'x')
                cls.patch.start()
            @classmethod
            def tearDownClass(cls):
                cls.patch.stop()
                super().tearDownClass()
            def test_one(self):
                import shop_first, shop_second
                assert shop_first.mode == shop_second.mode == 'x'
        def test_two():
            import shop_second
            assert shop_second.mode == 'test'
        """,
    "addClassCleanup": """
        class TestA(TestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                os.environ['MODE'] = 'x'
                cls.addClassCleanup(os.environ.pop, 'MODE')
                cls.shared = ['a']
            def test_one(self): assert self.shared
        """,
    "a patch that is stopped": """
        from unittest import mock
        class TestA:
            @classmethod
            def setup_class(cls):
                cls.patch = mock.patch.object(shop_state, 'mode', 'x')
                cls.patch.start()
            @classmethod
            def teardown_class(cls): cls.patch.stop()
            def test_one(self): assert shop_state.mode == 'x'
        """,
    "overridden settings of a class": """
        from django.test import override_settings
        @override_settings(PAGE_SIZE=3)
        class TestA(TestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                cls.size = 3
            def test_one(self): pass
        """,
    "a server with its thread": """
        import threading, http.server
        @pytest.fixture(scope='module')
        def server():
            made = http.server.HTTPServer(('127.0.0.1', 0), http.server.BaseHTTPRequestHandler)
            thread = threading.Thread(target=made.serve_forever, args=(0.01,))
            thread.start()
            yield made
            made.shutdown()
            thread.join()
            made.server_close()
        def test_one(server): pass
        def test_two(server): pass
        """,
    "a file that it removes": """
        from pathlib import Path
        @pytest.fixture(autouse=True, scope='module')
        def file():
            path = Path('upload.txt')
            path.write_text('a')
            yield path
            path.unlink()
        def test_one(file): assert file.read_text() == 'a'
        """,
    "a child that it ends": """
        import subprocess, sys
        @pytest.fixture(scope='module')
        def child():
            with subprocess.Popen(['sleep', '60']) as made:
                yield made
                made.kill()
        def test_one(child): pass
        """,
    "its own bookkeeping": """
        calls = []
        @pytest.fixture(autouse=True, scope='class')
        def note():
            calls.append('set up')
            yield
            calls.append('torn down')
        class TestA:
            def test_one(self): pass
        class TestB:
            def test_one(self): pass
        """,
    "a parameter each": """
        @pytest.fixture(scope='module', params=['a', 'b'])
        def mode(request):
            os.environ['MODE'] = request.param
            yield
            del os.environ['MODE']
        def test_one(mode): assert os.environ['MODE']
        def test_two(mode): assert os.environ['MODE']
        """,
    "asked for by a running test": """
        @pytest.fixture(scope='module')
        def mode():
            os.environ['MODE'] = 'x'
            yield
            del os.environ['MODE']
        def test_one(request): request.getfixturevalue('mode')
        def test_two(): assert os.environ['MODE']
        """,
    "skipped in its set-up": """
        @pytest.fixture(autouse=True, scope='module')
        def mode(): pytest.skip('not here')
        def test_one(): pass
        """,
}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_it_undoes_is_not_named(two_modules, name):
    result = two_modules(INNOCENT[name])

    assert not {"failed", "errors"} & {*result.parseoutcomes()}, str(result.stdout)
    assert "this part failed" not in str(result.stdout)


ROWS = """
    from django.contrib.auth.models import Group, Permission

    @pytest.fixture(scope='module', autouse=True)
    def groups(django_db_setup, django_db_blocker):
        with django_db_blocker.unblock():
            Group.objects.create(name='staff')
            yield
            {teardown}

    @pytest.mark.django_db
    def test_one():
        assert Group.objects.count() == 1
"""


@pytest.mark.parametrize("name", ["groups", "django_db_setup"])
def test_rows_that_a_module_leaves_are_removed(two_modules, project, name):
    """Those of a django_db_setup need no deletion (database/restore.py); others are named."""
    code = ROWS.format(teardown="pass").replace("groups(", f"{name}(")
    project.makepyfile(
        test_c="""
        import pytest
        from django.contrib.auth.models import Group

        @pytest.mark.django_db
        def test_victim():
            assert not Group.objects.exists()
        """
    )

    result = two_modules(code)

    if name == "django_db_setup":
        assert result.parseoutcomes() == {"passed": 3}
        return
    assert result.parseoutcomes() == {"passed": 3, "errors": 1}
    line = (
        f"1 leak of the module fixture '{name}' in test_a.py: database:auth_group (1 row more): delete them"
    )
    assert line in str(result.stdout)


def test_rows_that_a_module_deletes(two_modules):
    result = two_modules(ROWS.format(teardown="Group.objects.all().delete()"))

    assert result.parseoutcomes() == {"passed": 2}
