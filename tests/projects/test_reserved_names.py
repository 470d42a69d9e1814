"""A package cannot take a name that Python, Django or a dependency of the project has."""

import builtins
import json
import keyword
import sys

import shapes
import yaml


def test_every_name_that_would_clash_is_reserved(generate):
    """The standard library of this Python, Python's keywords, and every module of the fullest environment."""
    reserved = set(
        yaml.safe_load((shapes.ROOT / "reserved_names.yml").read_text())["reserved_names"]["default"].split()
    )
    script = "import importlib.metadata as m, json; print(json.dumps([*m.packages_distributions()]))"
    everything = generate(**shapes.catalogue()["everything"]).run("python", "-c", script).stdout
    taken = {*sys.stdlib_module_names, *keyword.kwlist, *json.loads(everything), "test", "tests"}
    taken |= {*dir(builtins), "admin", "auth", "messages"}

    assert {
        name for name in taken if name.islower() and name[0] != "_" and name.isidentifier()
    } - reserved == set()
