"""Full shapes, generated and run: the promise is green on a fresh machine, no service running."""

import pytest
import shapes


@pytest.mark.parametrize("name", shapes.catalogue())
def test_the_project_is_green(generate, name):
    project = generate(**shapes.catalogue()[name])

    project.run("ruff", "check", ".")
    project.run("ruff", "format", "--check", ".")
    assert " passed" in project.pytest("-q").stdout
