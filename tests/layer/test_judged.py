"""Random suites: each test finds what its fixtures set up, and what is left is named, and nothing else.

A suite changes a few values in tests and in fixtures of each scope; some of them undo it. ``Suite`` keeps the
values while it writes the files, and so knows what each test has to find and which leaks there are.
"""

import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

import pytest

SHOP = """
import django.dispatch

saved = django.dispatch.Signal()
fake = type(django)('left')  # No import finds it.

def hear(**kwargs):
    pass

mode = 0
sender = 0
current = 0
rates = {'de': 0}
hooks = [0]
_memo = {}

class Client:
    timeout = 0

client = Client()
client.token = 0

def answer(key):
    return _memo.get(key, 0)

def use(value):
    global current
    current = value
"""
CONFTEST = """
import cmd, json, logging, os, signal, socket, sys
from unittest import mock
import pytest
import shop_state
from django.conf import settings
from django.test import override_settings
from django.utils import translation
from shop_state import saved

sys.setrecursionlimit(1000)
os.environ['MODE'] = '0'
settings.PAGE_SIZE = 0
cmd.Cmd.doc_leader = 0
os.umask(0)

def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask

def state():
    return {
        'environ': int(os.environ['MODE']),
        'attribute': shop_state.mode,
        'container': shop_state.rates['de'],
        'class': shop_state.Client.timeout,
        'setting': settings.PAGE_SIZE,
        'object': shop_state.client.token,
        'list': shop_state.hooks[0],
        'library': cmd.Cmd.doc_leader,
        'umask': umask(),
        'patched': shop_state.sender,
        'private': shop_state.answer('a'),
        'receiver': int(shop_state.saved.has_listeners()),
        'path': sys.path.count('left'),
        'module': int('left' in sys.modules),
        'recursion': sys.getrecursionlimit() - 1000,
        'timeout': int(socket.getdefaulttimeout() or 0),
        'signal': int(signal.getsignal(signal.SIGUSR1) is signal.SIG_IGN),
        'language': ('en', 'de', 'fr').index(translation.get_language()[:2]),
        'logger': logging.getLogger('shop').level,
        'production': shop_state.current,
    }

def pytest_runtest_logreport(report):
    if report.when == 'teardown':
        with open('leaks.jsonl', 'a') as file:
            for key, value in report.user_properties:
                if key == 'isolation warning':
                    print(json.dumps(value[:2]), file=file)
"""
HEAD = """
import cmd, json, logging, os, signal, socket, sys
from unittest import mock
import pytest
import shop_state
from django.utils import translation
from conftest import state
from shop_state import saved
from django.conf import settings
from django.test import SimpleTestCase, override_settings
"""
SCOPES = ("session", "module", "class")
# The last statement of a test, and its outcome.
ENDS = {"pass": "passed", "pytest.fail()": "failed", "pytest.skip()": "skipped"}


class Kind(NamedTuple):
    """One value of the process, and how code sets it: alone, by a MonkeyPatch, and for a ``with`` block.

    ``name``: of its leak; None where the guard reverts it silently, since production code sets it.
    """

    key: str
    name: str | None
    write: str
    patch: str = ""
    context: str = ""
    undo: str = ""
    values: tuple[int, ...] = (0, 1, 2)


KINDS = [
    Kind(
        "environ",
        "environ:MODE",
        "os.environ['MODE'] = str({})",
        "setenv('MODE', str({}))",
        "mock.patch.dict(os.environ, MODE=str({}))",
    ),
    Kind(
        "attribute",
        "attributes:shop_state.mode",
        "shop_state.mode = {}",
        "setattr(shop_state, 'mode', {})",
        "mock.patch('shop_state.mode', {})",
    ),
    Kind(
        "container",
        "attributes:shop_state.rates",
        "shop_state.rates['de'] = {}",
        "setitem(shop_state.rates, 'de', {})",
        "mock.patch.dict(shop_state.rates, de={})",
    ),
    Kind(
        "class",
        "attributes:shop_state.Client.timeout",
        "shop_state.Client.timeout = {}",
        "setattr(shop_state.Client, 'timeout', {})",
        "mock.patch.object(shop_state.Client, 'timeout', {})",
    ),
    Kind(
        "setting",
        "attributes:settings.PAGE_SIZE",
        "settings.PAGE_SIZE = {}",
        "setattr(settings, 'PAGE_SIZE', {})",
        "override_settings(PAGE_SIZE={})",
    ),
    Kind(
        "object",
        "attributes:shop_state.client.token",
        "shop_state.client.token = {}",
        "setattr(shop_state.client, 'token', {})",
        "mock.patch.object(shop_state.client, 'token', {})",
    ),
    Kind("list", "attributes:shop_state.hooks", "shop_state.hooks[:] = [{}]"),
    Kind(
        "library",
        "attributes:cmd.Cmd.doc_leader",
        "cmd.Cmd.doc_leader = {}",
        "setattr(cmd.Cmd, 'doc_leader', {})",
    ),
    Kind("umask", "process:umask", "os.umask({})"),
    Kind("logger", "loggers:shop", "logging.getLogger('shop').setLevel({})"),
    Kind(
        "patched",
        "patches:shop_state.sender",
        "patch = mock.patch('shop_state.sender', {}); patch.start()",
        context="mock.patch('shop_state.sender', {})",
        undo="patch.stop()",
    ),
    Kind(
        "receiver",
        "receivers:shop_state.saved",
        "saved.connect(shop_state.hear); None if {} else saved.disconnect(shop_state.hear)",
        values=(0, 1),
    ),
    Kind(
        "path",
        "process:sys.path",
        "sys.path[:] = [one for one in sys.path if one != 'left'] + ['left'] * {}",
        "setattr(sys, 'path', [one for one in sys.path if one != 'left'] + ['left'] * {})",
        values=(0, 1),
    ),
    Kind(
        "module",
        "modules:left",
        "sys.modules['left'] = shop_state.fake; None if {} else sys.modules.pop('left')",
        values=(1,),
    ),
    Kind("recursion", "process:recursion limit", "sys.setrecursionlimit(1000 + {})"),
    Kind("timeout", "process:socket default timeout", "socket.setdefaulttimeout({} or None)"),
    Kind(
        "signal",
        "process:SIGUSR1 handler",
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN if {} else signal.SIG_DFL)",
        values=(0, 1),
    ),
    Kind(
        "language",
        None,
        "translation.activate(('en', 'de', 'fr')[{}])",
        context="translation.override(('en', 'de', 'fr')[{}])",
    ),
    Kind("private", None, "shop_state._memo['a'] = {}", "setitem(shop_state._memo, 'a', {})"),
    Kind("production", None, "shop_state.use({})"),
]


class Change(NamedTuple):
    """What a test or a fixture changes, and how it ends: leak, undo, patch, context."""

    kind: Kind
    value: int
    how: str

    def lines(self, patch: str, then: list[str]) -> list[str]:
        kind, body = self.kind, [f"    {line}" for line in then]
        write = kind.write.format(self.value)
        if self.how == "leak":
            return [write, *then]
        if self.how == "patch" and kind.patch:
            return [f"{patch}.{kind.patch.format(self.value)}", *then]
        if self.how == "context" and kind.context:
            return [f"with {kind.context.format(self.value)}:", *body]
        undo = kind.undo or kind.write.format(f"before_{kind.key}")
        return [f"before_{kind.key} = state()[{kind.key!r}]", write, "try:", *body, "finally:", f"    {undo}"]


@dataclass
class Suite:
    """Writes the files of a random suite, and keeps what has to happen when it runs."""

    random: Random
    state: dict[str, int] = field(default_factory=lambda: dict.fromkeys([one.key for one in KINDS], 0))
    leaks: set[tuple[str, str]] = field(default_factory=set)
    files: dict[str, str] = field(default_factory=dict)
    outcomes: Counter[str] = field(default_factory=Counter)

    def change(self, *hows: str) -> Change:
        kind = self.random.choice(KINDS)
        return Change(kind, self.random.choice(kind.values), self.random.choice(hows))

    def left(self, change: Change, before: int, where: str) -> None:
        """What it leaves is named, and reverted."""
        is_other = change.value != before or change.kind.key == "patched"
        if change.how == "leak" and is_other and change.kind.name:
            self.leaks.add((where, change.kind.name))
        self.state[change.kind.key] = before

    def scope(self, scope: str, prefix: str, file: str, indent: str = "") -> tuple[list[str], list]:
        """The code of its fixtures, which are now set up, and what ``end`` needs."""
        lines, ends = [], []
        fixture = f"@pytest.fixture(autouse=True, scope={scope!r})"
        patcher = f"patch_of_{scope}"
        for number in range(self.random.randrange(4)):
            change = self.change("leak", "undo", "patch", "context")
            name = f"{prefix}{number}"
            asks = patcher if change.how == "patch" and change.kind.patch else ""
            self_ = "cls, " if indent else ""
            lines += [
                fixture,
                *(["@classmethod"] if indent else []),
                f"def {name}({self_}{asks}):",
                *[f"    {line}" for line in change.lines(patcher, ["yield"])],
            ]
            ends.append((change, self.state[change.kind.key], f"the {scope} fixture {name!r} in {file}"))
            self.state[change.kind.key] = change.value
        return [indent + line for line in lines], ends

    def end(self, ends: list) -> None:
        for change, before, where in reversed(ends):
            self.left(change, before, where)

    def test(self, name: str, where: str, indent: str = "", fixtures: str = "monkeypatch") -> list[str]:
        changes = {}
        for _ in range(self.random.randrange(5)):
            change = self.change("leak", "undo", "context", *(["patch"] if fixtures else []))
            changes[change.kind.key] = change
        end = self.random.choice(["pass"] * 4 + ["pytest.fail()", "pytest.skip()"])
        self.outcomes[ENDS[end]] += 1
        body = [end]
        for change in changes.values():
            body = change.lines("monkeypatch", body)
            self.left(change, self.state[change.kind.key], where)
        body = [f"assert state() == {self.state!r}", *body]
        self_ = "self, " if indent else ""
        word = self.random.choice(["def", "async def"]) if fixtures else "def"
        return [
            f"{indent}{line}"
            for line in [f"{word} {name}({self_}{fixtures}):", *[f"    {line}" for line in body]]
        ]

    def unittest(self, name: str, file: str) -> list[str]:
        change = self.change("leak", "undo")
        if change.kind.undo:
            change = change._replace(how="leak")
        before = self.state[change.kind.key]
        self.state[change.kind.key] = change.value
        lines = [
            f"class {name}(SimpleTestCase):",
            "    @classmethod",
            "    def setUpClass(cls):",
            "        super().setUpClass()",
            f"        cls.before = state()[{change.kind.key!r}]",
            f"        {change.kind.write.format(change.value)}",
        ]
        if change.how == "undo":
            lines += [
                "    @classmethod",
                "    def tearDownClass(cls):",
                f"        {change.kind.write.format('cls.before')}",
                "        super().tearDownClass()",
            ]
        for number in range(2):
            lines += self.test(f"test_{number}", f"{file}::{name}::test_{number}", "    ", "")
        self.left(change, before, f"{name}.setUpClass in {file}")
        return lines

    def module(self, file: str) -> None:
        lines, ends = self.scope("module", "of_module_", file)
        for number in range(self.random.randrange(1, 4)):
            name = f"Test{number}"
            kind = self.random.choice(["function", "class", "unittest"])
            if kind == "function":
                lines += self.test(f"test_{number}", f"{file}::test_{number}")
            elif kind == "unittest":
                lines += self.unittest(name, file)
            else:
                fixtures, ends_of_class = self.scope("class", "of_class_", file, "    ")
                lines += [f"class {name}:", *fixtures]
                for test in range(2):
                    lines += self.test(f"test_{test}", f"{file}::{name}::test_{test}", "    ")
                self.end(ends_of_class)
        self.end(ends)
        self.files[file.removesuffix(".py")] = "\n".join([HEAD, *lines])

    def make(self) -> None:
        lines, ends = self.scope("session", "of_session_", "conftest.py")
        for scope in SCOPES:
            lines += [
                f"@pytest.fixture(scope={scope!r})",
                f"def patch_of_{scope}():",
                "    with pytest.MonkeyPatch.context() as patch:",
                "        yield patch",
            ]
        self.files["conftest"] = "\n".join([CONFTEST, *lines])
        for number in range(3):
            self.module(f"test_{number}.py")
        self.end(ends)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(n, marks=pytest.mark.slow) for n in range(8, 100))]
)
def test_a_random_suite(project, run, seed):
    suite = Suite(Random(seed))
    suite.make()
    project.makepyfile(shop_state=SHOP, **suite.files)

    result = run("--isolation=warn")

    found = {tuple(json.loads(line)) for line in (project.path / "leaks.jsonl").read_text().splitlines()}
    assert found == suite.leaks
    assert result.parseoutcomes() == suite.outcomes, str(result.stdout)
    assert "this part failed" not in str(result.stdout)
