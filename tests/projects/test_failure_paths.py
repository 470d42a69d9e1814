"""However a test ends, the guard neither hides a leak nor invents one: see payloads/faults/paths.py."""

import ast
import json
import re
import shutil

import pytest
import shapes

PATHS = shapes.PAYLOADS / "faults" / "paths.py"
LEAK = "1 leak: environ:LEAK (unset → 'left'): use monkeypatch.setenv()"
# Writes every report of a run, as pytest counts it, with its text.
RECORDER = """
import json, pathlib

counted = []

def pytest_runtest_logreport(report):
    if report.when != "call" and report.outcome == "passed":
        return
    word = "error" if report.failed and report.when != "call" else report.outcome
    if hasattr(report, "wasxfail"):
        word = {"skipped": "xfailed", "passed": "xpassed"}[report.outcome]
    counted.append((report.nodeid.rpartition("test_paths.py::")[2], word, report.longreprtext))

def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        pathlib.Path("counted.json").write_text(json.dumps(counted))
"""


def promises() -> dict[str, set[str]]:
    """test -> what its docstring promises."""
    found = {}
    for node in ast.parse(PATHS.read_text()).body:
        for item in getattr(node, "body", []) if isinstance(node, ast.ClassDef) else [node]:
            if getattr(item, "name", "").startswith("test_"):
                prefix = f"{node.name}::" if node is not item else ""
                found[prefix + item.name] = {*ast.get_docstring(item).split(", ")}
    return found


def verdicts(project, *options) -> dict[str, list[set[str]]]:
    """test -> what was reported, of each of its parameters."""
    project.pytest("tests/test_paths.py", "-p", "recorder", *options, check=False)
    told = {}
    for name, word, text in json.loads((project.path / "counted.json").read_text()):
        words = told.setdefault(name, set())
        text = re.sub(r"\A\[gw\d\] .*\n", "", text)  # pytest-xdist says which worker.
        if "1 leak: " in text:
            assert {*re.findall(r"1 leak: .*", text)} == {LEAK}
            words |= {"leaks"} if word == "error" else {"leak hidden"}
        if word != "error" or not text.startswith("1 leak: "):
            words |= {word}
    found = {}
    for name, words in told.items():
        found.setdefault(name.partition("[")[0], []).append(words)
    return found


@pytest.fixture(scope="module", params=["3.11", "3.13"])
def project(rendered, tmp_path_factory, request):
    answers = {"django_version": "6.1"} if request.param == "3.13" else {}
    path = tmp_path_factory.mktemp("paths") / "project"
    shutil.copytree(rendered(**answers), path)
    shutil.copy(PATHS, path / "tests" / "test_paths.py")
    (path / "recorder.py").write_text(RECORDER)
    return shapes.Project(path, shapes.environment(path, request.param))


@pytest.mark.parametrize(
    "options",
    [["-p", "no:randomly"], ["-p", "randomly", "--randomly-seed=1"], ["--randomly-seed=2"], ["-n", "2"]],
    ids=["in order", "seed 1", "seed 2", "xdist"],
)
def test_no_leak_is_hidden_or_invented(project, options):
    found = verdicts(project, *options)

    assert found == {name: [words] * len(found[name]) for name, words in promises().items()}


def test_the_first_test_of_a_run_is_not_blamed_for_what_it_finds(project):
    (project.path / "tests" / "test_first.py").write_text(FIRST)

    assert "2 passed" in project.pytest("tests/test_first.py", "-p", "no:randomly").stdout


FIRST = """
from contextvars import ContextVar
import pytest

tenant = ContextVar("tenant", default="nobody")
changed = ContextVar("changed", default=None)

@pytest.fixture
def set_here():
    changed.set(1)

def test_sets(set_here):
    assert tenant.get() == "nobody"

def test_is_spared():
    assert changed.get() is None
"""


def test_the_guard_is_what_tells(project):
    """Without it nobody is named, and the next test suffers."""
    found = verdicts(project, "-p", "no:randomly", "--isolation=off")

    assert not any("leaks" in words for several in found.values() for words in several)
    assert found["test_fails_tidily"] == [{"error"}]
