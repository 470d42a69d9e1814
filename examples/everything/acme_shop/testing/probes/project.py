"""What the project's modules hold: everything that several probes look at, found once a module."""

import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from types import FunctionType, ModuleType
from typing import Any

from django.conf import settings
from django.dispatch import Signal

from .namespace import Namespace

LAYER = __name__.rpartition(".probes")[0]
MEMOISED = type(cache(int))
# Replaced by pytest and its plugins during every test.
SET_BY_PYTEST = {"builtins", "socket", "sys", "warnings", "logging"}


class Project:
    """The project's own modules: those in sys.modules that lie under its root directory.

    The cost of a test does not grow with the modules that libraries import: new ones are looked at
    once. What is compared afterwards are names in the project's own modules, and in those that it
    imports itself. Module globals of a conftest.py or plugin that defines pytest hooks are ignored:
    they are that plugin's bookkeeping. So is a database engine, whose connections outlive tests.
    """

    def __init__(self, root: str, is_plugin: Callable[[Any], Any]) -> None:
        self.root, self.is_plugin = root, is_plugin
        self.ignored = (LAYER, *(one.get("ENGINE", LAYER) for one in settings.DATABASES.values()))
        self.imports = 0
        self.seen: set[str] = set()
        self.ids: set[int] = set()
        self.namespaces: dict[str, Namespace] = {}
        self.memoised: dict[int, Any] = {}
        self.variables: dict[str, ContextVar[Any]] = {}
        self.signals: dict[str, Signal] = {}
        self.modules: dict[str, Any] = {}

    def scan(self) -> int:
        """Take in modules imported since; how often there were any of the project's own."""
        if len(self.seen) == len(sys.modules):
            return self.imports
        # Sorted, since an object that several modules hold is named after the first of them.
        new = {name: sys.modules[name] for name in sorted(sys.modules.keys() - self.seen)}
        self.seen = {*sys.modules}
        for name, module in sorted(new.items(), key=lambda item: imports_signals(item[0])):
            for key, value in [*getattr(module, "__dict__", {}).items()]:
                if issubclass(type(value), Signal) and value not in self.signals.values():
                    self.signals[f"{name}.{key}"] = value
        own = [module for module in new.values() if self.owns(module)]
        for module in own:
            if self.is_plugin(module):
                continue
            file = module.__file__
            self.watch(module.__name__, module, file=file)
            for key, value in [*vars(module).items()]:
                if not key.startswith("__"):
                    self.take_in(f"{module.__name__}.{key}", value, module)
        self.imports += bool(own)
        return self.imports

    def owns(self, module: Any) -> bool:
        path = getattr(module, "__file__", None) or ""
        return (
            isinstance(path, str)
            and path.startswith(self.root)
            and "site-packages" not in path
            and not module.__name__.startswith(self.ignored)
        )

    def take_in(self, name: str, value: Any, module: ModuleType) -> None:
        kind = type(value)  # Not isinstance(), which would evaluate lazy objects.
        if kind is MEMOISED:
            self.memoised[id(value)] = value
        elif kind is ContextVar:
            self.variables[name] = value
        elif kind is ModuleType:
            self.watch_foreign(value)
        elif issubclass(kind, type):
            self.take_in_class(name, value, module)
        elif kind is FunctionType:
            self.watch_foreign(sys.modules.get(value.__module__))
        elif kind is threading.local or self.owns(sys.modules.get(kind.__module__)):
            self.watch(defined(name, value), value, file=module.__file__)

    def take_in_class(self, name: str, value: Any, module: ModuleType) -> None:
        if value.__module__ == module.__name__:
            self.watch(name, value, file=module.__file__)
            for found in vars(value).values():
                item = getattr(found, "__func__", found)  # Of a static or class method.
                if type(item) is MEMOISED:
                    self.memoised[id(item)] = item
        for cls in value.__mro__:
            if not self.owns(sys.modules.get(cls.__module__)) and cls.__module__ != "builtins":
                self.watch(f"{cls.__module__}.{cls.__qualname__}", cls, foreign=True)

    def watch_foreign(self, module: Any) -> None:
        if module is None or self.owns(module) or module.__name__ in SET_BY_PYTEST:
            return
        if not module.__name__.startswith(("_pytest", "pytest", LAYER)):
            self.watch_module(module)
            # `import a.b` binds a: so its submodules, of small packages, are the project's to patch.
            inner = [one for one in vars(module).values() if type(one) is ModuleType]
            parts = [one for one in inner if one.__name__.startswith(f"{module.__name__}.")]
            for part in parts if len(parts) < 8 else ():
                self.watch_module(part)

    def watch_module(self, module: ModuleType) -> None:
        self.watch(module.__name__, module, foreign=True)
        if sys.modules.get(module.__name__) is module:  # Not one that the project made.
            self.modules[module.__name__] = module

    def watch(self, name: str, owner: Any, foreign: bool = False, file: str = "") -> None:
        if id(owner) not in self.ids and hasattr(owner, "__dict__"):
            self.ids.add(id(owner))
            self.namespaces[name] = Namespace(name, owner, foreign, file)


def imports_signals(module: str) -> int:
    """One called signals is where those of a package are defined; test files define the fewest."""
    name = module.rpartition(".")[2]
    return 2 if name.startswith(("conftest", "test_")) else not name.endswith("signals")


def defined(name: str, value: Any) -> str:
    """The name of an object: in the module of its class, where that has it, too."""
    module, key = type(value).__module__, name.rpartition(".")[2]
    at_home = vars(sys.modules.get(module, sys)).get(key) is value
    return f"{module}.{key}" if at_home else name
