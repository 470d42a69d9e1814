"""The picture of a leak, docs/figures/leak.svg, from a real run. `make pictures` draws it again."""

import re
import sys
import tempfile
from pathlib import Path

import shapes

sys.path.append(str(shapes.ROOT / "benchmarks"))
import pictures

PICTURE = shapes.ROOT / "docs" / "figures" / "leak.svg"
TEST = """
import logging
import os

def test_discount():
    os.environ["PAYMENTS"] = "off"
    logging.getLogger("payments").setLevel(logging.ERROR)
"""


def picture(project: shapes.Project) -> str:
    """Run the leaking test in the project, and draw what the terminal shows but for the time it took.

    As on a developer's machine: pytest cuts no line where CI is set.
    """
    (project.path / "tests" / "test_discount.py").write_text(TEST)
    command = ["--no-header", "--color=yes", "tests/test_discount.py"]
    output = project.pytest(*command, "-p", "no:randomly", check=False, COLUMNS="100", CI="").stdout
    output = re.sub(r" in [\d.]+s", "", output.partition("\n")[2].lstrip("\n"))
    return pictures.terminal("A test that leaks", f"$ uv run pytest tests/test_discount.py\n{output}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = shapes.copy_template(Path(folder, "template"))
        path = shapes.render(template, Path(folder, "project"), {})
        PICTURE.write_text(picture(shapes.Project(path, shapes.environment(path, "3.11"))))


if __name__ == "__main__":
    main()
