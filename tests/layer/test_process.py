"""State of the process, the interpreter and the warning filters."""

import pytest

HEAD = """
os.umask(0o022); sys.setrecursionlimit(1000)
CWD, NOTED, ENVIRON = os.getcwd(), sys.path, os.environ

def stop(*args): pass
"""


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        ("os.chdir('/')", "os.getcwd() != '/'", "process:cwd ('… → '/')"),
        ("sys.path.insert(0, '/x')", "'/x' not in sys.path", "process:sys.path"),
        ("sys.path = ['/x'] + sys.path", "'/x' not in sys.path and sys.path is NOTED", "process:sys.path"),
        ("sys.argv = ['x']", "sys.argv != ['x']", "process:sys.argv"),
        ("setattr(sys, 'argv', ['x'])", "sys.argv != ['x']", "process:sys.argv"),
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
            "process:SIGTERM handler (SIG_DFL → SIG_IGN)",
        ),
        (
            "signal.signal(signal.SIGTERM, stop)",
            "signal.getsignal(signal.SIGTERM) == signal.SIG_DFL",
            "process:SIGTERM handler (SIG_DFL → stop)",
        ),
        (
            "socket.setdefaulttimeout(3)",
            "socket.getdefaulttimeout() is None",
            "process:socket default timeout (None → 3.0)",
        ),
        ("gc.disable()", "gc.isenabled()", "process:gc.disable() (True → False)"),
        ("import decimal; decimal.getcontext().prec = 3", "True", "process:decimal context"),
        ("from decimal import getcontext as c; c().prec = 3", "True", "process:decimal context"),
        ("tmpdir.chdir()", "os.getcwd() == CWD", "process:cwd"),
        ("list(map(os.chdir, ['/']))", "os.getcwd() == CWD", "process:cwd"),
        ("exec('os.chdir(\"/\")')", "os.getcwd() == CWD", "process:cwd"),
        (
            "os.environ = {**os.environ, 'A': '1'}",
            "os.environ is ENVIRON and 'A' not in os.environ",
            "process:os.environ (replaced): use monkeypatch.setenv()",
        ),
    ],
    ids=lambda text: text.split("(")[0] if len(text) < 60 else "",
)
def test_the_process(leaks, polluter, victim, line):
    fixtures = "tmpdir" if "tmpdir" in polluter else ""
    found = leaks(polluter, victim, head=HEAD, fixtures=fixtures)

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


# Production code that sets a part of the process, as its import or a command of it does.
PROD = """
import decimal, gc, locale, logging, os, signal, socket, sys

def umask(mask):
    before = os.umask(mask)
    os.umask(before)
    return before

def state():
    return [
        os.getcwd(), sys.argv[:], sys.excepthook, sys.getrecursionlimit(), umask(0o22),
        logging.root.manager.disable, locale.setlocale(locale.LC_ALL), decimal.getcontext().prec,
        socket.getdefaulttimeout(), gc.isenabled(), signal.getsignal(signal.SIGTERM), id(os.environ),
    ]

class Command:
    def handle(self, *args): pass
    def chdir(self): os.chdir('/')
    def argv(self): sys.argv.append('x')
    def excepthook(self): sys.excepthook = print
    def limit(self): sys.setrecursionlimit(5000)
    def umask(self): os.umask(0o077)
    def locale(self):
        locale.setlocale(locale.LC_ALL, 'C' if locale.setlocale(locale.LC_ALL) != 'C' else 'C.UTF-8')
    def logging(self): logging.disable(50)
    def decimal(self): decimal.getcontext().prec = 3
    def timeout(self): socket.setdefaulttimeout(10)
    def gc(self): gc.disable()
    def signal(self): signal.signal(signal.SIGTERM, self.handle)
    def environ(self): os.environ = dict(os.environ)

command = Command()
"""


@pytest.mark.parametrize(
    "polluter",
    [
        "command.chdir()",
        "monkeypatch.chdir('.'); command.chdir()",
        "command.argv()",
        "assert sys.argv; command.argv()",
        "assert sys.excepthook; command.excepthook()",
        "command.limit()",
        "command.umask()",
        "import locale; user = mock.Mock(); user.locale = locale.LC_ALL; command.locale()",
        "assert logging.root.manager.disable == 0; command.logging()",
        "import decimal; decimal.Decimal('1.5'); command.decimal()",
        "assert socket.socket; command.timeout()",
        "gc.collect(); command.gc()",
        "command.signal(); os.kill(os.getpid(), signal.SIGTERM)",
        "assert os.environ; command.environ()",
    ],
)
def test_production_code_is_innocent(leaks, polluter):
    head = "from prod import command, state; START = state()"

    assert leaks(polluter, "state() == START", head=head, fixtures="monkeypatch", files={"prod": PROD}) == []


def test_warning_filters_outlive_a_test_only_without_pytest_s_plugin(leaks):
    polluter, victim = (
        "warnings.simplefilter('ignore')",
        "warnings.filters[0][:3] != ('ignore', None, Warning)",
    )

    assert leaks(polluter) == []
    (line,) = leaks(polluter, victim, options=("-p", "no:warnings", "-o", "filterwarnings="))
    assert line.startswith("warnings:filters (added [('ignore', None, <class 'Warning'>)]): ")
