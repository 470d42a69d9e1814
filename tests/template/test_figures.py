"""The published figures: README says what docs/figures/figures.json says, and so do the pictures."""

import importlib.util
import json
import re

import pytest
import shapes

FOLDER = shapes.ROOT / "docs" / "figures"
PUBLISHED = json.loads((FOLDER / "figures.json").read_text())
MEASURES = PUBLISHED["measures"]
# What README says of each: its measure, the variant here, another, and how that one is called.
ROWS = {
    "an async test that rolls back": (
        "async",
        "async, hermetic",
        "async, transaction=True, pytest-django",
        "`transaction=True` in plain pytest-django",
    ),
    "a test that commits, with 200 tables": (
        "commits",
        "200 tables, hermetic",
        "200 tables, Django's flush",
        "Django's flush",
    ),
    "planted leaks that are named": ("faults", "hermetic", "pytest-hygiene", "pytest-hygiene"),
}


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("pictures", shapes.ROOT / "benchmarks" / "pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("what", ROWS)
def test_the_readme_says_what_was_measured_and_no_more(pictures, what):
    name, ours, theirs, title = ROWS[what]
    readme = (shapes.ROOT / "README.md").read_text()
    if name not in MEASURES:
        assert f"| {what} |" not in readme
        return
    measure = MEASURES[name]
    end = f" of {measure['variants']['planted']['median']:.0f}" if name == "faults" else f" {measure['unit']}"
    one, other = (f"{pictures.number(measure['variants'][key]['median'])}{end}" for key in (ours, theirs))

    assert f"| {what} | {one} | {other}, {title} |" in readme


@pytest.mark.parametrize("name", MEASURES)
def test_a_picture_is_of_the_published_run_and_shown(pictures, name):
    assert (FOLDER / f"{name}.svg").read_text() == pictures.bars(MEASURES[name])
    assert f"({name}.svg)" in (FOLDER / "README.md").read_text()


def test_what_is_published_names_no_machine_or_path():
    assert not re.search(r"/(?:home|root|tmp|work|Users)\b|\w@\w|localhost|\.local\b", json.dumps(PUBLISHED["machine"]))
    assert all(one["command"].startswith("make figures") for one in MEASURES.values())
