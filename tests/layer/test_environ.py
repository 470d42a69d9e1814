"""Environment variables."""

import pytest


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
