"""Planted faults: each has a polluter, a victim, and an innocent twin that does the same properly.

With the guard, a polluter is judged as its class says, and no victim and no twin fails. Without it,
each victim is spoilt: so every fault is one, and every verdict is the guard's doing.
"""

import ast
import re
import shutil
import sys
from xml.etree import ElementTree

import pytest
import shapes

FAULTS = shapes.PAYLOADS / "faults"
MODULES = ("test_process", "test_state", "test_leftovers")
LEAKED = re.compile(r"Leaked: \d+ leaks?: ")
ONE_BY_ONE = """
import gc, os, sys, pytest, asyncio, unittest.mock, django.test
import faker.providers, factory.django, pytest_asyncio.plugin, time_machine, xdist.plugin
gc.freeze()
for target in sys.argv[1:]:
    pid = os.fork()
    if not pid:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        name = target.rpartition("::")[2]
        options = ["-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--isolation=off", "-p", "no:socket",
                   "-W", "ignore::pytest.PytestAssertRewriteWarning",
                   "--override-ini=addopts=--ds=%s.test_settings -p %s.testing.plugin" % (PACKAGE, PACKAGE),
                   f"--junitxml=off/{name}.xml"]
        os._exit(pytest.main([*options, target]))
    os.waitpid(pid, 0)
"""


def faults():
    """(module, class, verdict, words, why it is harmless without the guard) of every class of faults."""
    for module in MODULES:
        for node in ast.parse((FAULTS / f"{module}.py").read_text()).body:
            if isinstance(node, ast.ClassDef):
                call = next(
                    one
                    for one in node.decorator_list
                    if isinstance(one, ast.Call)
                    and getattr(one.func, "id", "") in ("reported", "blocked", "reset")
                )
                notes = {
                    item.targets[0].id: item.value.value
                    for item in node.body
                    if isinstance(item, ast.Assign) and isinstance(item.value, ast.Constant)
                }
                words = [argument.value for argument in call.args]
                yield module, node.name, call.func.id, words, notes


TABLE = [pytest.param(*fault, id=fault[1]) for fault in faults()]


@pytest.fixture(scope="session")
def plant(rendered, tmp_path_factory):
    """A function: Django, Python, delivery of the layer -> a default project with the faults in its tests."""

    def make(django, python, layer):
        path = tmp_path_factory.mktemp("faults") / "project"
        shutil.copytree(rendered(django_version=django, testing_layer=layer), path)
        # What a project may add, and the guard knows of.
        configuration = path / "pyproject.toml"
        text = configuration.read_text()
        configuration.write_text(text.replace("\ntest = [\n", '\ntest = [\n    "freezegun==1.5.5",\n'))
        shutil.copytree(FAULTS, path / "tests" / "faults", ignore=shutil.ignore_patterns("__pycache__"))
        # Without the guard, a file left in the temporary folder is left for good.
        temporary = {"TMPDIR": str(tmp_path_factory.mktemp("temporary"))}
        return shapes.Project(path, shapes.environment(path, python), temporary)

    return make


def results(file):
    """test id -> the texts of its failures and errors."""
    found = {}
    for case in ElementTree.parse(file).iter("testcase"):
        texts = [f"{part.get('message')}\n{part.text}" for part in case if part.tag in ("failure", "error")]
        skipped = case.find("skipped") is not None
        found.setdefault((case.get("classname").rpartition(".")[2], case.get("name")), []).extend(
            ["skipped"] if skipped else texts
        )
    return found


@pytest.fixture(
    scope="session",
    params=[("5.2", "3.11", "embedded"), ("6.1", "3.13", "package")],
    ids=["django5-embedded", "django6-package"],
)
def guarded(plant, request):
    planted = plant(*request.param)
    planted.pytest(
        "tests/faults", "-p", "randomly", "--randomly-dont-reorganize", "--junitxml=on.xml", "-q", check=False
    )
    return results(planted.path / "on.xml")


@pytest.fixture(scope="session")
def unguarded(plant, tmp_path_factory, testrun_uid):
    """Each fault in a process of its own, or one would spoil the next. Once for all of xdist's workers."""
    shared = tmp_path_factory.getbasetemp().parent / f"unguarded-{testrun_uid}"
    with shapes.locked(shared.with_suffix(".lock")):
        if not shared.exists():
            planted = plant("5.2", "3.11", "embedded")
            targets = [f"tests/faults/{module}.py::{name}" for module, name, *_ in faults()]
            script = f"PACKAGE = {planted.package.name!r}\n{ONE_BY_ONE}"
            planted.run("python", "-c", script, *targets)
            shutil.copytree(planted.path / "off", shared)
    found = {}
    for file in shared.glob("*.xml"):
        found |= results(file)
    return found


def role(found, name, role):
    return next(texts for (cls, test), texts in found.items() if cls == name and test.endswith(role))


@pytest.mark.parametrize(("module", "name", "verdict", "words", "notes"), TABLE)
def test_the_polluter_is_judged(guarded, module, name, verdict, words, notes):
    polluter = role(guarded, name, "polluter")
    if verdict == "reset":
        assert polluter == []
    else:
        assert len(polluter) == 1
        assert all(word in polluter[0] for word in words)
        assert bool(LEAKED.search(polluter[0])) == (verdict == "reported")


@pytest.mark.parametrize(("module", "name", "verdict", "words", "notes"), TABLE)
def test_victim_and_innocent_twin_pass(guarded, module, name, verdict, words, notes):
    assert role(guarded, name, "victim") == []
    assert role(guarded, name, "innocent") == []


@pytest.mark.parametrize(("module", "name", "verdict", "words", "notes"), TABLE)
def test_without_the_guard_it_is_silent(unguarded, module, name, verdict, words, notes):
    """Or it would be no fault, and the verdict above no merit of the guard."""
    assert len([key for key in unguarded if key[0] == name]) == 3
    if verdict == "reported":
        assert role(unguarded, name, "polluter") == []
    if not notes and verdict == "reported":
        assert role(unguarded, name, "victim") != [], "the victim passes without the guard"


def test_there_are_enough_faults():
    assert len(TABLE) >= 70
    assert sys.version_info >= (3, 11)
