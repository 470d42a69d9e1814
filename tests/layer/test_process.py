"""State of the process, the interpreter and the warning filters."""

import pytest


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        ("os.chdir('/')", "os.getcwd() != '/'", "process:cwd ('… → '/')"),
        ("sys.path.insert(0, '/x')", "'/x' not in sys.path", "process:sys.path"),
        ("sys.argv = ['x']", "sys.argv != ['x']", "process:sys.argv"),
        ("sys.excepthook = print", "sys.excepthook is not print", "process:sys.excepthook"),
        (
            "sys.setrecursionlimit(900)",
            "sys.getrecursionlimit() == 1000",
            "process:recursion limit (1000 → 900)",
        ),
        ("os.umask(0o077)", "os.umask(0o022) == 0o022", "process:umask (0o22 → 0o77)"),
        ("logging.disable(50)", "logging.root.manager.disable == 0", "process:logging.disable (0 → 50)"),
        (
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            "signal.getsignal(signal.SIGTERM) == signal.SIG_DFL",
            "process:SIGTERM handler",
        ),
        (
            "socket.setdefaulttimeout(3)",
            "socket.getdefaulttimeout() is None",
            "process:socket default timeout (None → 3.0)",
        ),
        ("gc.disable()", "gc.isenabled()", "process:gc.disable() (True → False)"),
        ("import decimal; decimal.getcontext().prec = 3", "True", "process:decimal context"),
    ],
    ids=lambda text: text.split("(")[0] if len(text) < 60 else "",
)
def test_the_process(leaks, polluter, victim, line):
    found = leaks(polluter, victim, head="os.umask(0o022); sys.setrecursionlimit(1000)")

    assert len(found) == 1
    assert all(part in found[0] for part in line.split("…"))


@pytest.mark.parametrize(
    ("polluter", "fixtures"),
    [
        ("monkeypatch.chdir('/'); monkeypatch.syspath_prepend('/x')", "monkeypatch"),
        ("import decimal\nwith decimal.localcontext() as c:\n    c.prec = 3", ""),
        ("with warnings.catch_warnings():\n    warnings.simplefilter('ignore')", ""),
        ("import decimal\ndecimal.Decimal(1) / decimal.Decimal(3)", ""),
    ],
    ids=["monkeypatch", "localcontext", "catch_warnings", "decimal flags"],
)
def test_innocents(leaks, polluter, fixtures):
    assert leaks(polluter, "os.getcwd() != '/'", fixtures=fixtures) == []


def test_warning_filters_outlive_a_test_only_without_pytest_s_plugin(leaks):
    polluter, victim = (
        "warnings.simplefilter('ignore')",
        "warnings.filters[0][:3] != ('ignore', None, Warning)",
    )

    assert leaks(polluter) == []
    (line,) = leaks(polluter, victim, options=("-p", "no:warnings", "-o", "filterwarnings="))
    assert line.startswith("warnings:filters (added [('ignore', None, <class 'Warning'>)]): ")
