"""examples/ is what the template renders now: also from another folder, so no path of a machine is in it."""

import examples
import pytest
from releases import git


@pytest.mark.parametrize("name", examples.NAMES)
def test_an_example_equals_a_fresh_render(template, tmp_path, name):
    fresh = files(examples.render(template, name, tmp_path / name))
    tracked = git("ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=examples.FOLDER / name)
    kept = {path: (examples.FOLDER / name / path).read_bytes() for path in tracked.split("\0") if path}

    differing = sorted(path for path in fresh.keys() | kept.keys() if fresh.get(path) != kept.get(path))
    assert not differing, f"examples/{name} is out of date: run `make examples` ({', '.join(differing)})"
    assert "uv.lock" not in kept


def files(tree):
    return {str(path.relative_to(tree)): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
