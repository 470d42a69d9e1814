"""The environment variables that a test file may set, and context variables that it resets, by its source.

    os.environ["PAYMENTS"] = "off"      PAYMENTS alone
    os.environ.update(values)           any: None stands for it
    os.environ.get("PAYMENTS")          none, like all that only reads

What undoes its changes itself, like monkeypatch.setenv(), counts for the names that it spells.
"""

import ast
import os
from collections.abc import Iterator, Sequence

from .places import last_name

# A file without one of these sets none.
NAMES = {"environ", "environb", "putenv", "unsetenv", "setenv", "delenv", "load_dotenv", "read_env"}
READERS = {"__contains__", "__getitem__", "copy", "get", "items", "keys", "values"}
BY_KEY = {"__delitem__", "__setitem__", "pop", "setdefault"}
# Functions that get the environment, and leave it.
COPIES = {"bool", "copy", "deepcopy", "dict", "isinstance", "iter", "len", "list", "print", "repr"}
COPIES |= {"set", "sorted", "str", "tuple"}
# Where it stands to be read: {**os.environ}, "PAYMENTS" in os.environ, for name in os.environ.
READS = {ast.Compare, ast.Dict, ast.BinOp, ast.For, ast.comprehension, ast.Starred}
READS |= {ast.FormattedValue, ast.UnaryOp, ast.If, ast.Assert, ast.Expr}


def variables(nodes: list[ast.AST], imports: dict[str, str]) -> set[str | None]:
    parents = {child: node for node in nodes for child in ast.iter_child_nodes(node)}
    found: set[str | None] = set()
    for node in nodes:
        if isinstance(node, ast.Call):
            found.update(by_call(node))
        elif is_environment(node, imports):
            found.update(by_use(node, parents))
    return found


def is_environment(node: ast.AST, imports: dict[str, str]) -> bool:
    """``os.environ``, not that of a request."""
    if isinstance(node, ast.Attribute):
        name = dotted(node, imports)
    else:
        name = imports.get(getattr(node, "id", ""), "")
    return name in ("os.environ", "os.environb")


def by_call(node: ast.Call) -> Iterator[str | None]:
    name = last_name(node.func)
    if name in ("load_dotenv", "read_env"):
        yield None
    elif name in ("putenv", "unsetenv", "setenv", "delenv"):
        yield from filter(None, map(constant, node.args[:1]))


def by_use(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[str | None]:
    parent = parents[node]
    match parent:
        case ast.Subscript(slice=key, ctx=ast.Store() | ast.Del()):
            yield constant(key)
        case ast.AugAssign(value=value):  # os.environ |= {"PAYMENTS": "off"}
            yield from keys((value,))
        case ast.Attribute(attr=method) if method not in READERS:
            yield from by_method(parent, parents[parent])
        case ast.Call(func=ast.Attribute(attr="dict"), args=[_, *values], keywords=keywords):
            yield from filter(None, keys(values, keywords))  # mock.patch.dict(os.environ, …)
        case ast.Call(func=ast.Attribute(attr="setitem" | "delitem"), args=[_, key, *_]):
            yield from filter(None, [constant(key)])
        case ast.Call(func=function):
            if last_name(function) not in COPIES:
                yield None
        case ast.keyword(arg=name):
            if name not in (None, "env"):  # subprocess.run(…, env=os.environ)
                yield None
        case ast.Attribute() | ast.Subscript():
            pass
        case _:
            is_set = isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)  # os.environ = …
            if not (is_set or type(parent) in READS):
                yield None


def by_method(method: ast.Attribute, user: ast.AST) -> Iterator[str | None]:
    """``os.environ.pop("PAYMENTS")``, or ``addCleanup(os.environ.pop, "PAYMENTS")``."""
    if not isinstance(user, ast.Call):
        yield None
        return
    arguments = user.args
    if method in arguments:
        arguments = arguments[arguments.index(method) + 1 :]
    if method.attr in BY_KEY:
        yield constant(arguments[0]) if arguments else None
    elif method.attr == "update":
        yield from keys(arguments, user.keywords)
    else:
        yield None


def is_reset(node: ast.AST) -> bool:
    """Whether it resets a context variable: ``tenant.reset(token)``, or ``partial(tenant.reset, token)``."""
    if not isinstance(node, ast.Call):
        return False
    functions = [node.func] if len(node.args) == 1 else []
    return any(getattr(one, "attr", "") == "reset" for one in [*functions, *node.args])


def keys(
    arguments: Sequence[ast.expr], keywords: Sequence[ast.keyword] = ()
) -> Iterator[str | None]:
    """Those of what dict.update() takes; a ``**`` has None for a key."""
    for one in arguments:
        match one:
            case ast.Dict(keys=names):
                yield from map(constant, names)
            case ast.Call(func=ast.Name(id="dict"), args=[], keywords=names):
                yield from (keyword.arg for keyword in names)
            case _:
                yield None
    yield from (keyword.arg for keyword in keywords)


def constant(node: ast.AST | None) -> str | None:
    value = node.value if isinstance(node, ast.Constant) else None
    return os.fsdecode(value) if isinstance(value, str | bytes) else None


def dotted(node: ast.Attribute, imports: dict[str, str]) -> str:
    """``os.environ``, whatever name the file gives to ``os``."""
    owner = last_name(node.value)
    return f"{imports.get(owner, owner)}.{node.attr}"
