"""Fixtures that render, and run, shapes of the template."""

import json
import shutil
from pathlib import Path

import pytest
import releases
import shapes


def pytest_terminal_summary(terminalreporter):
    """The figures of tests/updates, added up over the tests that passed."""
    passed = [dict(report.user_properties) for report in terminalreporter.getreports("passed")]
    for kind in ("fleet", "judged", "killed"):
        if found := [properties[kind] for properties in passed if kind in properties]:
            total = ", ".join(f"{name} {sum(one[name] for one in found)}" for name in found[0])
            terminalreporter.write_line(f"{kind}: {total}")


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    return shapes.copy_template(tmp_path_factory.mktemp("template") / "hermetic")


@pytest.fixture(scope="session")
def rendered(template, tmp_path_factory):
    """A function: answers -> the rendered tree, made once a session; do not write into it."""
    trees = {}

    def get(**answers) -> Path:
        key = json.dumps(answers, sort_keys=True)
        if key not in trees:
            target = tmp_path_factory.mktemp("rendered") / "project"
            trees[key] = shapes.render(template, target, answers)
        return trees[key]

    return get


@pytest.fixture
def generate(rendered, tmp_path):
    """A function: answers -> a Project of your own, to run and to change."""

    def get(python: str | None = None, name: str = "project", **answers) -> shapes.Project:
        tree = rendered(**answers)
        python = python or ("3.13" if answers.get("django_version") == "6.1" else "3.11")
        path = tmp_path / name
        shutil.copytree(tree, path)
        return shapes.Project(path, shapes.environment(path, python))

    return get


@pytest.fixture(scope="session")
def repository(tmp_path_factory) -> releases.Repository:
    """A template repository with every release, the template as it stands (HEAD), and a NEXT release."""
    folder = tmp_path_factory.mktemp("repository")
    found = releases.Repository(folder / "hermetic-django")
    for tag in releases.released():
        found.release(tag, releases.unpack(tag, folder / tag))
    tree = shapes.copy_template(folder / "tree")
    found.release(releases.HEAD, tree)
    releases.next_release(tree)
    found.release(releases.NEXT, tree)
    return found
