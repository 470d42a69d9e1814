"""What the code of a test changes, read from its source: the rest is production code's doing.

Production code fills caches on first use, counts, registers on import and keeps a current user. The
process looks the same afterwards, whoever changed it. So a change counts as a test's doing only where
a test file (or a conftest.py) names what is changed; otherwise it is reverted silently.
"""

import ast
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import Mock

import pytest
from django.apps import apps

from .places import MUTATORS, Finder, last_name, targets
from .variables import NAMES, dotted, is_reset, variables

LAYER = Path(__file__).parent
# Calls that may change attributes whose names the file does not spell.
INSTALLERS = {"apply", "exec", "eval", "install", "patch_all", "reload", "start", "vars"}
KINDS = {ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete, ast.Call, ast.ClassDef}
KINDS |= {ast.Import, ast.ImportFrom, ast.Global}
BY_NAME = {"setattr", "delattr", "setitem", "delitem", "patch", "object", "multiple", "dict"}


class TestCode:
    """The test files of a run, and the test that runs now."""

    __test__ = False

    def __init__(self, config: pytest.Config) -> None:
        self.root = config.rootpath
        self.files: dict[Path, Changes] = {}
        self.found: list[Changes] = []
        self.known: dict[tuple[Path, ...], list[Changes]] = {}
        self.resetting: dict[int, bool] = {}  # By the identity of these lists.
        self.collected: set[Path] = set()  # The test files of the run.
        self.modules: dict[str, str] = {}  # The names of modules, by their files.

    def begin(self, *paths: Path) -> None:
        """Look at these files, and each conftest.py above them, from now on."""
        if paths not in self.known:
            files = {file: None for path in paths for file in (path, *conftests(path))}
            own = [
                file for file in files if file.is_relative_to(self.root) or file in self.collected
            ]
            self.known[paths] = [one for one in map(self.read, own) if not one.is_empty]
        self.found = self.known[paths]

    @contextmanager
    def of(self, *paths: Path) -> Generator[None]:
        """Look at these files meanwhile."""
        before = self.found
        self.begin(*paths)
        try:
            yield
        finally:
            self.found = before

    def others(self) -> set[str]:
        """The test files of the run whose code does not run now."""
        return {*map(str, self.collected.difference(one.file for one in self.found))}

    def patched(self) -> set[str] | None:
        """The names that the test and its helpers may change; None: any name."""
        code = self.code()
        is_dynamic = any(one.is_dynamic for one in code)
        return None if is_dynamic else set().union(*(one.names for one in code))

    def code(self) -> list["Changes"]:
        """The test file, each conftest.py, and the helpers of tests that they import."""
        found = [*self.found]
        for one in found:
            helpers = map(self.read, one.helpers(self.root))
            found += [helper for helper in helpers if helper not in found]
        return found

    def changes(self, *names: str) -> bool:
        """Whether the code of the test assigns, deletes or mutates something of one of these names."""
        return any({*names} & one.names for one in self.found)

    def creates(self, name: str) -> bool:
        """Whether it assigns or patches an attribute of that name of something other than a local variable."""
        return any(name in one.assigned or name in one.patched for one in self.found)

    def assigns(self, name: str) -> bool:
        """Whether it does so by a statement."""
        return any(name in one.assigned for one in self.found)

    def replaced(self, name: str, value: Any) -> bool:
        """Whether it may have replaced a function or class of a library: it spells it, or defined the new one."""
        code = self.code()
        if any(name in one.names for one in code):
            return True
        if not any(one.is_dynamic for one in code):
            return False
        file = getattr(sys.modules.get(getattr(value, "__module__", None) or ""), "__file__", None)
        defined = file in {str(one.file) for one in code}
        return defined or isinstance(value, Mock) or self.calls("reload")

    def spells(self, name: str) -> bool:
        """Whether the test or its helpers change something of that name."""
        return any(name in one.names for one in self.code())

    def calls(self, *names: str) -> bool:
        """Whether the code of the test calls one of these names, or derives a class from it."""
        return any({*names} & one.calls for one in self.found)

    def mentions(self, *names: str) -> bool:
        """Whether one of these names, also ``os.chdir``, stands anywhere in the code of the test."""
        return any({*names} & one.mentioned for one in self.code())

    def resets_variables(self) -> bool:
        """Whether it resets a context variable by its token, which works in one context alone."""
        known, files = self.resetting, id(self.found)
        if files not in known:
            known[files] = any(one.resets_variables for one in self.code())
        return known[files]

    def sets(self, variable: str) -> bool:
        """Whether it may set that environment variable."""
        return any({variable, None} & one.variables for one in self.code())

    def read(self, file: Path) -> "Changes":
        if file not in self.files:
            if str(file) not in self.modules:
                every = reversed([*sys.modules.items()])  # The first of a file counts.
                self.modules = {str(file_of(module)): name for name, module in every}
            name = self.modules.get(str(file), "")
            self.files[file] = Changes(file, sys.modules.get(name))
        return self.files[file]


def file_of(module: Any) -> Any:
    """Its ``__file__``, without running code of a lazy module."""
    return getattr(module, "__dict__", {}).get("__file__")


@cache
def is_inside(file: Path, root: Path) -> bool:
    """Whether it is the project's: no library, though its environment may lie below the root, nor this layer."""
    return (
        file.is_relative_to(root)
        and "site-packages" not in file.parts
        and LAYER not in file.parents
    )


@cache
def is_of_tests(file: Path, root: Path) -> bool:
    """Whether a folder below the root that is for tests holds it.

    That of a conftest.py is, unless it is the project's package: one that holds an application.
    """
    folders = [folder for folder in file.parents if root in folder.parents]
    return any(
        folder.name in ("test", "tests")
        or ((folder / "conftest.py").exists() and not holds_application(folder))
        for folder in folders
    )


def holds_application(folder: Path) -> bool:
    return any(Path(one.path).is_relative_to(folder) for one in apps.app_configs.values())


def parsed(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # No Python file: a test of another kind.
        return ast.Module([], [])


def conftests(path: Path) -> Iterator[Path]:
    return (folder / "conftest.py" for folder in path.parents)


class Changes:
    """The names that a file changes, and those that it calls or derives classes from.

    Read at once, since a syntax tree that is kept makes each garbage collection of the run longer.
    """

    def __init__(self, file: Path, module: ModuleType | None) -> None:
        self.file = file
        tree = parsed(file)
        every = [*ast.walk(tree)]
        # Those that may change, call or import something.
        nodes = [node for node in every if type(node) in KINDS]
        shared = module_names(tree, nodes)
        self.is_empty = not tree.body
        self.finder = Finder(nodes, module)
        # Whether it may change attributes whose names it does not spell.
        self.is_dynamic = any(map(is_dynamic, nodes))
        self.names = {name for node in nodes for name in changed_by(node, shared)}
        self.assigned = {name for node in nodes for name in assigned_by(node, shared)}
        in_calls = (node for node in nodes if isinstance(node, ast.Call))
        self.patched = {name for node in in_calls for name in changed_by(node, shared)}
        self.calls = {name for node in nodes for name in called_by(node)}
        self.resets_variables = any(map(is_reset, nodes))
        imported = [node.names for node in nodes if isinstance(node, ast.ImportFrom)]
        self.mentioned = {one.name for names in imported for one in names}
        self.mentioned |= {last_name(node) for node in every}
        known = self.finder.imports
        self.mentioned |= {*known.values()}
        self.mentioned |= {dotted(node, known) for node in every if type(node) is ast.Attribute}
        self.variables: set[str | None] = set()  # Of the environment; None: any.
        if NAMES & self.mentioned:
            self.variables = variables(every, known)

    def helpers(self, root: Path) -> list[Path]:
        """The files that it imports from the folders of tests."""
        names = {*self.finder.imports.values()}
        names |= {name.rpartition(".")[0] for name in names}
        files = {str(file_of(sys.modules.get(name))) for name in names}
        paths = map(Path, sorted(files))
        return [path for path in paths if is_inside(path, root) and is_of_tests(path, root)]


def module_names(tree: ast.Module, nodes: list[ast.AST]) -> set[str]:
    """Names of the module: a local variable may share its name with production's."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Global):
            found |= {*node.names}
    for statement in tree.body:
        found |= {last_name(node) for node in targets(statement)}
    return found


def called_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call):
        yield last_name(node.func)
    elif isinstance(node, ast.ClassDef):
        yield from map(last_name, node.bases)


def assigned_by(node: ast.AST, shared: set[str]) -> Iterator[str]:
    """``shop.api.mode = …`` where the file imports or defines ``shop``."""
    for target in targets(node):
        if isinstance(target, ast.Attribute) and not is_local(target, shared):
            yield target.attr


def changed_by(node: ast.AST, shared: set[str]) -> Iterator[str]:
    for target in targets(node):
        yield from of_target(target, shared)
    if isinstance(node, ast.Call):
        name = last_name(node.func)
        if name in MUTATORS and isinstance(node.func, ast.Attribute):
            yield from of_target(node.func.value, shared)
        elif name in BY_NAME:
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield argument.value.rpartition(".")[2]
                yield from of_target(argument, shared)
            yield from (keyword.arg for keyword in node.keywords if keyword.arg)


def is_dynamic(node: ast.AST) -> bool:
    if any(last_name(getattr(one, "value", None)) == "__dict__" for one in targets(node)):
        return True  # shop.__dict__["mode"] = "x"
    if not isinstance(node, ast.Call):
        return False
    name = last_name(node.func)
    if last_name(getattr(node.func, "value", None)) == "__dict__":
        return True
    if name in ("setattr", "delattr"):
        if not isinstance(node.func, ast.Name) or len(node.args) < 2:
            return False
        return not (isinstance(node.args[1], ast.Constant) or last_name(node.args[0]) == "self")
    return name in INSTALLERS


def of_target(node: ast.AST, shared: set[str]) -> Iterator[str]:
    """``shop.RATES["de"]`` changes RATES; ``self.rates`` changes the test's instance alone."""
    if isinstance(node, ast.Subscript):
        yield from of_target(node.value, shared)
    elif isinstance(node, ast.Attribute):
        if not (isinstance(node.value, ast.Name) and node.value.id == "self"):
            yield node.attr
    elif isinstance(node, ast.Name) and node.id in shared:
        yield node.id


def is_local(node: ast.expr, shared: set[str]) -> bool:
    """``view.api.mode`` of a local ``view``, which is not a class: not ``cls`` nor ``type(view)``."""
    while isinstance(node, ast.Attribute) and node.attr != "__class__":
        node = node.value
    return isinstance(node, ast.Name) and node.id != "cls" and node.id not in shared
