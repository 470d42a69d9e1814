"""Every rendered file has exactly one owner, and the template's say where to extend instead."""

import re
from pathlib import Path

import pytest
import shapes
from ownership import DECLARED, OWNERS, SPECS
from pathspec import PathSpec

CATALOGUE = shapes.catalogue()
# What the first lines of a file of the template name: a seam, or a place that is the project's.
POINTERS = re.compile(r"\b(?:settings|urls|routing|conftest|tasks)\.py\b|\b[Yy]ours?\b|--data\b")


def files(tree):
    return sorted(str(file.relative_to(tree)) for file in tree.rglob("*") if file.is_file())


def head(file):
    return "\n".join(file.read_text().splitlines()[:12])


def package(tree):
    return next(tree.glob("*/base_settings.py")).parent.name


@pytest.mark.parametrize("shape", CATALOGUE)
def test_every_file_has_one_owner(rendered, shape):
    for file in files(rendered(**CATALOGUE[shape])):
        found = [owner for owner, spec in SPECS.items() if spec.match_file(file)]
        assert len(found) == 1, f"{file} must have exactly one owner in ownership.yml, has {found or 'none'}"


def test_nothing_is_declared_in_vain(rendered):
    """A pattern that no shape has a file for is a leftover, or a misspelling."""
    everything = {file for answers in CATALOGUE.values() for file in files(rendered(**answers))}

    for key in OWNERS.values():
        for line in DECLARED[key]:
            spec = PathSpec.from_lines("gitignore", [f"/{line}"])
            assert [*spec.match_files(everything)], f"ownership.yml: no shape has {line}"


@pytest.mark.parametrize("shape", CATALOGUE)
def test_files_of_the_template_say_where_to_extend(rendered, shape):
    """In their first lines, or for a module in those of its package."""
    tree = rendered(**CATALOGUE[shape])

    for name in SPECS["template"].match_files(files(tree)):
        heads = [head(tree / name)]
        if name.startswith(package(tree)) and name.count("/") > 1:  # In testing/ or postgresql/.
            folder = "/".join(name.split("/")[:2])
            heads.append(head(tree / folder / "__init__.py"))
        assert any(map(POINTERS.search, heads)), f"{name} does not say where to extend instead"


@pytest.mark.parametrize("shape", CATALOGUE)
def test_files_of_the_project_say_so(rendered, shape):
    """In their first lines; a whole folder says it once, in its __init__.py."""
    tree = rendered(**CATALOGUE[shape])

    for name in SPECS["project"].match_files(files(tree)):
        said = head(tree / name)
        if "users" in (parts := (tree / name).parts):
            said = head(Path(*parts[: parts.index("users") + 1], "__init__.py"))
        assert "Yours" in said, f"{name} does not say that it is the project's"
        assert "never touches this file" in said


def test_no_file_is_ignored_by_the_project(rendered):
    """Copier overwrites what it ships, and git has no trace of what is ignored (.env)."""
    tree = rendered(**CATALOGUE["everything"])
    ignored = PathSpec.from_lines("gitignore", (tree / ".gitignore").read_text().splitlines())

    assert not [*ignored.match_files(files(tree))]
