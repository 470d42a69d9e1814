"""The places that a test file changes, wherever they lie: read from its source, found in the process.

    tempfile.tempdir = "/x"                 the name tempdir of a module
    requests.Session.request = fake         the name request of a class
    shop.client.headers["X-Debug"] = "1"    the content of headers

Locals cannot be found, and need not be: they end with their function.
"""

import ast
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, NamedTuple

from django.utils.functional import LazyObject, empty

from .leaks import ABSENT

MUTATORS = {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "move_to_end"}
MUTATORS |= {"pop", "popitem", "popleft", "remove", "reverse", "rotate", "setdefault", "sort"}
MUTATORS |= {"difference_update", "intersection_update", "symmetric_difference_update"}
MUTATORS |= {"subtract", "update"}
# A method that registers something, and where: attributes of its object that hold a container.
REGISTRIES = {
    "register": ("_registry", "registered_checks"),
    "unregister": ("_registry",),
    "add_action": ("_actions",),
    "disable_action": ("_actions",),
    "register_lookup": ("class_lookups",),
    "tag": ("tags",),
    "simple_tag": ("tags",),
    "inclusion_tag": ("tags",),
    "filter": ("filters",),
    "add_provider": ("providers",),
}
METHODS = MUTATORS | REGISTRIES.keys()
# Calls without a side effect that stand in such a path: Order._meta.get_field("product").
GETTERS = {"get_field", "get_app_config", "get_model", "get_user_model"}


class Item(NamedTuple):
    """A step by a key: ``["key"]``."""

    key: Any


class Call(NamedTuple):
    """A step by a call of a getter."""

    arguments: tuple[Any, ...]


Step = str | Item | Call
Path = tuple[Step, ...]


class Place(NamedTuple):
    """``path`` leads from a name of the file to the place; ``called``: the method, None if assigned."""

    path: Path
    called: str | None = None


def places(nodes: list[ast.AST]) -> set[Place]:
    """Each place that the code assigns, deletes, or calls a method of."""
    known = aliases(nodes)
    found = set()
    for node in nodes:
        for place in changed(node):
            path = place.path
            if isinstance(path[0], str) and path[0] in known:
                path = known[path[0]] + path[1:]
            found.add(Place(path, place.called))
    return found


def changed(node: ast.AST) -> Iterator[Place]:
    if isinstance(node, ast.Call):
        yield from by_call(node)
    for target in targets(node):
        if isinstance(target, ast.Attribute) and (path := path_of(target)):
            yield Place(path)
        elif isinstance(target, ast.Subscript) and (path := path_of(target.value)):
            yield Place(path, "[]")


def targets(node: ast.AST) -> Iterator[ast.expr]:
    """What a statement assigns or deletes, one by one."""
    if isinstance(node, ast.Assign | ast.Delete):
        for target in node.targets:
            yield from target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
    elif isinstance(node, ast.AugAssign | ast.AnnAssign):
        yield node.target


def by_call(node: ast.Call) -> Iterator[Place]:
    """``shop.RATES.update(…)``, and ``setattr(shop, "mode", …)``."""
    function, arguments = node.func, node.args
    if isinstance(function, ast.Attribute) and function.attr in METHODS:
        if path := path_of(function.value):
            yield Place(path, function.attr)
    elif isinstance(function, ast.Name) and function.id in ("setattr", "delattr") and arguments[1:]:
        name, path = arguments[1], path_of(arguments[0])
        if path and isinstance(name, ast.Constant) and isinstance(name.value, str):
            yield Place((*path, name.value))


def path_of(node: ast.AST) -> Path | None:
    step: Step
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=inner, attr=step):
            pass
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)):
            step = Item(key)
        case ast.Call(func=inner, args=arguments, keywords=[]):
            last = getattr(inner, "attr", None) or getattr(inner, "id", "")
            if last not in GETTERS or not all(isinstance(one, ast.Constant) for one in arguments):
                return None
            step = Call(tuple(one.value for one in arguments))
        case _:
            return None
    path = path_of(inner)
    return (*path, step) if path else None


def aliases(nodes: list[ast.AST]) -> dict[str, Path]:
    """Local names for a path, ``site = admin.site``: those that are assigned once."""
    found: dict[str, list[Path | None]] = {}
    for node in nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(path_of(node.value))
    single = {name: paths[0] for name, paths in found.items() if len(paths) == 1}
    return {
        name: path for name, path in single.items() if path and len(path) > 1 and path[0] != name
    }


def imports(nodes: list[ast.AST], package: str) -> dict[str, str]:
    """The names that the code imports, also in functions, and what they stand for: ``django.conf.settings``."""
    found = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for name in node.names:
                first = name.name.partition(".")[0]
                found[name.asname or first] = name.name if name.asname else first
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            for name in node.names:
                found[name.asname or name.name] = f"{base}.{name.name}"
    return found


class Finder:
    """Follows the paths of one test file in the process."""

    def __init__(self, nodes: list[ast.AST], module: ModuleType | None) -> None:
        self.places = sorted(places(nodes), key=repr)
        self.module = module
        self.imports = imports(nodes, getattr(module, "__package__", None) or "")

    def find(self, path: Path) -> tuple[Any, str]:
        """The object at that path, ABSENT where there is none, and its name."""
        root, *steps = path
        assert isinstance(root, str)
        if root in self.imports:
            found, name = dotted(self.imports[root])
        elif self.module and root in vars(self.module):
            found, name = vars(self.module)[root], f"{self.module.__name__}.{root}"
        else:
            return ABSENT, ""
        for step in steps:
            name = named(found, name, step)
            found = step_to(found, step)
        return unwrapped(found), name


def dotted(name: str) -> tuple[Any, str]:
    """What an import of that name finds, without importing anything."""
    parts = name.split(".")
    for number in range(len(parts), 0, -1):
        found: Any = sys.modules.get(".".join(parts[:number]))
        if found is not None:
            for part in parts[number:]:
                found = step_to(found, part)
            return found, definition(found) or name
    return ABSENT, name


def step_to(owner: Any, step: Step) -> Any:
    """One step, without running code of descriptors or ``__getattr__``; ABSENT where it leads nowhere."""
    owner = unwrapped(owner)
    if owner is ABSENT:
        return ABSENT
    try:
        if isinstance(step, Item):
            return owner[step.key] if type(owner) in (dict, list, tuple) else ABSENT
        if isinstance(step, Call):
            return owner(*step.arguments)
        return static(owner, step)
    except Exception:  # There is no such thing, or not yet.
        return ABSENT


def static(owner: Any, name: str) -> Any:
    """An attribute of an object, or of its class, as it stands in ``__dict__``."""
    own = getattr(type(owner), "__dictoffset__", 0) and getattr(owner, "__dict__", {})
    if own and name in own:
        return own[name]
    for cls in owner.__mro__ if isinstance(owner, type) else type(owner).__mro__:
        if name in vars(cls):
            value = vars(cls)[name]
            if name in GETTERS:  # A method to be called.
                return getattr(owner, name)
            is_slot = type(value).__name__ == "member_descriptor"
            return getattr(owner, name) if is_slot else value
    return ABSENT


def unwrapped(value: Any) -> Any:
    """What a lazy object holds; ABSENT while it holds nothing."""
    while issubclass(type(value), LazyObject):
        value = vars(value).get("_wrapped", empty)
        if value is empty:
            return ABSENT
    return value


def definition(value: Any) -> str:
    """Where a class, a function or a module is defined."""
    if isinstance(value, ModuleType):
        return value.__name__
    name = (
        getattr(value, "__qualname__", None) if isinstance(value, type) or callable(value) else None
    )
    return f"{value.__module__}.{name}" if name and getattr(value, "__module__", None) else ""


def named(owner: Any, name: str, step: Step) -> str:
    if isinstance(step, str):
        return f"{definition(owner) or name}.{step}"
    return (
        f"{name}[{step.key!r}]"
        if isinstance(step, Item)
        else f"{name}({', '.join(map(repr, step.arguments))})"
    )


def last_name(node: Any) -> str:
    return getattr(node, "attr", None) or getattr(node, "id", "")
