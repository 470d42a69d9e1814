"""The attributes of one owner: a module, a class, or an object, as noted and as they are now."""

import ast
import sys
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, ClassVar

from django.conf import settings
from django.core.signals import setting_changed
from django.test import SimpleTestCase, TransactionTestCase
from django.urls import clear_url_caches

from .. import compat
from ..leaks import ABSENT
from ..places import last_name, targets
from ..testcode import file_of, parsed

CONTAINERS = (dict, list, set, defaultdict, OrderedDict, Counter)
PLAIN = {bool, int, float, str, bytes, tuple, type(None), *CONTAINERS}
# Set on test classes by Django when they are set up, and on factories by factory_boy for each use.
SET_BY_LIBRARIES = {"atomics", "client", "async_client", "cls_atomics", "_original_params"}
TEARDOWNS = ("tearDownClass", "teardown_class", "tearDownModule", "teardown_module")


class Namespace:
    """Notes the values of an owner, and copies of the containers among them.

    Of a foreign owner, only its functions and classes count. ``file``: of the module, or that of the
    module where the owner was found.
    """

    remedy = "use the monkeypatch fixture, or create it anew in a fixture"
    not_compared: ClassVar[frozenset[str]] = frozenset()  # Containers whose content is not.
    notes: ClassVar[int] = 0  # How often values of any owner were noted.

    def __init__(self, name: str, owner: Any, foreign: bool = False, file: str = "") -> None:
        self.name, self.owner, self.foreign, self.file = name, owner, foreign, file
        self.vars = vars(owner)  # A live view.
        self.values: dict[str, Any] = {}
        self.listed: list[Any] = []  # These values.
        self.containers: list[Any] = []
        self.saved: list[Any] = []
        self.save()

    def save(self) -> None:
        """In place, since Attributes holds these lists to compare them all at once."""
        Namespace.notes += 1
        self.values.clear()
        self.values.update(self.vars)
        self.listed[:] = self.values.values()
        items = () if self.foreign else self.values.items()
        self.live = [one for one in items if is_container(one) and one[0] not in self.not_compared]
        self.containers[:] = [value for key, value in self.live]
        self.saved[:] = map(copied, self.containers)

    def follow(self) -> bool:
        """Look at another ``__dict__`` that the owner got, ``owner.__dict__ = saved``; whether it did."""
        before, self.vars = self.vars, vars(self.owner)
        return self.vars is not before

    def keep(self, key: str) -> None:
        """Note one value as it is now, or what a container holds now."""
        Namespace.notes += 1
        self.values[key] = self.vars[key]
        self.listed[:] = self.values.values()
        for index, (name, value) in enumerate(self.live):
            if name == key:
                self.saved[index] = copied(value)

    def changed(self) -> bool:
        try:
            return self.vars != self.values or self.containers != self.saved
        except Exception:  # Values that cannot be compared: look at each on its own.
            return True

    def changes(self) -> Iterator[tuple[str, Any, Any]]:
        """(key, before, after) of each value that differs; a container's before is the copy."""
        now = dict(self.vars)
        copies = {
            key: saved
            for (key, value), saved in zip(self.live, self.saved, strict=True)
            if now.get(key, ABSENT) is value and value != saved
        }
        for key in {**self.values, **now}:
            then, value = self.values.get(key, ABSENT), now.get(key, ABSENT)
            if key.startswith("__") or self.is_set_by_library(key):
                continue
            if sys.modules.get(f"{self.name}.{key}", self) is value:
                continue  # A submodule that was imported.
            if self.foreign and not (callable(then) and key in now):
                continue
            if key in copies:
                yield key, copies[key], value
            elif value is not then:
                yield key, then, value

    def is_set_by_library(self, key: str) -> bool:
        """Whether a library sets it on the project's class, as Django's test cases do for each test."""
        if not isinstance(self.owner, type):
            return False
        of_django = issubclass(self.owner, SimpleTestCase) and hasattr(TransactionTestCase, key)
        return of_django or key in SET_BY_LIBRARIES

    def reverter(self, key: str) -> Callable[[], None]:
        """A function that puts the noted value back, and its content where it is a container."""
        value, saved = self.noted(key)

        def revert() -> None:
            if saved is not ABSENT:
                refill(value, saved)
            self.put(key, value)
            if key == "urlpatterns":
                clear_url_caches()

        return revert

    def difference(self, key: str) -> Callable[[], bool]:
        """A function that says whether the value differs from the noted one."""
        value, saved = self.noted(key)
        return lambda: (
            self.vars.get(key, ABSENT) is not value or (saved is not ABSENT and value != saved)
        )

    def noted(self, key: str) -> tuple[Any, Any]:
        """The noted value, and the copy of what it held; ABSENT where it is no container."""
        pairs = zip(self.live, self.saved, strict=True)
        saved = next((saved for (name, live), saved in pairs if name == key), ABSENT)
        return self.values.get(key, ABSENT), saved

    def put(self, key: str, value: Any) -> None:
        if value is ABSENT:
            remove(self.owner, key)
        elif self.vars.get(key, ABSENT) is not value:
            put(self.owner, key, value)


class Settings(Namespace):
    """Django's settings: receivers of ``setting_changed`` hear of what is reverted."""

    remedy = "use the settings fixture, or override_settings()"

    # Django writes the names of test databases into it.
    not_compared: ClassVar[frozenset[str]] = frozenset({"DATABASES"})

    def put(self, key: str, value: Any) -> None:
        if value is ABSENT:
            delattr(settings, key)
            deleted = self.noted("_deleted")[1]
            if deleted is not ABSENT and key not in deleted:
                # While settings are overridden, a deleted name does not fall back to its default.
                compat.deleted_settings(self.owner).discard(key)
        else:
            setattr(settings, key, value)
        sent = None if value is ABSENT else value
        setting_changed.send(type(self.owner), setting=key, value=sent, enter=False)


def put(owner: Any, key: str, value: Any) -> None:
    """Set an attribute. An object may refuse, like a frozen dataclass, so its ``__dict__`` gets it."""
    if isinstance(owner, type | ModuleType):
        setattr(owner, key, value)
    else:
        vars(owner)[key] = value


def remove(owner: Any, key: str) -> None:
    if isinstance(owner, type | ModuleType):
        delattr(owner, key)
    else:
        del vars(owner)[key]


def fills_itself(owner: Any) -> bool:
    """Whether it is an object that may set its own attributes on first use."""
    return not isinstance(owner, type) and hasattr(type(owner), "__getattr__")


def is_given_up(owner: Any, key: str, before: Any) -> bool:
    """Whether production code makes such an object on demand, like a client that was closed: None is its start."""
    if type(before) in PLAIN or callable(before):
        return False
    module = owner if isinstance(owner, ModuleType) else sys.modules.get(owner.__module__)
    return makes_on_demand(str(file_of(module)), key)


def is_cleaned_up(owner: Any, key: str) -> bool:
    """Whether the teardown of that class or module names it: a list, say, of what its tests have made."""
    own = getattr(owner, "__dict__", {})
    functions = [getattr(own.get(name), "__func__", own.get(name)) for name in TEARDOWNS]
    return any(key in one.__code__.co_names for one in functions if isinstance(one, FunctionType))


@cache
def makes_on_demand(file: str, name: str) -> bool:
    """Whether a function of that file reads the name and assigns it: ``if client is None: client = Client()``."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    every = [node for node in ast.walk(parsed(Path(file))) if isinstance(node, functions)]
    return any(
        any(last_name(node) == name and is_read(node) for node in ast.walk(function))
        and any(gives_value(node, name) for node in ast.walk(function))
        for function in every
    )


def is_read(node: ast.AST) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Load)


def gives_value(node: ast.AST, name: str) -> bool:
    """Whether it assigns something other than None to that name."""
    value = getattr(node, "value", None)
    is_none = isinstance(value, ast.Constant) and value.value is None
    return not is_none and any(last_name(one) == name for one in targets(node))


def is_container(item: tuple[str, Any]) -> bool:
    return type(item[1]) in CONTAINERS and not item[0].startswith("__")


def copied(value: Any) -> Any:
    """Containers copied all the way down, everything else by reference."""
    if type(value) not in CONTAINERS:
        return value
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return type(value)(map(copied, value))


def refill(live: Any, saved: Any) -> Any:
    """Put the saved content back into the containers that held it."""
    content = copied(saved)
    if isinstance(saved, dict):
        for key in saved.keys() & live.keys():
            if type(live[key]) in CONTAINERS and isinstance(saved[key], dict):
                content[key] = refill(live[key], saved[key])
    live.clear()
    (live.extend if isinstance(live, list) else live.update)(content)
    return live


def grew(before: Any, after: Any) -> bool:
    """Whether a container still holds all it held, and more: something was registered in it."""
    if isinstance(before, dict) and isinstance(after, dict):
        return all(key in after and after[key] is value for key, value in before.items())
    if isinstance(before, list) and isinstance(after, list):
        return after[: len(before)] == before
    return isinstance(before, set) and isinstance(after, set) and before <= after
