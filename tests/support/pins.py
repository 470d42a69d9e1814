"""Renew constraints.txt: the versions that the template's tests install into generated projects."""

import subprocess
import tempfile
from pathlib import Path

import shapes

HEAD = (
    "# What generated projects are tested with; their pyproject.toml pins Django. Renewed by `make pins`.\n"
)
EVERYTHING = {toggle: True for toggle in shapes.TOGGLES}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        template = shapes.copy_template(Path(folder, "template"))
        pins = set()
        for answers in (EVERYTHING, {**EVERYTHING, "ci_shards": 2}):
            project = shapes.render(template, Path(folder, f"project-{len(answers)}"), answers)
            command = [shapes.UV, "pip", "compile", "--quiet", "--universal", "--upgrade", "--no-annotate"]
            options = ["--python-version", "3.11", "--no-header", "--group", "dev", "pyproject.toml"]
            compiled = subprocess.run(
                [*command, *options], cwd=project, check=True, stdout=subprocess.PIPE, text=True
            )
            pins |= {line for line in compiled.stdout.splitlines() if not line.startswith("django==")}
    shapes.CONSTRAINTS.write_text(HEAD + "".join(f"{pin}\n" for pin in sorted(pins)))


if __name__ == "__main__":
    main()
