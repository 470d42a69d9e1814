"""One command names what a test needs, or suffers from: tests/layer/test_pollution.py has its search."""

import pytest

NEUTRAL = """
import pytest

@pytest.mark.parametrize("n", range(3))
def test_neutral(n):
    pass
"""
LEAVES = """
from . import shop

def test_leaves_{name}():
    shop.rates.append("{name}")
"""
VICTIM = """
from . import shop

def test_victim():
    assert {condition}
"""
IMPORTED = """
from . import shop

shop.rates.append("import")

def test_imported():
    pass
"""
CLEAN, BOTH = "not shop.rates", "{*shop.rates} != {'one', 'two'}"


@pytest.fixture
def suite(generate):
    """A function: the files of a suite -> the project, in which one leak is let through."""

    def get(**files):
        project = generate(include_sample=False)
        folder = project.path / "tests" / "polluted"
        folder.mkdir()
        (folder / "__init__.py").write_text('"""Planted polluters."""\n')
        (folder / "shop.py").write_text("rates = []\n")
        for name, text in {"test_neutral": NEUTRAL, **files}.items():
            (folder / f"{name}.py").write_text(text)
        configuration = project.path / "pyproject.toml"
        kept = '[tool.pytest]\nisolation_keep = ["attributes:*.shop.rates"]\n'  # What the guard cannot see.
        configuration.write_text(configuration.read_text().replace("[tool.pytest]\n", kept))
        return project

    return get


def pollution(project, *options):
    """What the command prints."""
    command = ["python", "-m", f"{project.package.name}.testing.pollution", "--tests", "tests/polluted"]
    return project.run(*command, *options, check=False).stdout


def in_order(project, *names):
    """The victim, and a seed whose order runs these tests before it."""
    for seed in map(str, range(100)):
        options = ["--collect-only", "-q", "-n0", f"--randomly-seed={seed}", "tests/polluted"]
        order = project.pytest(*options).stdout
        if all(order.index(name) < order.index("test_victim") for name in names):
            return ["tests/polluted/test_victim.py::test_victim", "--seed", seed]
    raise AssertionError("no such order")


def see_it(project, text):
    """The result of the command that the last line names."""
    return project.run(*text.rpartition("See it:  uv run ")[2].split(), check=False).stdout


def test_one_polluter(suite):
    project = suite(test_one=LEAVES.format(name="one"), test_victim=VICTIM.format(condition=CLEAN))

    text = pollution(project, *in_order(project, "test_one"))

    assert text.startswith("Running tests/polluted up to tests/polluted/test_victim.py::test_victim, with ")
    assert "\nrun 2 of about " in text
    named = (
        "tests/polluted/test_one.py::test_leaves_one\nmakes fail\ntests/polluted/test_victim.py::test_victim"
    )
    assert f"\n{named}\n" in text
    assert "1 failed, 1 passed" in see_it(project, text)


def test_two_polluters_together(suite):
    both = {name: LEAVES.format(name=name.removeprefix("test_")) for name in ("test_one", "test_two")}
    project = suite(**both, test_victim=VICTIM.format(condition=BOTH))

    text = pollution(project, *in_order(project, "test_one", "test_two"))

    assert "\ntogether make fail\ntests/polluted/test_victim.py::test_victim\n" in text
    assert "1 failed, 2 passed" in see_it(project, text)


def test_a_brittle_test_needs_a_state_setter(suite):
    project = suite(test_one=LEAVES.format(name="one"), test_victim=VICTIM.format(condition="shop.rates"))

    text = pollution(project, "tests/polluted/test_victim.py::test_victim", "--seed", "1")

    named = (
        "tests/polluted/test_one.py::test_leaves_one\nmakes pass\ntests/polluted/test_victim.py::test_victim"
    )
    assert f"\n{named}\n" in text
    assert "2 passed" in see_it(project, text)


def test_without_a_victim_it_takes_the_first_of_a_run(suite):
    """Here, importing another module is enough."""
    project = suite(test_imported=IMPORTED, test_victim=VICTIM.format(condition=CLEAN))

    text = pollution(project)

    assert "1 of 5 tests failed" in text
    assert "importing tests/polluted/test_imported.py\nmakes fail\n" in text
    assert "1 failed, 1 deselected" in see_it(project, text)


def test_a_test_that_leaks_is_no_victim(suite):
    """It is named by its own run already."""
    project = suite(test_leaking="import os\n\ndef test_leaks():\n    os.environ['LEAK'] = '1'\n")

    assert "Every test passes in this order" in pollution(project).splitlines()[-1]
