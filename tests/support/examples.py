"""The rendered projects in examples/, to browse. `make examples` renders them again.

Their .copier-answers.yml names the template as README.md does, not the folder of this machine.
"""

import re
import shutil
import tempfile
from pathlib import Path

import shapes

FOLDER = shapes.ROOT / "examples"
NAMES = ("default", "everything")
SOURCE = "gh:OWNER/hermetic-django"


def render(template: Path, name: str, target: Path) -> Path:
    shapes.render(template, target, shapes.catalogue()[name])
    answers = target / ".copier-answers.yml"
    answers.write_text(re.sub("(?m)^_src_path: .*$", f"_src_path: {SOURCE}", answers.read_text()))
    return target


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = shapes.copy_template(Path(folder, "template"))
        for name in NAMES:
            shutil.rmtree(FOLDER / name, ignore_errors=True)
            render(template, name, FOLDER / name)


if __name__ == "__main__":
    main()
