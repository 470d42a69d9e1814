"""One command names the polluter of a test that fails only after another one."""

import random

import pytest

POLLUTER = """
from . import shop

def test_polluter_{number}():
    shop.rates.append({number})
"""
VICTIM = """
from . import shop

def test_victim():
    assert shop.rates == []
"""
NEUTRAL = """
import pytest

@pytest.mark.parametrize("n", range(20))
def test_neutral(n):
    pass
"""


@pytest.fixture
def polluted(generate):
    """A project in which one leak is let through, so that a victim depends on the order."""
    project = generate(include_sample=False)
    folder = project.path / "tests" / "polluted"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""A planted polluter."""\n')
    (folder / "shop.py").write_text("rates = []\n")
    (folder / "test_polluter.py").write_text(POLLUTER.format(number=random.randrange(1000)))
    (folder / "test_victim.py").write_text(VICTIM)
    (folder / "test_neutral.py").write_text(NEUTRAL)
    configuration = project.path / "pyproject.toml"
    text = configuration.read_text()
    configuration.write_text(
        text.replace("[tool.pytest]\n", '[tool.pytest]\nisolation_keep = ["attributes:*.shop.rates"]\n')
    )
    return project


def red_seed(project) -> str:
    """A seed whose order puts the polluter first."""
    for seed in map(str, range(1, 40)):
        done = project.pytest("-q", f"--randomly-seed={seed}", "tests/polluted", check=False)
        if "test_victim" in done.stdout and done.returncode:
            return seed
    raise AssertionError("no order is red")


def test_the_polluter_is_named(polluted):
    seed = red_seed(polluted)
    command = ["python", "-m", f"{polluted.package.name}.testing.pollution"]

    done = polluted.run(
        *command,
        "tests/polluted/test_victim.py::test_victim",
        "--seed",
        seed,
        "--tests",
        "tests/polluted",
        check=False,
    )

    assert "test_polluter.py::test_polluter_" in done.stdout.splitlines()[-1]


def test_a_test_that_leaks_is_no_victim(polluted):
    """It is named by its own run already."""
    leaking = "import os\n\ndef test_leaks():\n    os.environ['LEAK'] = '1'\n"
    (polluted.path / "tests" / "polluted" / "test_leaking.py").write_text(leaking)
    (polluted.path / "tests" / "polluted" / "test_victim.py").unlink()

    command = ["python", "-m", f"{polluted.package.name}.testing.pollution", "--tests", "tests/polluted"]
    done = polluted.run(*command, check=False)

    assert "Every test passes in this order" in done.stdout.splitlines()[-1]
