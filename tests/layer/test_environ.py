"""Environment variables."""

import ast
import importlib
import sys
import textwrap

import pytest
import zygote


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        (
            "os.environ['PAYMENTS'] = 'off'",
            "'PAYMENTS' not in os.environ",
            "environ:PAYMENTS (unset → 'off'): use monkeypatch.setenv()",
        ),
        (
            "del os.environ['PLACE']",
            "os.environ['PLACE'] == '/x'",
            "environ:PLACE ('/x' → unset): use monkeypatch.delenv()",
        ),
        (
            "os.environ['PLACE'] = '/y'",
            "os.environ['PLACE'] == '/x'",
            "environ:PLACE ('/x' → '/y'): use monkeypatch.setenv()",
        ),
        (
            "os.environ['PAYMENTS_API_KEY'] = 'sk_live_1'",
            "True",
            "environ:PAYMENTS_API_KEY (unset → ***): use monkeypatch.setenv()",
        ),
        (
            "os.environ['BROKER'] = 'amqp://me:pw@host/'",
            "True",
            "environ:BROKER (unset → 'amqp://***@host/'): use monkeypatch.setenv()",
        ),
    ],
    ids=["set", "deleted", "changed", "secret", "password in a URL"],
)
def test_a_variable(leaks, polluter, victim, line):
    assert leaks(polluter, victim, head="os.environ['PLACE'] = '/x'") == [line]


def test_the_time_zone_of_the_process_is_set_back(leaks):
    polluter = "os.environ['TZ'] = 'Asia/Tokyo'; time.tzset()"

    (line,) = leaks(polluter, "time.tzname[0] == 'UTC'", head="os.environ['TZ'] = 'UTC'; time.tzset()")

    assert line.startswith("environ:TZ ('UTC' → 'Asia/Tokyo')")


def test_monkeypatch_is_innocent(leaks):
    polluter = "monkeypatch.setenv('PAYMENTS', 'off'); monkeypatch.delenv('PATH')"

    assert leaks(polluter, "'PAYMENTS' not in os.environ", fixtures="monkeypatch") == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("os.environ['A'] = '1'", {"A"}),
        ("os.environ['A'] += ':/x'", {"A"}),
        ("os.environb[b'A'] = b'1'", {"A"}),
        ("del os.environ['A']", {"A"}),
        ("os.environ.setdefault('A', '1'); shop.os.environ.pop('B', None)", {"A", "B"}),
        ("self.addCleanup(os.environ.pop, 'A', None)", {"A"}),
        ("os.environ.update(A='1'); os.environ.update({'B': '1'}); os.environ.update(dict(C='1'))", {*"ABC"}),
        ("os.environ |= {'A': '1'}", {"A"}),
        ("os.putenv('A', '1'); os.unsetenv('B')", {"A", "B"}),
        ("monkeypatch.setenv('A', '1'); monkeypatch.delenv('B')", {"A", "B"}),
        ("monkeypatch.setitem(os.environ, 'A', '1'); monkeypatch.delitem(os.environ, 'B')", {"A", "B"}),
        ("with mock.patch.dict(os.environ, {'A': '1'}, B='1'): pass", {"A", "B"}),
        ("import os as system; system.environ['A'] = '1'", {"A"}),
        ("from os import environ as env; env['A'] = env.get('B')", {"A"}),
        # What only reads.
        ("print(os.environ['A'], os.environ.get('A'), 'A' in os.environ, os.environ.copy().pop('A'))", set()),
        ("env = {**os.environ, 'A': '1'}; env = dict(os.environ, A='1'); env = os.environ | env", set()),
        ("assert os.environ; [*os.environ]; [name for name in os.environ]; f'{os.environ}'", set()),
        ("subprocess.run('x', env=os.environ); Popen('x', **os.environ)", set()),
        ("os.environ = {}", set()),
        # The environment of something else.
        ("request.environ['A'] = '1'; environ['A'] = '1'; self.environ.clear()", set()),
        # What undoes itself.
        ("monkeypatch.setenv(name, '1')\nwith mock.patch.dict(os.environ, values): pass", set()),
        # Any.
        ("os.environ[name] = '1'", {None}),
        ("del os.environ[name]", {None}),
        ("os.environ.pop(f'A_{name}')", {None}),
        ("os.environ.update(values)", {None}),
        ("os.environ.update({**values})", {None}),
        ("os.environ.update(**values)", {None}),
        ("os.environ |= values", {None}),
        ("os.environ.clear()", {None}),
        ("put = os.environ.setdefault", {None}),
        ("environ = os.environ", {None}),
        ("configure(os.environ)", {None}),
        ("configure(environ=os.environ)", {None}),
        ("def get(): return os.environ", {None}),
        ("load_dotenv(); environ.Env.read_env()", {None}),
    ],
)
def test_the_variables_that_a_file_may_set(source, found):
    if "hermetic" not in sys.modules:
        zygote.hermetic()
    get = importlib.import_module("hermetic.variables").variables
    imports = importlib.import_module("hermetic.places").imports
    nodes = [*ast.walk(ast.parse(source))]

    assert get(nodes, imports(nodes, "")) == found


# Production code that sets a default when it is imported, and code of a test that names the environment.
LAZY = "import os\nos.environ.setdefault('LIBRARY_HOME', '/y')"


@pytest.mark.parametrize(
    "polluter",
    [
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'settings')",
        "from django.test import RequestFactory; RequestFactory().get('/').environ['LIBRARY_HOME'] = '1'",
        "assert os.environ.get('LIBRARY_HOME') is None; env = {**os.environ, 'LIBRARY_HOME': '/x'}",
        "monkeypatch.setenv('PAYMENTS', 'off')",
    ],
)
def test_a_variable_that_production_code_sets_is_innocent(leaks, polluter):
    assert (
        leaks(
            f"{polluter}; import lazy",
            "'LIBRARY_HOME' not in os.environ",
            fixtures="monkeypatch",
            files={"lazy": LAZY},
        )
        == []
    )


@pytest.mark.parametrize("call", ["helpers.put(LIBRARY_HOME='/x')", "helpers.put_home()"])
def test_a_variable_that_a_helper_of_tests_sets_is_named(leaks, project, call):
    (project.mkpydir("tests") / "helpers.py").write_text(
        textwrap.dedent(
            """
            import os
            def put(**values): os.environ.update(values)
            def put_home(): os.environ['LIBRARY_HOME'] = '/x'
            """
        )
    )

    assert leaks(call, "'LIBRARY_HOME' not in os.environ", head="from tests import helpers") == [
        "environ:LIBRARY_HOME (unset → '/x'): use monkeypatch.setenv()"
    ]


def test_several_leaks_are_one_block(project, run):
    project.makepyfile(
        """
        import os, socket

        def test_two():
            os.environ['A'] = '1'
            os.environ['B'] = '2'
            global _s
            _s = socket.create_server(('127.0.0.1', 0))
        """
    )

    result = run()

    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines_random(
        [
            r"3 leaks: environ:A, environ:B, sockets:127\.0\.0\.1:\d+$",
            r"  environ:A \(unset → '1'\): use monkeypatch\.setenv\(\)$",
            r"  sockets:127\.0\.0\.1:\d+ \(listening\): close it, or use it as a context manager$",
        ]
    )
    assert "ExceptionGroup" not in str(result.stdout)


def test_a_test_file_outside_of_the_root(project, run, tmp_path_factory):
    """As pytest's -c and --rootdir allow it."""
    file = tmp_path_factory.mktemp("elsewhere") / "test_it.py"
    file.write_text("import os\n\ndef test_polluter():\n    os.environ['LEAK'] = 'yes'\n")

    result = run("-c", str(project.path / "tox.ini"), f"--rootdir={project.path}", str(file))

    assert "1 leak: environ:LEAK (unset → 'yes'): use monkeypatch.setenv()" in str(result.stdout)
