"""What readers of Django's and pytest's documents do in a fresh project is green, or said in one sentence."""

import pytest
import shapes

SHAPES = {**shapes.catalogue(), "channels": {"use_channels": True}}
COMMANDS = {
    "manage.py test": ["python", "manage.py", "test", "--settings=acme_shop.test_settings"],
    "no random order": ["pytest", "-q", "-p", "no:randomly"],
    "warnings are errors": ["pytest", "-q", "-W", "error"],
}
CONTRACT = "tests/test_isolation_contract.py"
# Parts whose absence the contract test names; `-p no:` of pytest-socket is an unknown option already.
PARTS = ["clients", "development", "guard", "report", "rollback", "seeds", "tasks"]
INI = "[{section}]\nDJANGO_SETTINGS_MODULE = acme_shop.test_settings\nasyncio_mode = auto\n"


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("shape", ["default", "channels", pytest.param("everything", marks=pytest.mark.slow)])
def test_a_fresh_project_is_green(generate, shape, command):
    generate(**SHAPES[shape]).run(*COMMANDS[command])


TUTORIAL = """
from channels.testing import WebsocketCommunicator
from acme_shop.asgi import application

async def test_my_consumer():
    communicator = WebsocketCommunicator(application, "/ws/orders/")
    connected, _ = await communicator.connect()
    assert connected
"""


def test_a_websocket_test_of_the_tutorial_says_what_is_missing(generate):
    project = generate(**SHAPES["channels"])
    (project.path / "tests" / "test_tutorial.py").write_text(TUTORIAL)

    text = project.pytest("-q", "tests/test_tutorial.py", check=False).stdout

    assert "Websocket refused, its Origin header is missing" in text
    assert "(still running): open the websocket with ws_connect, or await communicator.disconnect()" in text


@pytest.fixture
def contract(generate):
    """A function: options -> the output of the contract test that says whether the layer is on."""
    project = generate(include_sample=False)
    test = f"{CONTRACT}::test_the_testing_layer_is_on"

    def run(*options, check=False):
        return project.pytest(*options, test, check=check).stdout

    run.path = project.path
    return run


def test_each_part_that_is_off_is_named(contract):
    contract(check=True)
    for part in PARTS:
        text = contract("-p", f"no:hermetic-{part}")
        assert f"['hermetic-{part}'] are off: see [tool.pytest] in pyproject.toml" in text


@pytest.mark.parametrize(
    ("file", "section"),
    [("pytest.ini", "pytest"), ("tests/setup.cfg", "tool:pytest"), ("tests/tox.ini", "pytest")],
)
def test_a_configuration_that_replaces_ours_is_noticed(contract, file, section):
    (contract.path / file).write_text(INI.format(section=section))

    text = contract()

    assert "'hermetic-guard'" in text
    assert "are off: see [tool.pytest] in pyproject.toml" in text


def test_settings_without_isolation_are_noticed(contract):
    isolated = f"{CONTRACT}::TestNothingReachesOutside::test_settings_are_isolated"

    assert f"FAILED {isolated}" in contract("--ds=acme_shop.settings", isolated)


@pytest.mark.parametrize(("file", "section"), [("setup.cfg", "tool:pytest"), ("tox.ini", "pytest")])
def test_a_configuration_beside_ours_replaces_nothing(contract, file, section):
    """pytest reads pyproject.toml first."""
    (contract.path / file).write_text(INI.format(section=section))

    contract(check=True)
