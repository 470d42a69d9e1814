"""What only a test can have changed: each probe notes it, then names and undoes what changed.

A probe compares what it noted before a test with what it finds after it. ``changes`` yields the names
of the parts that differ, ``undo`` puts one back, ``accept`` takes one as it is now (it is the doing
of a fixture of a broader scope, which may hold it for longer).
"""

import _signal
import asyncio
import builtins
import contextlib
import decimal
import gc
import locale
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
import weakref
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar, copy_context
from functools import cache, partial
from itertools import chain
from operator import attrgetter, setitem
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any, ClassVar
from unittest import mock

import time_machine
from asgiref.sync import AsyncToSync
from django.conf import settings
from django.core.signals import setting_changed
from django.db import connections
from django.dispatch import Signal
from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

ABSENT = object()


class Probe:
    """Base: ``now`` reads the state as a dict of parts, ``put`` sets one part back."""

    name: ClassVar[str]
    remedy: ClassVar[str]

    def __init__(self) -> None:
        self.then: dict[str, Any] = {}

    def now(self) -> dict[str, Any]:
        raise NotImplementedError

    def put(self, part: str, value: Any) -> None:
        raise NotImplementedError

    def note(self) -> None:
        self.then = self.now()

    def changes(self) -> Iterable[str]:
        now, then = self.now(), self.then
        if now == then:
            return []
        parts = {**then, **now}
        return [part for part in parts if now.get(part, ABSENT) != then.get(part, ABSENT)]

    def undo(self, part: str) -> None:
        self.put(part, self.then.get(part, ABSENT))

    def remedy_for(self, part: str) -> str:
        return self.remedy

    def is_silent(self, part: str) -> bool:
        """Whether it is put back without a word: the name of a module's private state."""
        return part.rpartition(".")[2].startswith("_")

    def accept(self, part: str) -> None:
        self.then = {key: value for key, value in self.then.items() if key != part}
        self.then |= {key: value for key, value in self.now().items() if key == part}


class Touched:
    """What the interpreter announces (audit events, PEP 578) that the running test is about to do.

    A hook cannot be removed, and is called for each event of the process: so it is one look-up, in
    a plain function (the interpreter asks each hook for ``__cantrace__``, and methods are slow to
    say no).
    """

    def __init__(self) -> None:
        self.on = False
        self.temporary, self.root = "/", "/"
        self.threads: set[int] = set()
        self.files: dict[str, bytes | None] = {}
        self.sockets: list[weakref.ref[socket.socket]] = []
        self.commands: list[str] = []
        self.children: set[int] = set()
        self.hosts_allowed = False
        self.handlers: dict[str, Callable[..., Any]] = {
            "open": self.opened,
            "os.mkdir": lambda path, *rest: self.file(path),
            "os.remove": lambda path, *rest: self.file(path),
            "os.rename": lambda path, target, *rest: (self.file(path), self.file(target)),
            "os.symlink": lambda source, target, *rest: self.file(target),
            "os.link": lambda source, target, *rest: self.file(target),
            "os.truncate": lambda path, *rest: self.file(path),
            "sqlite3.connect": self.file,
            "socket.__new__": self.socket_made,
            "socket.getaddrinfo": self.name_resolved,
            "socket.gethostbyname": self.name_resolved,
            "socket.sendto": self.sent,
            "socket.sendmsg": self.sent,
            "subprocess.Popen": lambda command, args, *rest: self.started(args),
            "os.posix_spawn": lambda path, args, env: self.started(args),
            "os.fork": lambda *rest: self.started(["a fork of this process"]),
        }

    def watch(self) -> None:
        handlers = self.handlers

        def audit(event: str, args: tuple[Any, ...]) -> None:
            __tracebackhide__ = True
            if event in handlers and self.on:
                handlers[event](*args)

        sys.addaudithook(audit)

    def reset(self) -> None:
        self.files, self.sockets, self.commands = {}, [], []

    def opened(self, path: Any, mode: str | None, flags: int) -> None:
        if flags & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
            self.file(path)

    def file(self, path: Any) -> None:
        if isinstance(path, int):
            return
        path = os.path.abspath(os.fsdecode(path))
        if path in self.files or path.startswith((self.temporary, "/dev/", "/proc/")):
            return
        if "__pycache__" in path or "/.pytest_cache/" in path or "/.coverage" in path:
            return
        if not os.path.lexists(path):
            self.files[path] = None
        elif path.startswith(self.root) and os.path.isfile(path):
            self.on = False  # Reading it is no event of the test's.
            try:
                self.files[path] = Path(path).read_bytes()
            finally:
                self.on = True

    def socket_made(self, made: Any, *rest: Any) -> None:
        thread = threading.get_ident()
        if thread == threading.main_thread().ident or thread not in self.threads:
            with contextlib.suppress(TypeError):
                self.sockets.append(weakref.ref(made))

    def name_resolved(self, host: Any, *rest: Any) -> None:
        __tracebackhide__ = True
        name = host.decode() if isinstance(host, bytes) else host
        local = name is None or name in ("", "localhost") or name[0].isdigit() or ":" in name
        if not (local or self.hosts_allowed):
            raise RuntimeError(f"A test tried to resolve the host name {name!r}.")

    def sent(self, made: Any, address: Any) -> None:
        """Datagrams: pytest-socket watches connections only."""
        __tracebackhide__ = True
        outside = isinstance(address, tuple) and not address[0].startswith(("127.", "::1"))
        if outside and not self.hosts_allowed:
            raise RuntimeError(f"A test tried to send to {address[0]}:{address[1]}.")

    def started(self, command: Any) -> None:
        if not self.commands:
            self.children = {pid for pid, _ in _children()}
        self.commands.append(str(command if isinstance(command, str) else command[0]))


touched = Touched()


class Clock(Probe):
    name, remedy = "clock", "use the time_machine fixture, or travel() as a context manager"

    def now(self) -> dict[str, Any]:
        freezegun = sys.modules.get("freezegun.api")
        return {
            "time_machine.travel()": time_machine.escape_hatch.is_travelling(),
            "freezegun.freeze_time()": len(freezegun.freeze_factories) if freezegun else 0,
        }

    def put(self, part: str, value: Any) -> None:
        if part.startswith("time_machine"):
            while time_machine.escape_hatch.is_travelling() and not value:
                time_machine.travel(0).stop()
        else:
            while len(sys.modules["freezegun.api"].freeze_factories) > value:
                _stop_freezegun()


def _stop_freezegun() -> None:
    """Stop the freezer that started last: often it is gone, since freezegun keeps its factory only.

    So by a new one, told to look for each fake in all modules (private, seen in freezegun 1.5).
    """
    api = vars(sys.modules["freezegun.api"])
    reals = {name: f"real_{name.removeprefix('fake_')}" for name in api if name.startswith("fake_")}
    reals |= {"FakeDate": "real_date", "FakeDatetime": "real_datetime"}
    reals = {fake: real for fake, real in reals.items() if real in api}
    freezer = api["freeze_time"]("2020-01-01")
    freezer.fake_names = tuple(reals)
    freezer.reals = {id(api[fake]): api[real] for fake, real in reals.items()}
    freezer.stop()


def _living(kind: type) -> Iterator[Any]:
    """All objects of a type: type(), since isinstance() would evaluate lazy ones."""
    return (one for one in gc.get_objects() if issubclass(type(one), kind))


class Patches(Probe):
    name, remedy = "patches", "stop() it, or use the monkeypatch fixture or `with patch(...)`"

    # Private, seen in Python 3.11 to 3.13: what mock.patch.stopall() goes through.
    active = mock._patch._active_patches

    def now(self) -> dict[str, Any]:
        return {_target(patch): patch for patch in self.active}

    def put(self, part: str, value: Any) -> None:
        self.now()[part].stop()


def _target(patch: Any) -> str:
    if not hasattr(patch, "attribute"):
        return "a dict"
    owner = getattr(patch.target, "__qualname__", getattr(patch.target, "__name__", "object"))
    module = getattr(patch.target, "__module__", None)
    return ".".join(filter(None, (module, owner, patch.attribute)))


class Environ(Probe):
    name, remedy = "environ", "use monkeypatch.setenv()"

    def now(self) -> dict[str, Any]:
        # Private, seen in Python 3.11 to 3.13: the encoded variables; os.environ.copy() decodes all.
        now = os.environ._data.copy()
        now.pop(b"PYTEST_CURRENT_TEST", None)
        return now

    def changes(self) -> Iterable[str]:
        return map(os.fsdecode, super().changes())

    def undo(self, part: str) -> None:
        value = self.then.get(os.fsencode(part))
        os.environ.pop(part, None)
        if value is not None:
            os.environ[part] = os.fsdecode(value)
        if part == "TZ":
            time.tzset()

    def accept(self, part: str) -> None:
        super().accept(os.fsencode(part))


class Files(Probe):
    name, remedy = "files", "write to tmp_path, or use an in-memory storage"

    def changes(self) -> Iterable[str]:
        for path, content in [*touched.files.items()]:
            if _is_database(path):
                continue
            if content is None and os.path.lexists(path):
                yield path.removeprefix(touched.root)
            elif content is not None and not _holds(path, content):
                yield f"{path.removeprefix(touched.root)} (changed)"

    def undo(self, part: str) -> None:
        path = os.path.join(touched.root, part.removesuffix(" (changed)"))
        content = touched.files[path]
        if content is not None:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_bytes(content)
        elif os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)  # Its folder may have gone before.

    def note(self) -> None:
        touched.reset()

    def accept(self, part: str) -> None:
        touched.files.pop(os.path.join(touched.root, part.removesuffix(" (changed)")))


def _is_database(path: str) -> bool:
    """A SQLite test database, or its journal: Django puts back what tests do to it."""
    names = [
        database["NAME"]
        for database in connections.settings.values()
        if database["ENGINE"].endswith("sqlite3") and database["NAME"]
    ]
    return path.startswith(tuple(os.path.abspath(name) for name in names))


def _holds(path: str, content: bytes) -> bool:
    return os.path.isfile(path) and Path(path).read_bytes() == content


class Threads(Probe):
    name, remedy = "threads", "join() it, or use the executor as a context manager"

    def now(self) -> dict[str, Any]:
        return {f"{thread.name} ({thread.ident})": thread for thread in threading.enumerate()}

    def note(self) -> None:
        super().note()
        touched.threads = {thread.ident for thread in self.then.values()}

    def changes(self) -> Iterable[str]:
        if threading.active_count() == len(self.then):
            return
        _drop_finished_async_to_sync()
        gc.collect()  # A dropped executor ends its threads when it is collected.
        for part, thread in self.now().items():
            if part not in self.then:
                thread.join(timeout=1)
                if thread.is_alive():
                    yield part

    def undo(self, part: str) -> None:
        """A thread cannot be ended from outside: it is named, and not named again."""
        self.accept(part)


def _drop_finished_async_to_sync() -> None:
    """A logged or noted error keeps the frames that it passed, and so the executor of async_to_sync."""
    for frame in _living(FrameType):
        if frame.f_code is AsyncToSync.__call__.__code__:
            with contextlib.suppress(RuntimeError):  # It still runs.
                frame.clear()


class Subprocesses(Probe):
    name, remedy = "subprocesses", "wait() for it, or use Popen as a context manager"

    def changes(self) -> Iterable[str]:
        if not touched.commands:
            return []
        return [f"{name} ({pid})" for pid, name in _children() if pid not in touched.children]

    def undo(self, part: str) -> None:
        pid = int(part.rpartition("(")[2].rstrip(")"))
        for made in _living(subprocess.Popen):
            if made.pid == pid:
                with made:  # Which closes its pipes; open ones would end the run with a traceback.
                    made.kill()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def note(self) -> None:
        self.then = {}

    def accept(self, part: str) -> None:
        touched.commands.clear()


def _children() -> list[tuple[int, str]]:
    """The running children of this process, by ps; what they are is no event of the test's."""
    on, touched.on = touched.on, False
    try:
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat=,comm="],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    finally:
        touched.on = on
    rows = [line.split(None, 3) for line in listing.splitlines()]
    return [
        (int(pid), command)
        for pid, parent, state, command in rows
        if int(parent) == os.getpid() and not state.startswith("Z") and command != "ps"
    ]


class Sockets(Probe):
    name, remedy = "sockets", "close() it, or use it as a context manager"

    def changes(self) -> Iterable[str]:
        for made in self.open():
            yield str(made.fileno())

    def open(self) -> Iterator[socket.socket]:
        for reference in touched.sockets:
            if (made := reference()) is not None and made.fileno() != -1:
                yield made

    def undo(self, part: str) -> None:
        for made in self.open():
            if str(made.fileno()) == part:
                made.close()

    def note(self) -> None:
        self.then = {}

    def accept(self, part: str) -> None:
        touched.sockets = [
            ref for ref in touched.sockets if (s := ref()) and str(s.fileno()) != part
        ]


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


def _umask() -> int:
    mask = os.umask(0o22)
    os.umask(mask)
    return mask


def _decimal() -> tuple[Any, ...]:
    """What decimal.Context() takes, without the flags, which every division may raise."""
    *then, _flags, traps = decimal.getcontext().__reduce__()[1]
    return *then, traps


def _set_decimal(then: tuple[Any, ...]) -> None:
    *before, traps = then
    decimal.setcontext(decimal.Context(*before, None, traps))


def _handlers() -> tuple[Any, ...]:
    return tuple(map(_signal.getsignal, HANDLED))  # signal's own makes an enum of each.


def _set_handlers(then: tuple[Any, ...]) -> None:
    for number, handler in zip(HANDLED, then, strict=True):
        signal.signal(number, handler)


# Not SIGALRM: pytest-timeout has a handler of its own for each test.
HANDLED = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGPIPE")
    if hasattr(signal, name)
]


class Process(Probe):
    name, remedy = "process", "use the monkeypatch fixture, or one that puts it back"
    parts: ClassVar[dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
        "cwd": (_cwd, os.chdir),
        "sys.path": (lambda: [*sys.path], partial(setitem, sys.path, slice(None))),
        "sys.argv": (lambda: [*sys.argv], partial(setattr, sys, "argv")),
        "sys.excepthook": (lambda: sys.excepthook, partial(setattr, sys, "excepthook")),
        "recursion limit": (sys.getrecursionlimit, sys.setrecursionlimit),
        "umask": (_umask, os.umask),
        "locale": (
            partial(locale.setlocale, locale.LC_ALL),
            partial(locale.setlocale, locale.LC_ALL),
        ),
        "logging.disable": (lambda: logging.root.manager.disable, logging.disable),
        "decimal context": (_decimal, _set_decimal),
        "signal handlers": (_handlers, _set_handlers),
        "socket default timeout": (socket.getdefaulttimeout, socket.setdefaulttimeout),
        "gc.disable()": (gc.isenabled, lambda on: (gc.enable if on else gc.disable)()),
    }

    def now(self) -> dict[str, Any]:
        return {part: get() for part, (get, put) in self.parts.items()}

    def put(self, part: str, value: Any) -> None:
        self.parts[part][1](value)


class Warnings(Probe):
    name, remedy = "warnings", "use pytest.warns(), recwarn, or warnings.catch_warnings()"

    def now(self) -> dict[str, Any]:
        return {"filters": [*warnings.filters]}

    def put(self, part: str, value: Any) -> None:
        """Nothing: pytest gives each test filters of its own."""


class Loggers(Probe):
    name, remedy = "loggers", "use caplog.set_level(), or a fixture that puts it back"
    read = attrgetter("level", "disabled", "propagate", "handlers", "filters")
    default = (logging.NOTSET, False, True, [], [])

    def __init__(self) -> None:
        super().__init__()
        self.known: list[logging.Logger] = []
        self.states: list[tuple[Any, ...]] = []
        self.size = -1

    def find(self) -> None:
        registry = logging.root.manager.loggerDict
        if len(registry) != self.size:
            self.size = len(registry)
            made = [item for item in registry.values() if isinstance(item, logging.Logger)]
            known = {*self.known}
            self.known += [item for item in [logging.root, *made] if item not in known]

    def note(self) -> None:
        self.find()
        # pytest hangs its own handlers to the root logger for each phase of a test.
        self.states = [
            (*state[:3], [*state[3]], [*state[4]]) for state in map(self.read, self.known)
        ]

    def changes(self) -> Iterable[str]:
        self.find()
        states = [*map(self.read, self.known)]
        if states == self.states:
            return []
        then = self.states + [self.default] * (len(states) - len(self.states))
        made = {log.name for log in self.known[len(self.states) :]} & {*sys.modules}
        return [
            log.name
            for log, a, b in zip(self.known, states, then, strict=True)
            if log.name not in made and _differ(log, a, b)  # Made: by a module that was imported.
        ]

    def undo(self, part: str) -> None:
        log, then = self.state(part)
        log.setLevel(then[0])
        log.disabled, log.propagate = then[1:3]
        log.handlers[:], log.filters[:] = then[3:]

    def state(self, part: str) -> tuple[logging.Logger, tuple[Any, ...]]:
        index = next(i for i, log in enumerate(self.known) if log.name == part)
        return self.known[index], (self.states[index] if index < len(self.states) else self.default)

    def accept(self, part: str) -> None:
        log, _ = self.state(part)
        self.states += [self.default] * (len(self.known) - len(self.states))
        state = self.read(log)
        self.states[self.known.index(log)] = (*state[:3], [*state[3]], [*state[4]])


def _differ(log: logging.Logger, now: tuple[Any, ...], then: tuple[Any, ...]) -> bool:
    def own(handlers: list[logging.Handler]) -> list[logging.Handler]:
        return [item for item in handlers if not type(item).__module__.startswith("_pytest.")]

    return (*now[:3], own(now[3]), now[4]) != (*then[:3], own(then[3]), then[4])


class Connections(Probe):
    name, remedy = "database", "use django_assert_num_queries, or connection.execute_wrapper()"

    def now(self) -> dict[str, Any]:
        now: dict[str, Any] = {}
        for one in connections.all(initialized_only=True):
            if one.force_debug_cursor:
                now[f"{one.alias}.force_debug_cursor"] = True
            if one.execute_wrappers:
                now[f"{one.alias}.execute_wrappers"] = [*one.execute_wrappers]
        return now

    def put(self, part: str, value: Any) -> None:
        alias, _, name = part.rpartition(".")
        if name == "execute_wrappers":
            connections[alias].execute_wrappers[:] = [] if value is ABSENT else value
        else:
            connections[alias].force_debug_cursor = value is True
            connections[alias].queries_log.clear()


class ContextVariables(Probe):
    """What a fixture set: the test itself runs in a copy of the context.

    Production code may do so, and it is reset silently. But a variable that had no value, and has no
    default, cannot be unset from outside, so that is reported.
    """

    name, remedy = "context", "reset() it with its token after the fixture's yield"
    # asgiref keeps these in context variables of its own.
    django: ClassVar[dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
        "language": (
            translation.get_language,
            lambda code: translation.activate(code) if code else translation.deactivate_all(),
        ),
        "time zone": (timezone.get_current_timezone, timezone.activate),
        "URLconf": (get_urlconf, set_urlconf),
        "script prefix": (get_script_prefix, set_script_prefix),
    }

    def now(self) -> dict[str, Any]:
        return {name: get() for name, (get, put) in self.django.items()} | {
            name: _value(variable) for name, variable in project.variables.items()
        }

    def note(self) -> None:
        project.scan()  # Else the first test would be blamed for every variable that it finds.
        super().note()
        self.context = copy_context()

    def changes(self) -> Iterable[str]:
        if copy_context() == self.context:  # One comparison of two pointers, usually.
            return []
        changes = [*super().changes()]
        if not changes:  # Others' variables.
            self.context = copy_context()
        return changes

    def put(self, part: str, value: Any) -> None:
        if part in self.django:
            self.django[part][1](value)
        elif value is not ABSENT:
            project.variables[part].set(value)

    def is_silent(self, part: str) -> bool:
        return self.then.get(part, ABSENT) is not ABSENT


def _value(variable: ContextVar[Any]) -> Any:
    try:
        return variable.get()
    except LookupError:
        return ABSENT


def _has_spec(name: str) -> bool:
    return getattr(sys.modules.get(name), "__spec__", None) is not None


def _top(name: str) -> str:
    """The package: what real packages put into sys.modules by themselves is theirs."""
    return name.partition(".")[0] if "." in name else ""


class Modules(Probe):
    name, remedy = "modules", "use monkeypatch.setitem(sys.modules, ...)"

    def note(self) -> None:
        project.scan()

    def changes(self) -> Iterable[str]:
        for name, module in project.modules.items():
            if sys.modules.get(name) is not module:
                yield name
        if len(sys.modules) != len(project.seen):
            for name in sys.modules.keys() - project.seen:
                if not _has_spec(name) and not name.startswith("_") and not _has_spec(_top(name)):
                    yield name

    def undo(self, part: str) -> None:
        sys.modules.pop(part, None)
        if part in project.modules:
            sys.modules[part] = project.modules[part]

    def accept(self, part: str) -> None:
        project.modules.pop(part, None)


class Receivers(Probe):
    name, remedy = "receivers", "disconnect it, or connect it in a fixture that does"
    lists = staticmethod(attrgetter("receivers"))

    def note(self) -> None:
        project.scan()
        self.found = [*project.signals.values()]
        self.then = {name: [*found.receivers] for name, found in project.signals.items()}
        self.saved = [*self.then.values()]

    def changes(self) -> Iterable[str]:
        if project.scan():  # Importing modules may connect receivers: that stays.
            self.note()
        if [*map(self.lists, self.found)] == self.saved:
            return
        for part, found in project.signals.items():
            now, then = found.receivers, self.then.get(part, [])
            if any(self.is_leak(entry) for entry in now if entry not in then) or any(
                self.is_leak(entry) for entry in then if entry not in now
            ):
                yield part

    def accept(self, part: str) -> None:
        # In place, since self.saved holds the lists.
        self.then.setdefault(part, [])[:] = project.signals[part].receivers

    def put(self, part: str, value: Any) -> None:
        found = project.signals[part]
        found.receivers[:] = [] if value is ABSENT else value
        found.sender_receivers_cache.clear()

    def is_leak(self, entry: Any) -> bool:
        """Whether a receiver is alive, and not of an object that a library made for itself."""
        receiver = entry[1]() if isinstance(entry[1], weakref.ReferenceType) else entry[1]
        owner = getattr(receiver, "__self__", None)
        if owner is not None and not isinstance(owner, ModuleType):
            return project.owns(sys.modules.get(type(owner).__module__))
        return receiver is not None


class Attributes(Probe):
    name, remedy = "attributes", "use the monkeypatch fixture, or make it anew in a fixture"

    def remedy_for(self, part: str) -> str:
        settings = part.startswith("settings")
        return "use the settings fixture, or override_settings()" if settings else self.remedy

    def note(self) -> None:
        project.note()

    def changes(self) -> Iterable[str]:
        return project.changes()

    def undo(self, part: str) -> None:
        project.undo(part)

    def accept(self, part: str) -> None:
        project.accept(part)


CONTAINERS = (dict, list, set, defaultdict, OrderedDict, Counter)
# Set on test classes by Django, and on factories by factory_boy, for each test or each use.
SET_BY_LIBRARIES = {"atomics", "client", "async_client", "cls_atomics", "_original_params"}
# Replaced by pytest and its plugins during every test.
SET_BY_PYTEST = {"builtins", "socket", "sys", "warnings", "logging"}
MEMOIZED = type(cache(int))


def _copied(value: Any) -> Any:
    """Containers copied all the way down, everything else by reference."""
    if type(value) not in CONTAINERS:
        return value
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return type(value)(map(_copied, value))


def _refill(live: Any, saved: Any) -> Any:
    """Put the saved content back into the containers that held it."""
    content = _copied(saved)
    if isinstance(saved, dict):
        for key in saved.keys() & live.keys():
            if type(live[key]) in CONTAINERS and isinstance(saved[key], dict):
                content[key] = _refill(live[key], saved[key])
    live.clear()
    (live.extend if isinstance(live, list) else live.update)(content)
    return live


class Namespace:
    """The attributes of one owner; of a foreign one, only its functions and classes."""

    def __init__(self, name: str, owner: Any, foreign: bool = False) -> None:
        self.name, self.owner, self.foreign = name, owner, foreign
        self.vars = vars(owner)  # A live view.
        self.values: dict[str, Any] = {}
        self.containers: list[Any] = []
        self.saved: list[Any] = []
        self.save()

    def save(self) -> None:
        """In place, since Project.changed() holds them."""
        self.values.clear()
        self.values.update(self.vars)
        self.live = [] if self.foreign else [*filter(_is_container, self.values.items())]
        self.containers[:] = [value for key, value in self.live]
        self.saved[:] = map(_copied, self.containers)

    def changed(self) -> bool:
        try:
            return self.vars != self.values or self.containers != self.saved
        except Exception:  # Values that cannot be compared: look at each by itself.
            return True

    def changes(self) -> Iterator[str]:
        now = dict(self.vars)
        spoilt = {
            key
            for (key, value), saved in zip(self.live, self.saved, strict=True)
            if now.get(key) is value and value != saved
        }
        for key in {**self.values, **now}:
            then = self.values.get(key, ABSENT)
            if key.startswith("__") or key in SET_BY_LIBRARIES:
                continue
            if sys.modules.get(f"{self.name}.{key}") is now.get(key, ABSENT):
                continue  # A submodule that was imported.
            if self.foreign and not (callable(then) and key in now):
                continue
            if now.get(key, ABSENT) is not then or key in spoilt:
                yield key

    def undo(self, key: str) -> None:
        value = self.values.get(key, ABSENT)
        for (name, live), saved in zip(self.live, self.saved, strict=True):
            if name == key:
                _refill(live, saved)
        self.put(key, value)

    def put(self, key: str, value: Any) -> None:
        if value is ABSENT:
            delattr(self.owner, key)
        elif self.vars.get(key, ABSENT) is not value:
            setattr(self.owner, key, value)


def _is_container(item: tuple[str, Any]) -> bool:
    return type(item[1]) in CONTAINERS and not item[0].startswith("__")


class Settings(Namespace):
    def put(self, key: str, value: Any) -> None:
        if value is ABSENT:
            delattr(settings, key)
        else:
            setattr(settings, key, value)
        sent = None if value is ABSENT else value
        setting_changed.send(type(self.owner), setting=key, value=sent, enter=False)


class Project:
    """The project's own modules: those in sys.modules that lie under its root directory.

    The cost of a test does not grow with the modules that libraries import: new ones are looked at
    once. Afterwards only names in the project's own modules, and in those that it imports itself, are
    compared, by one comparison in C that stops at the identity of each: about 20 ns a name.
    """

    def __init__(self) -> None:
        self.root = "/"
        self.is_plugin: Callable[[Any], Any] = bool
        self.seen: set[str] = set()
        self.names: set[int] = set()
        self.namespaces: dict[str, Namespace] = {}
        self.memoized: dict[int, Any] = {}
        self.variables: dict[str, ContextVar[Any]] = {}
        self.signals: dict[str, Signal] = {}
        self.modules: dict[str, Any] = {}
        self.fresh = False
        self.watch("builtins", builtins, foreign=True)

    def scan(self) -> bool:
        """Take in modules imported since, and tell whether any is the project's own."""
        if len(self.seen) == len(sys.modules):
            return False
        new = {name: sys.modules[name] for name in sys.modules.keys() - self.seen}
        self.seen = {*sys.modules}
        for name, module in new.items():
            for key, value in [*getattr(module, "__dict__", {}).items()]:
                if issubclass(type(value), Signal) and value not in self.signals.values():
                    self.signals[f"{name}.{key}"] = value
        own = [module for module in new.values() if self.owns(module)]
        for module in own:
            if self.is_plugin(module):
                continue
            self.watch(module.__name__, module)
            for key, value in [*vars(module).items()]:
                if not key.startswith("__"):
                    self.take_in(f"{module.__name__}.{key}", value, module)
        self.fresh = True
        return bool(own)

    def owns(self, module: Any) -> bool:
        path = getattr(module, "__file__", None) or ""
        return (
            isinstance(path, str)
            and path.startswith(self.root)
            and "site-packages" not in path
            and not module.__name__.startswith(__package__)
        )

    def take_in(self, name: str, value: Any, module: ModuleType) -> None:
        kind = type(value)  # Not isinstance(), which would evaluate lazy objects.
        if kind is MEMOIZED:
            self.memoized[id(value)] = value
        elif kind is ContextVar:
            self.variables[name] = value
        elif kind is ModuleType:
            self.watch_foreign(value)
        elif issubclass(kind, type):
            if value.__module__ == module.__name__:
                self.watch(name, value)
                for found in vars(value).values():
                    item = getattr(found, "__func__", found)  # Of a static or class method.
                    if type(item) is MEMOIZED:
                        self.memoized[id(item)] = item
            for cls in value.__mro__:
                if not self.owns(sys.modules.get(cls.__module__)) and cls.__module__ != "builtins":
                    self.watch(f"{cls.__module__}.{cls.__qualname__}", cls, foreign=True)
        elif kind is FunctionType:
            self.watch_foreign(sys.modules.get(value.__module__))
        elif kind is threading.local or self.owns(sys.modules.get(kind.__module__)):
            self.watch(name, value)

    def watch_foreign(self, module: Any) -> None:
        if module is None or self.owns(module) or module.__name__ in SET_BY_PYTEST:
            return
        if not module.__name__.startswith(("_pytest", "pytest", __package__)):
            self.modules[module.__name__] = module
            self.watch(module.__name__, module, foreign=True)
            # `import a.b` binds a: so its submodules, of small packages, are the project's to patch.
            inner = [one for one in vars(module).values() if type(one) is ModuleType]
            parts = [one for one in inner if one.__name__.startswith(f"{module.__name__}.")]
            for part in parts if len(parts) < 8 else ():
                self.modules[part.__name__] = part
                self.watch(part.__name__, part, foreign=True)

    def watch(self, name: str, owner: Any, foreign: bool = False) -> None:
        if id(owner) not in self.names and hasattr(owner, "__dict__"):
            self.names.add(id(owner))
            self.namespaces[name] = Namespace(name, owner, foreign)

    def note(self) -> None:
        self.scan()
        wrapped = settings._wrapped
        if "settings" not in self.namespaces or self.namespaces["settings"].owner is not wrapped:
            self.namespaces["settings"] = Settings("settings", wrapped)
            self.fresh = True
        if not self.fresh:
            for namespace in self.changed():
                namespace.save()
            self.values = self.now()
            return
        every = self.namespaces.values()
        for namespace in every:
            namespace.save()
        self.views = [namespace.vars.values() for namespace in every]
        self.containers = [namespace.containers for namespace in every]
        self.saved = [namespace.saved for namespace in every]
        self.values = self.now()
        self.fresh = False

    def now(self) -> list[Any]:
        """All values of all namespaces, one after another."""
        return [*chain.from_iterable(self.views)]

    def changed(self) -> list[Namespace]:
        """In the usual case, nothing changed, two comparisons in C."""
        with contextlib.suppress(Exception):  # Values that cannot be compared.
            if self.now() == self.values and self.containers == self.saved:
                return []
        return [namespace for namespace in self.namespaces.values() if namespace.changed()]

    def changes(self) -> Iterator[str]:
        if settings._wrapped is not self.namespaces["settings"].owner:
            yield "settings (overridden, not undone)"
            return
        if self.scan():  # Importing modules may register with others: that stays.
            self.note()
        named: set[int] = set()
        for namespace in sorted(self.changed(), key=lambda one: one.name != "settings"):
            keys = [*namespace.changes()]
            if not keys:  # What libraries keep there for each use.
                namespace.save()
                self.values = self.now()
            for key in keys:
                value = namespace.vars.get(key)
                if value is namespace.values.get(key):  # One list, say, under several names.
                    if id(value) in named:
                        continue
                    named.add(id(value))
                yield f"{namespace.name}.{key}"

    def undo(self, part: str) -> None:
        if part.startswith("settings ("):
            settings._wrapped = self.namespaces["settings"].owner
            settings.__dict__.clear()
            settings.__dict__["_wrapped"] = self.namespaces["settings"].owner
        else:
            name, _, key = part.rpartition(".")
            self.namespaces[name].undo(key)

    def accept(self, part: str) -> None:
        self.fresh = True
        self.note()


project = Project()


def tasks_left(loop: asyncio.AbstractEventLoop) -> list[str]:
    """The names of the tasks that still run on a loop that is about to be closed."""
    return [
        getattr(task.get_coro(), "__qualname__", task.get_name())
        for task in asyncio.all_tasks(loop)
        if not task.done()
    ]


WARNINGS = Warnings()
PROBES: list[Probe] = [
    Clock(),
    Patches(),
    Environ(),
    Threads(),
    Subprocesses(),
    Sockets(),
    Files(),
    Process(),
    WARNINGS,
    Loggers(),
    Connections(),
    ContextVariables(),
    Modules(),  # Before those that take in new modules.
    Receivers(),
    Attributes(),
]
