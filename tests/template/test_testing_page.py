"""A project's TESTING.md: its table names an example for each pattern, and every fixture of the layer."""

import re

import pytest
import shapes

CATALOGUE = shapes.catalogue()
EXAMPLE = re.compile(r"\[(test_\w+)\]\((tests/\S+\.py)\)")
FIXTURE = re.compile(r"@pytest\.fixture(?:\([^)]*\))?\n(?:async )?def ([a-z]\w+)\(")


@pytest.mark.parametrize("shape", CATALOGUE)
def test_examples_exist_and_no_file_of_examples_is_left_out(rendered, shape):
    tree = rendered(**CATALOGUE[shape])
    examples = EXAMPLE.findall((tree / "TESTING.md").read_text())

    for test, file in examples:
        assert f"def {test}(" in (tree / file).read_text(), f"{file} has no {test}"
    files = {str(file.relative_to(tree)) for file in tree.glob("tests/orders/test_*.py")}
    assert {file for _, file in examples} == files


@pytest.mark.parametrize("shape", CATALOGUE)
def test_every_fixture_of_the_layer_is_named(rendered, shape):
    answers = CATALOGUE[shape]
    page = (rendered(**answers) / "TESTING.md").read_text()
    layer = rendered(**{**answers, "testing_layer": "embedded"}) / "acme_shop" / "testing"
    fixtures = {name for file in layer.rglob("*.py") for name in FIXTURE.findall(file.read_text())}

    assert fixtures
    assert not [name for name in fixtures if f"`{name}" not in page and f"await {name}" not in page]
