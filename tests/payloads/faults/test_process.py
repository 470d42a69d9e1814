import builtins
import decimal
import gc
import importlib
import json
import locale
import logging
import os
import random
import signal
import socket
import sys
import tempfile
import time
import types
import warnings

import pytest

from . import shop
from .verdicts import reported, reset

NEW_ID = shop.new_id


@reported("environ:PAYMENTS")
class TestVariableSet:
    def test_polluter(self):
        os.environ["PAYMENTS"] = "off"

    def test_victim(self):
        assert "PAYMENTS" not in os.environ

    def test_innocent(self, monkeypatch):
        monkeypatch.setenv("PAYMENTS", "off")


@reported("environ:PATH")
class TestVariableDeleted:
    def test_polluter(self):
        del os.environ["PATH"]

    def test_victim(self):
        assert "PATH" in os.environ

    def test_innocent(self, monkeypatch):
        monkeypatch.delenv("PATH")


@reported("environ:TZ")
class TestTimeZoneOfTheProcess:
    def test_polluter(self):
        os.environ["TZ"] = "Asia/Tokyo"
        time.tzset()

    def test_victim(self):
        assert time.tzname[0] != "JST"

    @pytest.fixture
    def tokyo(self, monkeypatch):
        with monkeypatch.context() as patch:
            patch.setenv("TZ", "Asia/Tokyo")
            time.tzset()
            yield
        time.tzset()

    def test_innocent(self, tokyo):
        assert time.tzname[0] == "JST"


@reported("process:cwd")
class TestWorkingDirectory:
    def test_polluter(self, tmp_path):
        os.chdir(tmp_path)

    def test_victim(self):
        assert os.path.exists("manage.py")

    def test_innocent(self, monkeypatch, tmp_path):
        monkeypatch.chdir(tmp_path)


@reported("process:cwd")
class TestWorkingDirectoryDeleted:
    def test_polluter(self, tmp_path):
        (tmp_path / "gone").mkdir()
        os.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()

    def test_victim(self):
        assert os.getcwd()

    def test_innocent(self, monkeypatch, tmp_path):
        (tmp_path / "gone").mkdir()
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path / "gone")
            (tmp_path / "gone").rmdir()


@reported("process:sys.path")
class TestImportPath:
    def test_polluter(self):
        sys.path.insert(0, "/nowhere")

    def test_victim(self):
        assert "/nowhere" not in sys.path

    def test_innocent(self, monkeypatch):
        monkeypatch.syspath_prepend("/nowhere")


@reported("process:sys.argv")
class TestArguments:
    def test_polluter(self):
        sys.argv.append("--verbose-fault")

    def test_victim(self):
        assert "--verbose-fault" not in sys.argv

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(sys, "argv", ["prog", "--verbose-fault"])


@reported("process:sys.excepthook")
class TestExceptHook:
    def test_polluter(self):
        sys.excepthook = print

    def test_victim(self):
        assert sys.excepthook is not print

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(sys, "excepthook", print)


@reported("process:recursion limit")
class TestRecursionLimit:
    def test_polluter(self):
        sys.setrecursionlimit(5000)

    def test_victim(self):
        assert sys.getrecursionlimit() != 5000

    def test_innocent(self):
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(5000)
        sys.setrecursionlimit(before)


@reported("process:umask")
class TestUmask:
    def test_polluter(self):
        os.umask(0o123)

    def test_victim(self):
        current = os.umask(0o22)
        os.umask(current)
        assert current != 0o123

    def test_innocent(self):
        before = os.umask(0o123)
        os.umask(before)


@reported("process:locale")
class TestLocale:
    def test_polluter(self):
        locale.setlocale(locale.LC_ALL, "C" if locale.setlocale(locale.LC_ALL) != "C" else "C.UTF-8")
        TestLocale.set = locale.setlocale(locale.LC_ALL)

    def test_victim(self):
        assert locale.setlocale(locale.LC_ALL) != getattr(TestLocale, "set", "?")

    def test_innocent(self):
        before = locale.setlocale(locale.LC_ALL)
        locale.setlocale(locale.LC_ALL, "C")
        locale.setlocale(locale.LC_ALL, before)


@reported("process:logging.disable")
class TestLoggingDisabled:
    def test_polluter(self):
        logging.disable(logging.CRITICAL)

    def test_victim(self, caplog):
        logging.getLogger("shop").error("heard")
        assert "heard" in caplog.text

    def test_innocent(self, caplog):
        with caplog.at_level(logging.DEBUG):
            logging.disable(logging.CRITICAL)
            logging.disable(logging.NOTSET)


@reported("process:decimal context")
class TestDecimalContext:
    def test_polluter(self):
        decimal.getcontext().prec = 3

    def test_victim(self):
        assert decimal.getcontext().prec == 28

    def test_innocent(self):
        with decimal.localcontext() as context:
            context.prec = 3


@reported("process:SIGUSR1 handler")
class TestSignalHandler:
    def test_polluter(self):
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def test_victim(self):
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL

    def test_innocent(self):
        before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, before)


@reported("process:socket default timeout")
class TestSocketTimeout:
    def test_polluter(self):
        socket.setdefaulttimeout(0.01)

    def test_victim(self):
        assert socket.getdefaulttimeout() is None

    def test_innocent(self):
        socket.setdefaulttimeout(0.01)
        socket.setdefaulttimeout(None)


@reported("process:gc.disable()")
class TestCollectorDisabled:
    def test_polluter(self):
        gc.disable()

    def test_victim(self):
        assert gc.isenabled()

    def test_innocent(self):
        gc.disable()
        gc.enable()


@reported("modules:stripe")
class TestStubbedModule:
    def test_polluter(self):
        sys.modules["stripe"] = types.ModuleType("stripe")

    def test_victim(self):
        with pytest.raises(ImportError):
            import stripe  # noqa: F401

    def test_innocent(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "stripe", types.ModuleType("stripe"))


@reported("modules:json")
class TestReplacedModule:
    def test_polluter(self):
        sys.modules["json"] = types.ModuleType("json")

    def test_victim(self):
        assert sys.modules["json"] is json

    def test_innocent(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "json", types.ModuleType("json"))


@reset()
class TestReloadedModule:
    def test_polluter(self):
        importlib.reload(shop)

    def test_victim(self):
        assert shop.new_id is NEW_ID

    def test_innocent(self):
        importlib.import_module(shop.__name__)


@reported("attributes:builtins.ascii")
class TestBuiltinReplaced:
    def test_polluter(self):
        builtins.ascii = str

    def test_victim(self):
        assert ascii("é") == r"'\xe9'"

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(builtins, "ascii", str)


@reset()
class TestRandomSeed:
    def test_polluter(self):
        random.seed(7)

    def test_victim(self):
        assert random.random() != random.Random(7).random()  # noqa: S311

    def test_innocent(self):
        random.Random(7).random()  # noqa: S311


@reported("loggers:shop.level")
class TestLoggerLevel:
    def test_polluter(self):
        logging.getLogger("shop.level").setLevel(logging.CRITICAL)

    def test_victim(self):
        assert logging.getLogger("shop.level").level == logging.NOTSET

    def test_innocent(self, caplog):
        caplog.set_level(logging.CRITICAL, "shop.level")


@reported("loggers:shop.handler")
class TestLoggerHandler:
    def test_polluter(self):
        logging.getLogger("shop.handler").addHandler(logging.NullHandler())

    def test_victim(self):
        assert logging.getLogger("shop.handler").handlers == []

    def test_innocent(self):
        handler = logging.NullHandler()
        logging.getLogger("shop.handler").addHandler(handler)
        logging.getLogger("shop.handler").removeHandler(handler)


@reported("loggers:django")
class TestLoggerDisabled:
    def test_polluter(self):
        logging.getLogger("django").disabled = True

    def test_victim(self):
        assert not logging.getLogger("django").disabled

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(logging.getLogger("django"), "disabled", True)


@reported("loggers:django.request")
class TestLoggerPropagation:
    def test_polluter(self):
        logging.getLogger("django.request").propagate = False

    def test_victim(self):
        assert logging.getLogger("django.request").propagate

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(logging.getLogger("django.request"), "propagate", False)


@reported("loggers:shop.filter")
class TestLoggerFilter:
    def test_polluter(self):
        logging.getLogger("shop.filter").addFilter(lambda record: False)

    def test_victim(self):
        assert logging.getLogger("shop.filter").filters == []

    def test_innocent(self):
        def refuse(record):
            return False

        logging.getLogger("shop.filter").addFilter(refuse)
        logging.getLogger("shop.filter").removeFilter(refuse)


@reported("loggers:root")
class TestRootHandler:
    handler = logging.NullHandler()

    def test_polluter(self):
        logging.getLogger().addHandler(self.handler)

    def test_victim(self):
        assert self.handler not in logging.getLogger().handlers

    def test_innocent(self, caplog):
        logging.getLogger().warning("only captured")


@reported("files:")
class TestTemporaryFileKept:
    def test_polluter(self):
        with open(os.path.join(tempfile.gettempdir(), "isolation-fault"), "w") as file:
            file.write("x")

    def test_victim(self):
        assert not os.path.exists(os.path.join(tempfile.gettempdir(), "isolation-fault"))

    def test_innocent(self):
        with tempfile.TemporaryDirectory() as folder, open(os.path.join(folder, "x"), "w") as file:
            file.write("x")
