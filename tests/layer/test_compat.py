"""The layer's rules about itself: one place for what is private of others, a manual in each probe."""

import ast
import importlib
import sys
from types import SimpleNamespace

import pytest
import zygote

FILES = {str(file.relative_to(zygote.LAYER)): file for file in sorted(zygote.LAYER.rglob("*.py"))}
# Names that a package documents, or that only look private.
PUBLIC = {"_meta", "_default_manager", "_replace"}


@pytest.fixture(scope="module")
def compat():
    if "hermetic" not in sys.modules:
        zygote.hermetic()
    return importlib.import_module("hermetic.compat")


def private_names(tree):
    """Attributes and imports that begin with an underscore, but for those of the object itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
        ):
            yield node.attr
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (alias.name for alias in node.names)
            yield from node.module.split(".")


@pytest.mark.parametrize("name", [name for name in FILES if name != "compat.py"])
def test_what_is_private_of_others_stands_in_compat(name):
    found = {one for one in private_names(ast.parse(FILES[name].read_text())) if one.startswith("_")}

    assert {one for one in found if not one.startswith("__")} - PUBLIC == set()


def test_everything_in_compat_is_registered_with_its_versions(compat):
    functions = [
        node
        for node in ast.parse(FILES["compat.py"].read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name != "seen_in"
    ]

    assert {one.name for one in functions} == {one.__name__ for one in compat.private}
    assert all(ast.get_docstring(one) for one in functions)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("started_patches", ()),
        ("encoded_environ", ()),
        ("signal_handler", ()),
        ("base_temporary_folder", ("config",)),
        ("fixture_function", ("item", "tmp_path")),
        ("transaction_fixture", ()),
        ("django_db_options", (SimpleNamespace(args=(), kwargs={"transaction": True}),)),
        ("thread_sensitive_executor", ()),
        ("async_to_sync_code", ()),
        ("asgi_thread_switches", ()),
        ("committing_case_hooks", ()),
        ("frozen_clocks", ()),
    ],
)
def test_it_is_where_it_was(compat, request, name, arguments):
    known = {"config": request.config, "item": request.node}

    assert (
        getattr(compat, name)(*(known.get(one, one) if isinstance(one, str) else one for one in arguments))
        is not None
        or True
    )


def test_a_rename_upstream_says_what_to_do(compat, monkeypatch):
    monkeypatch.setattr(compat, "os", SimpleNamespace(environ=object()))

    with pytest.raises(
        compat.Renamed, match=r"encoded_environ was seen in Python .* upgrade the testing layer, or pin"
    ):
        compat.encoded_environ()


@pytest.mark.parametrize("name", FILES)
def test_a_file_holds_one_subject(name):
    assert len(FILES[name].read_text().splitlines()) <= 300


def test_each_probe_is_its_own_manual():
    """What it watches, what it ignores, what it costs, how it reverts."""
    for name, file in FILES.items():
        for node in ast.parse(file.read_text()).body:
            bases = {getattr(base, "id", "") for base in getattr(node, "bases", [])}
            if name.startswith("probes/") and bases & {"Probe", "Snapshot"} and node.name != "Snapshot":
                text = ast.get_docstring(node) or ""
                assert all(word in text for word in ("Watches", "Ignores", "Costs")), node.name
                assert "Revert" in text or "stopped" in text, node.name


@pytest.mark.parametrize("name", ["task_backends", "tasks"])
def test_results_of_older_and_newer_django_tasks_are_cleared(compat, name):
    cleared = []
    backend = SimpleNamespace(clear=lambda: cleared.append(name))
    handler = SimpleNamespace(all=lambda initialized_only: [backend])

    importlib.import_module("hermetic.tasks").clear_results(SimpleNamespace(**{name: handler}))

    assert cleared == [name]
