"""ownership.yml as the tests read it: who owns each rendered file."""

import shapes
import yaml
from pathspec import PathSpec

OWNERS = {"project": "_skip_if_exists", "template": "_template_owned", "shared": "_shared"}
DECLARED = yaml.safe_load((shapes.ROOT / "ownership.yml").read_text())
SPECS = {
    owner: PathSpec.from_lines("gitignore", [f"/{line}" for line in DECLARED[key]])
    for owner, key in OWNERS.items()
}
