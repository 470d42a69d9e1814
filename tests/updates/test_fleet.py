"""A fleet of projects in drift, updated: no edit is lost, and every conflict was announced.

Each project has one seed, which is in its test's name: the shape, the release and the drift follow from it.
"""

import os
import random
import re

import pytest
import releases
import shapes
import yaml
from ownership import SPECS
from releases import HEAD, NEXT, Subject

SEED = 20261121
CROSSINGS = [(HEAD, NEXT), *((tag, HEAD) for tag in releases.released())]
SHAPES = shapes.catalogue()
# Each shape on each crossing, and at least fifty.
FLEET = max(52, len(SHAPES) * len(CROSSINGS))


class Drift:
    """Seeded random changes; every line written carries a mark that is found again after the update."""

    def __init__(self, project: Subject, seed: int):
        self.project, self.random = project, random.Random(seed)
        self.marks: dict[str, str] = {}
        self.deleted: set[str] = set()
        self.shipped = project.files().keys()

    def mark(self, name: str) -> str:
        mark = f"mine-{len(self.marks):03}"
        self.marks[mark] = name
        return f"# {mark}\n"

    def files(self, owner: str | None = None) -> list[str]:
        names = [name for name in self.project.files() if name != ".copier-answers.yml"]
        return sorted(name for name in names if owner is None or SPECS[owner].match_file(name))

    def run(self, changes: int) -> None:
        actions = [
            self.append, self.edit, self.edit, self.insert, self.delete, self.rename, self.reformat, self.add,
            self.extend_seam, self.edit_template, self.depend, self.add_what_comes,
        ]  # fmt: skip
        for _ in range(changes):
            self.random.choice(actions)()
        self.project.commit("Drift")

    def change(self, name: str, change) -> None:
        lines = (self.project.path / name).read_text().splitlines(keepends=True)
        self.project.write(name, "".join(change(lines)))

    def insert(self, name: str | None = None) -> None:
        name = name or self.random.choice(self.files())

        def inserted(lines):
            at = self.random.randrange(len(lines) + 1)
            return [*lines[:at], self.mark(name), *lines[at:]]

        self.change(name, inserted)

    def append(self) -> None:
        name = self.random.choice(self.files())
        self.change(name, lambda lines: [*lines, self.mark(name)])

    def edit(self) -> None:
        name = self.random.choice(self.files())

        def edited(lines):
            at = self.random.randrange(len(lines))
            return [*lines[:at], lines[at].rstrip("\n") + "  " + self.mark(name), *lines[at + 1 :]]

        if self.project.files()[name].strip():
            self.change(name, edited)

    def delete(self) -> None:
        name = self.random.choice([name for name in self.files() if not SPECS["project"].match_file(name)])
        if name == "update.py" or name in self.marks.values():
            return
        self.project.write(name, None)
        self.deleted |= {name} & self.shipped

    def rename(self) -> None:
        name = self.random.choice([name for name in self.files() if not SPECS["project"].match_file(name)])
        if name == "update.py":
            return
        text = (self.project.path / name).read_text()
        self.project.write(name, None)
        self.project.write(f"moved/{name}", text)
        self.deleted |= {name} & self.shipped

    def reformat(self) -> None:
        name = self.random.choice(
            [name for name in self.files("shared") if name.endswith((".py", ".md"))] or [None]
        )
        if name:
            self.change(name, lambda lines: [line.replace('"', "'").replace("    ", "  ") for line in lines])

    def add(self) -> None:
        folder = os.path.dirname(self.random.choice(self.files()))
        name = os.path.join(folder, f"own_{len(self.marks)}.py")
        self.project.write(name, self.mark(name))

    def extend_seam(self) -> None:
        self.insert(self.random.choice(self.files("project")))

    def edit_template(self) -> None:
        names = [name for name in self.files("template") if name != "update.py"]
        self.insert(self.random.choice(names))

    def depend(self) -> None:
        package = f"mine-{len(self.marks):03}"
        self.marks[package] = "pyproject.toml"
        if (self.project.path / "pyproject.toml").exists():
            text = (self.project.path / "pyproject.toml").read_text()
            self.project.write(
                "pyproject.toml",
                text.replace("dependencies = [\n", f'dependencies = [\n    "{package}>=1",\n', 1),
            )
            if package in (self.project.path / "pyproject.toml").read_text():
                return
        del self.marks[package]

    def add_what_comes(self) -> None:
        """A file that the next release brings, too."""
        if not (self.project.path / "NEXT.md").exists():
            self.project.write("NEXT.md", self.mark("NEXT.md"))


def marks_in(project: Subject) -> set[str]:
    everything = b"\n".join(project.files().values()).decode(errors="replace")
    return set(re.findall(r"mine-\d{3}", everything))


def conflicts_in(project: Subject) -> set[str]:
    return {name for name, text in project.files().items() if b"<<<<<<< before updating" in text}


@pytest.mark.parametrize(
    "seed", [pytest.param(SEED + n, marks=pytest.mark.slow if n > 2 else ()) for n in range(FLEET)]
)
def test_a_drifted_project(repository, tmp_path, seed, record_property):
    chance = random.Random(seed)
    shape = sorted(SHAPES)[seed % len(SHAPES)]
    old, new = CROSSINGS[(seed - SEED) // len(SHAPES) % len(CROSSINGS)]
    project = Subject(tmp_path / "project", repository, old, SHAPES[shape])
    drift = Drift(project, seed)
    drift.run(chance.randrange(1, 25))
    kept = marks_in(project)
    before = project.state()
    own = {
        name: text for name, text in project.files().items() if name.startswith(("moved/",)) or "own_" in name
    }

    plan = project.check("--to", new)
    announced = {change["path"] for change in plan["changes"] if change["verdict"] == "conflict"}

    if announced:
        assert project.update("apply", "--to", new).code == 1
    assert project.state() == before, "a check or a refusal changed something"

    plain = project.clone(tmp_path / "plain")
    plain.plain_update(vcs_ref=new)
    outcome = project.update("apply", "--conflicts", "--to", new)

    assert outcome.code == int(bool(announced)), outcome
    assert marks_in(project) == kept, f"lost in {shape}: {kept - marks_in(project)}"
    assert conflicts_in(project) == announced
    assert not list(project.path.rglob("*.rej"))
    after = project.files()
    assert own.items() <= after.items()
    assert not drift.deleted & after.keys(), "a deleted file came back"
    assert yaml.safe_load(after[".copier-answers.yml"])["_commit"] == new
    unmerged = project.git("diff", "--name-only", "--diff-filter=U").split()
    assert set(unmerged) == announced
    figures = {
        "projects": 1,
        "edits": len(kept),
        "lost": len(kept - marks_in(project)),
        "conflicts": len(conflicts_in(project)),
        "announced": len(announced & conflicts_in(project)),
        "lost by plain Copier": len(kept - marks_in(plain)),
        "conflicts of plain Copier": len(conflicts_in(plain)),
    }
    record_property("fleet", figures)


def test_a_refusal_leaves_everything_as_it_was(repository, tmp_path):
    project = Subject(tmp_path / "project", repository, HEAD)
    project.write("manage.py", (project.path / "manage.py").read_text() + "# mine\n")
    project.commit()
    before = project.state()

    outcome = project.update("apply", "--to", NEXT)

    assert (outcome.code, project.state()) == (1, before)
    assert "conflict  manage.py" in outcome.out
    assert "Nothing was changed." in outcome.err
