"""What an update does to a project, by plain Copier and by update.py: one row a scenario.

`python tests/test_scenarios.py` prints the table of SCENARIOS.md, from the expectations that are tested here.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import shapes
from releases import Repository, Subject, git

PAGE = shapes.ROOT / "SCENARIOS.md"
TEN = "".join(f"line {number}\n" for number in range(1, 11))
JOB = "".join(
    f"  - {step}\n" for step in ("checkout", "install", "cache", "run", "report", "upload", "clean")
)
BLOCKS = f"lint:\n{JOB}test:\n{JOB}"
PYPROJECT = '[project]\ndependencies = [\n    "django>=5",\n    "environ>=1",\n    "uvicorn>=1",\n]\n'


def change(text: str, *numbers: int, by: str) -> str:
    """The text with these lines, counted from 1, changed."""
    return "".join(
        f"{line} by {by}\n" if number in numbers else f"{line}\n"
        for number, line in enumerate(text.splitlines(), 1)
    )


@dataclass
class Case:
    """A folder of files in the old release, in the new one, and as changed by the project; None deletes.

    Outcomes: yours, template's (the files as that side has them); both (a three-way merge); conflict
    (markers); LOST (a line written here is nowhere); MISPLACED (it is elsewhere than git merges it to).
    """

    name: str
    old: dict
    new: dict
    mine: dict
    plain: str
    ours: str
    verdicts: set = field(default_factory=set)


def one(name, old, new, mine, plain, ours, *verdicts, file="file.txt"):
    return Case(
        name, {file: old} if old else {}, {file: new} if new else {}, {file: mine}, plain, ours, set(verdicts)
    )


MINE, NEW = "mine", "the template"
LONG = "".join(f"def step_{number}():\n    return {number}\n\n\n" for number in range(12))
CASES = [
    one(
        "not edited; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        TEN,
        "template's",
        "template's",
        "update",
    ),
    one("edited; the template leaves it", TEN, TEN, change(TEN, 5, by=MINE), "yours", "yours"),
    one(
        "both change the same line",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 5, by=MINE),
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "both change neighbouring lines",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 6, by=MINE),
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "both change, one line between",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 7, by=MINE),
        "both",
        "both",
        "merge",
    ),
    one(
        "both change, five lines apart",
        TEN,
        change(TEN, 3, by=NEW),
        change(TEN, 8, by=MINE),
        "both",
        "both",
        "merge",
    ),
    one("both append at the end", TEN, TEN + "new\n", TEN + "mine\n", "conflict", "conflict", "conflict"),
    one("prepended here, appended there", TEN, TEN + "new\n", "mine\n" + TEN, "both", "both", "merge"),
    one(
        "both make the same change",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 5, by=NEW),
        "template's",
        "template's",
    ),
    one(
        "both make the same change, and another here",
        TEN,
        change(TEN, 5, by=NEW),
        change(change(TEN, 5, by=NEW), 9, by=MINE),
        "yours",
        "yours",
        "merge",
    ),
    one(
        "reformatted whole here",
        TEN,
        change(TEN, 5, by=NEW),
        TEN.replace("line", "  line"),
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "line ends changed to CRLF here",
        TEN,
        change(TEN, 5, by=NEW),
        TEN.replace("\n", "\r\n"),
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "a line deleted here, another changed there",
        TEN,
        change(TEN, 9, by=NEW),
        TEN.replace("line 2\n", ""),
        "both",
        "both",
        "merge",
    ),
    one(
        "a block deleted here, changed there",
        TEN,
        change(TEN, 5, by=NEW),
        "line 1\nline 10\n",
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "a block moved here, changed there",
        LONG,
        LONG.replace("return 3", "return 33"),
        LONG.replace(LONG[:120], "", 1) + LONG[:120],
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "emptied to one line here, changed there",
        TEN,
        change(TEN, 5, by=NEW),
        "mine\n",
        "conflict",
        "conflict",
        "conflict",
    ),
    one(
        "no line break at the end, appended here",
        TEN[:-1],
        change(TEN, 2, by=NEW)[:-1],
        TEN + "mine",
        "both",
        "both",
        "merge",
    ),
    one(
        "a name and text in another script",
        TEN,
        change(TEN, 2, by="Vorlage ä"),
        change(TEN, 8, by="mir ß"),
        "both",
        "both",
        "merge",
        file="Größe.txt",
    ),
    one(
        "a blank in the name",
        TEN,
        change(TEN, 2, by=NEW),
        change(TEN, 8, by=MINE),
        "both",
        "both",
        "merge",
        file="a name.txt",
    ),
    one(
        "repeated blocks; the template adds one before",
        BLOCKS,
        f"build:\n{JOB}" + BLOCKS,
        BLOCKS.replace("- run\n", "- run --mine\n", 1),
        "MISPLACED",
        "both",
        "merge",
    ),
    one("deleted here; the template leaves it", TEN, TEN, None, "yours", "yours"),
    one(
        "deleted here; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        None,
        "yours",
        "yours",
        "deleted",
    ),
    one("deleted here; the template drops it", TEN, None, None, "template's", "template's"),
    Case(
        "moved here; the template leaves it",
        {"a.txt": TEN},
        {"a.txt": TEN},
        {"a.txt": None, "b.txt": TEN},
        "yours",
        "yours",
    ),
    Case(
        "moved here; the template changes it",
        {"a.txt": TEN},
        {"a.txt": change(TEN, 5, by=NEW)},
        {"a.txt": None, "b.txt": TEN + "mine\n"},
        "yours",
        "yours",
        {"deleted"},
    ),
    one("the template drops it, not edited", TEN, None, TEN, "template's", "template's", "removed"),
    one("the template drops it, edited", TEN, None, change(TEN, 5, by=MINE), "LOST", "yours", "LOST"),
    one(
        "the template drops it, only lines deleted here",
        TEN,
        None,
        TEN.replace("line 3\n", ""),
        "template's",
        "yours",
        "LOST",
    ),
    Case(
        "the template renames it, edited",
        {"a.txt": TEN},
        {"b.txt": TEN},
        {"a.txt": change(TEN, 5, by=MINE)},
        "LOST",
        "moved along",
        {"renamed", "added"},
    ),
    Case(
        "the template renames and changes it, edited elsewhere",
        {"a.txt": TEN},
        {"b.txt": change(TEN, 1, by=NEW)},
        {"a.txt": change(TEN, 8, by=MINE)},
        "LOST",
        "moved along",
        {"renamed", "added"},
    ),
    Case(
        "the template renames and changes it, edited there",
        {"a.txt": TEN},
        {"b.txt": change(TEN, 5, by=NEW)},
        {"a.txt": change(TEN, 5, by=MINE)},
        "LOST",
        "yours, and the template's",
        {"LOST", "added"},
    ),
    Case(
        "the template moves a folder, a file in it edited",
        {"d/a.txt": TEN, "d/b.txt": LONG},
        {"e/a.txt": TEN, "e/b.txt": LONG},
        {"d/b.txt": LONG + "mine\n"},
        "LOST",
        "moved along",
        {"renamed", "added", "removed"},
    ),
    Case(
        "the template moves a folder, with a file of yours",
        {"d/a.txt": TEN},
        {"e/a.txt": TEN},
        {"d/own.txt": "mine\n"},
        "yours, and the template's",
        "yours, and the template's",
        {"added", "removed"},
    ),
    one("a file of yours", None, None, "mine\n", "yours", "yours"),
    one(
        "both add the same file, differently",
        None,
        "new\n" + TEN,
        "mine\n" + TEN,
        "conflict",
        "conflict",
        "conflict",
    ),
    one("both add the same file, the same", None, TEN, TEN, "template's", "template's"),
    one(
        "a seam, edited; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 5, by=MINE),
        "yours",
        "yours",
        file="seam.txt",
    ),
    one(
        "a seam, not edited; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        TEN,
        "yours",
        "yours",
        file="seam.txt",
    ),
    one("a seam, deleted here", TEN, TEN, None, "template's", "template's", "added", file="seam.txt"),
    one(
        "a seam, edited; the template drops it",
        TEN,
        None,
        change(TEN, 5, by=MINE),
        "LOST",
        "yours",
        "LOST",
        file="seam.txt",
    ),
    one("a new seam, made here already", None, TEN, "mine\n", "yours", "yours", file="seam.txt"),
    one(
        "a file becomes a seam, edited",
        TEN,
        change(TEN, 5, by=NEW),
        change(TEN, 5, by=MINE),
        "yours",
        "yours",
        file="later.txt",
    ),
    one(
        "ignored by git, edited; the template leaves it",
        TEN,
        TEN,
        TEN + "mine\n",
        "LOST",
        "yours",
        "WIPED",
        file="x.env",
    ),
    one(
        "ignored by git, edited; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        TEN + "mine\n",
        "LOST",
        "yours",
        "WIPED",
        file="x.env",
    ),
    one(
        "ignored by git, not edited; the template changes it",
        TEN,
        change(TEN, 5, by=NEW),
        TEN,
        "template's",
        "template's",
        "update",
        file="x.env",
    ),
    one(
        "ignored by git, new in the template",
        None,
        TEN,
        None,
        "template's",
        "template's",
        "added",
        file="new.env",
    ),
    one(
        "a dependency added by both, side by side",
        PYPROJECT,
        PYPROJECT.replace('    "uv', '    "new>=1",\n    "uv'),
        PYPROJECT.replace('    "uv', '    "mine>=1",\n    "uv'),
        "conflict",
        "both, joined",
        "merge",
        file="pyproject.toml",
    ),
    one(
        "a dependency added here beside one that the template raises",
        PYPROJECT,
        PYPROJECT.replace("environ>=1", "environ>=2"),
        PYPROJECT.replace('    "uv', '    "mine>=1",\n    "uv'),
        "conflict",
        "both, joined",
        "merge",
        file="pyproject.toml",
    ),
    one(
        "a pin changed by both",
        PYPROJECT,
        PYPROJECT.replace("environ>=1", "environ>=2"),
        PYPROJECT.replace("environ>=1", "environ>=3"),
        "conflict",
        "conflict",
        "conflict",
        file="pyproject.toml",
    ),
    one(
        "both append to .env.example",
        TEN,
        TEN + "NEW=1\n",
        TEN + "MINE=1\n",
        "conflict",
        "both, joined",
        "merge",
        file=".env.example",
    ),
    one(
        "both append to a .gitignore",
        "*.a\n",
        "*.a\n*.new\n",
        "*.a\n*.mine\n",
        "conflict",
        "both, joined",
        "merge",
        file=".gitignore",
    ),
    one(
        "binary, changed by the template",
        "\0a\n",
        "\0b\n",
        "\0a\n",
        "template's",
        "template's",
        "update",
        file="x.bin",
    ),
    one("binary, changed here", "\0a\n", "\0a\n", "\0mine\n", "LOST", "yours", "WIPED", file="x.bin"),
    one("binary, changed by both", "\0a\n", "\0b\n", "\0mine\n", "LOST", "yours", "conflict", file="x.bin"),
    one("binary, of yours", None, None, "\0mine\n", "yours", "yours", file="x.bin"),
]

for number, case in enumerate(CASES):  # Unlike each other, or one would be taken for another, renamed.
    for side in (case.old, case.new, case.mine):
        for name, text in side.items():
            side[name] = text and text.replace("line", f"case {number} line").replace("_", f"_{number}_")


SETTINGS = """
_subdirectory: template
_skip_if_exists: ["**/seam.txt"]
use_thing: {type: bool, default: false}
"""


def toy(root: Path, **files: str) -> Path:
    """A template of one answers file, update.py and what is given."""
    tree = root / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "template").mkdir(parents=True)
    text = {
        "copier.yml": SETTINGS,
        "template/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers|to_nice_yaml }}",
        "template/base.txt": TEN,
        "template/{% if use_thing %}thing.txt{% endif %}": TEN,
        "template/both.txt.jinja": "{{ use_thing }}\n" + TEN,
        **files,
    }
    for name, content in text.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content.encode())
    shutil.copy(shapes.ROOT / "template" / "update.py", tree / "template")
    return tree


def outcome(case: Case, files: dict[str, bytes]) -> str:
    """What became of the case's files, by looking at them."""
    side = lambda given: {name: text.encode() for name, text in given.items() if text is not None}  # noqa: E731
    old, new = side(case.old), side(case.new)
    mine = side({**case.old, **case.mine})
    everything = b"".join(files.values())
    written = [
        line
        for name, text in mine.items()
        for line in text.splitlines()
        if line not in old.get(name, b"").splitlines()
    ]
    if any(line not in everything for line in written):
        return "LOST"
    if b"<<<<<<< before updating" in everything:
        return "conflict"
    if files == new:
        return "template's"
    if files == mine:
        return "yours"
    if files.keys() == new.keys() and not old.keys() & new.keys():
        return "moved along"
    if (
        files.items()
        >= {**new, **{name: text for name, text in mine.items() if text != old.get(name)}}.items()
    ):
        return "yours, and the template's"
    (name,) = files
    merged = three_way(mine[name], old.get(name, b""), new[name])
    if files[name] == merged:
        return "both"
    return "both, joined" if b"<<<<<<<" in merged else "MISPLACED"


def three_way(mine, base, new):
    folder = Path(shapes.CACHE / "merge")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (("mine", mine), ("base", base), ("new", new)):
        (folder / name).write_bytes(text)
    done = subprocess.run(["git", "merge-file", "-p", "mine", "base", "new"], cwd=folder, capture_output=True)
    return done.stdout


@pytest.fixture(scope="module")
def updated(tmp_path_factory):
    """All cases in one project, a folder each, updated by plain Copier and by update.py."""
    root = tmp_path_factory.mktemp("cases")
    repository = Repository(root / "template")
    for tag, side in (("v1.0.0", "old"), ("v2.0.0", "new")):
        files = {
            f"template/case{number}/{name}": text
            for number, case in enumerate(CASES)
            for name, text in getattr(case, side).items()
        }
        later = ", '**/later.txt'" if side == "new" else ""
        settings = f"_subdirectory: template\n_skip_if_exists: ['**/seam.txt'{later}]\n"
        repository.release(
            tag,
            toy(
                root,
                **{
                    "copier.yml": settings,
                    "template/.gitignore": "*.env\n",
                    "template/both.txt.jinja": "x\n",
                    "template/{% if use_thing %}thing.txt{% endif %}": "",
                    **files,
                },
            ),
        )
    plain = Subject(root / "plain", repository, "v1.0.0")
    for number, case in enumerate(CASES):
        for name, text in case.mine.items():
            if text is not None or (plain.path / f"case{number}" / name).exists():
                plain.write(f"case{number}/{name}", text)
    plain.commit()
    ours = plain.clone(root / "ours")
    check = ours.check()
    untouched = ours.state() == plain.state()
    plain.plain_update()
    applied = ours.update("apply", "--conflicts")
    return plain.files(), ours.files(), check, applied, untouched


def folder(files, number):
    start = f"case{number}/"
    return {name.removeprefix(start): text for name, text in files.items() if name.startswith(start)}


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_a_file(updated, number):
    plain, ours, check, applied, untouched = updated
    case = CASES[number]
    assert applied.code == 1, applied  # Some cases conflict.
    assert untouched, "the check changed something"
    start = f"case{number}/"
    verdicts = {change["verdict"] for change in check["changes"] if change["path"].startswith(start)}
    results = outcome(case, folder(plain, number)), outcome(case, folder(ours, number)), verdicts
    assert results == (case.plain, case.ours, case.verdicts)


ROWS = {}


def row(name: str, plain: str, ours: str):
    """A scenario of the whole project: the test answers what plain Copier, and what update.py, made of it."""

    def register(test):
        ROWS[name] = (test, plain, ours)
        return test

    return register


class World:
    """A template with three releases, and a project of the first."""

    def __init__(self, root: Path, **second: str):
        self.root = root
        self.repository = Repository(root / "template")
        self.repository.release("v1.0.0", toy(root))
        self.repository.release(
            "v2.0.0", toy(root, **{"template/base.txt": change(TEN, 5, by=NEW), **second})
        )
        self.project = Subject(root / "project", self.repository, "v1.0.0")

    def answers(self, old: str, new: str, project: Subject) -> None:
        text = (project.path / ".copier-answers.yml").read_text()
        assert old in text
        project.write(".copier-answers.yml", text.replace(old, new))

    def plain(self, **options) -> str:
        """What copier does to a copy of the project: its exit, and what became of the files."""
        twin = self.project.clone(self.root / "plain")
        before = twin.files()
        try:
            twin.plain_update(**options)
        except BaseException as error:
            self.error = error
            return "refused" if twin.files() == before else "fails half-way"
        return self.told(before, twin)

    def ours(self, *arguments: str) -> str:
        before, state = (
            self.project.files(),
            self.project.state() if (self.project.path / ".git").exists() else None,
        )
        outcome = self.project.update("apply", *arguments)
        self.said = outcome.err
        if outcome.code == 2:
            assert self.project.files() == before
            assert state is None or self.project.state() == state
            assert len(outcome.err.strip().splitlines()) == 1, outcome.err
            return "refused"
        if outcome.code == 1 and self.project.files() == before:
            assert self.project.state() == state
            return "refused: conflict"
        return self.told(before, self.project)

    def told(self, before, project) -> str:
        files = project.files()
        if any(b"<<<<<<< before updating" in text for text in files.values()):
            return "conflict, exit 0"
        return "updated" if files != before else "nothing"


@row("up to date", "nothing", "nothing")
def _(world):
    world.project.update("apply")
    world.project.commit()
    return world.plain(), world.ours()


@row("a conflict", "conflict, exit 0", "refused: conflict")
def _(world):
    world.project.write("base.txt", change(TEN, 5, by=MINE))
    world.project.commit()
    return world.plain(), world.ours()


@row("an uncommitted change", "refused", "refused")
def _(world):
    world.project.write("base.txt", "mine\n")
    results = world.plain(), world.ours()
    assert "base.txt" in world.said
    assert "commit or stash" in world.said
    return results


@row("an untracked file", "refused", "refused")
def _(world):
    world.project.write("own.txt", "mine\n")
    return world.plain(), world.ours()


@row("no git repository", "refused", "refused")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    results = world.plain(), world.ours()
    assert "git init" in world.said
    return results


@row("no commit yet", "refused", "refused")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    world.project.git("init")
    results = world.plain(), world.ours()
    assert "git init" in world.said
    return results


@row("not made from the template", "refused", "refused")
def _(world):
    world.project.write(".copier-answers.yml", None)
    world.project.commit()
    results = world.plain(), world.ours()
    assert "made from the template" in world.said
    return results


@row("the answers file has lost its _commit", "refused", "refused")
def _(world):
    world.answers("_commit: v1.0.0\n", "", world.project)
    world.project.commit()
    results = world.plain(), world.ours()
    assert "git checkout COMMIT" in world.said
    return results


@row("the answers file is not YAML any more", "refused", "refused")
def _(world):
    world.answers("_commit:", "{_commit:", world.project)
    world.project.commit()
    return world.plain(), world.ours()


@row("made from an unreleased state of the template", "refused", "refused")
def _(world):
    world.answers("v1.0.0", "v1.0.0-1-gabcdef0", world.project)
    world.project.commit()
    results = world.plain(), world.ours()
    assert "no release" in world.said
    return results


@row("the recorded release is gone", "refused", "refused")
def _(world):
    git("tag", "--delete", "v1.0.0", cwd=world.repository.path)
    results = world.plain(), world.ours()
    assert "release v1.0.0 is not there" in world.said
    return results


@row("the template has moved", "refused", "refused")
def _(world):
    shutil.move(world.repository.path, world.root / "moved")
    results = world.plain(), world.ours()
    assert "set _src_path" in world.said
    return results


@row("the template has moved, and _src_path with it", "updated", "updated")
def _(world):
    shutil.move(world.repository.path, world.root / "moved")
    world.answers(str(world.repository.path), str(world.root / "moved"), world.project)
    world.project.commit()
    return world.plain(), world.ours()


@row("a release asked for that does not exist", "refused", "refused")
def _(world):
    results = world.plain(vcs_ref="v9.0.0"), world.ours("--to", "v9.0.0")
    assert "release v9.0.0 is not there" in world.said
    return results


@row("an older release asked for", "refused", "refused")
def _(world):
    world.project.update("apply")
    world.project.commit()
    results = world.plain(vcs_ref="v1.0.0"), world.ours("--to", "v1.0.0")
    assert "only goes forward" in world.said
    return results


@row("an unknown toggle", "updated", "refused")
def _(world):
    results = world.plain(data={"use_thnig": True}), world.ours("--data", "use_thnig=true")
    assert "did you mean use_thing?" in world.said
    return results


@row("an answer of the wrong type", "refused", "refused")
def _(world):
    return world.plain(data={"number": "many"}), world.ours("--data", "number=many")


@row("a computed answer given", "updated", "refused")
def _(world):
    results = world.plain(data={"computed": "x"}), world.ours("--data", "computed=x")
    assert "worked out" in world.said
    return results


@row("a toggle edited into the answers file by hand", "nothing", "refused")
def _(world):
    world.answers("use_thing: false", "use_thing: true", world.project)
    world.project.commit()
    results = world.plain(vcs_ref="v1.0.0"), world.ours("--to", ":current:")
    assert "--data use_thing=True" in world.said
    return results


@row("_commit edited by hand", "nothing arrives", "refused")
def _(world):
    world.answers("v1.0.0", "v2.0.0", world.project)
    world.project.commit()
    plain = world.plain()
    arrived = (world.root / "plain" / "base.txt").read_bytes() != TEN.encode()
    return plain if arrived else "nothing arrives", world.ours()


@row("markers of an earlier update committed", "updated", "refused")
def _(world):
    world.project.write("both.txt", "<<<<<<< before updating\n=======\n>>>>>>> after updating\n" + TEN)
    world.project.commit()
    world.project.write("own.txt", "x\n")
    world.project.commit()
    twin = world.plain()
    return "updated" if twin == "conflict, exit 0" else twin, world.ours()


@row("a .rej of an earlier update left", "updated", "refused")
def _(world):
    world.project.write(".gitignore", "*.rej\n")
    world.project.commit()
    world.project.write("both.txt.rej", "x\n")
    return world.plain(), world.ours()


@row("a toggle on", "updated", "updated")
def _(world):
    results = (
        world.plain(data={"use_thing": True}, vcs_ref="v1.0.0"),
        world.ours("--to", ":current:", "-d", "use_thing=true"),
    )
    assert world.project.files()["thing.txt"] == TEN.encode()
    return results


@row("a toggle off, its file edited", "LOST", "updated, the file kept")
def _(world):
    world.project.update("apply", "--to", ":current:", "-d", "use_thing=true")
    world.project.write("thing.txt", change(TEN, 5, by=MINE))
    world.project.commit()
    options = {"data": {"use_thing": False}, "vcs_ref": "v1.0.0"}
    plain = world.plain(**options)
    plain = plain if (world.root / "plain" / "thing.txt").exists() else "LOST"
    ours = world.ours("--to", ":current:", "-d", "use_thing=false")
    return plain, ours + ", the file kept" * (b"by mine" in world.project.files()["thing.txt"])


@row("the same toggle on again, the kept file there", "conflict, exit 0", "refused: conflict")
def _(world):
    world.project.write("thing.txt", change(TEN, 5, by=MINE))
    world.project.commit()
    options = {"data": {"use_thing": True}, "vcs_ref": "v1.0.0"}
    return world.plain(**options), world.ours("--to", ":current:", "-d", "use_thing=true")


@row("a new question: its default, announced", "updated", "updated")
def _(world):
    assert world.project.check()["answers"] == [
        "fruit: apple (a new question, its default)",
        "number: 1 (a new question, its default)",
    ]
    return world.plain(), world.ours()


@row("a new question without a default", "refused", "refused")
def _(world):
    return world.plain(vcs_ref="v3.0.0"), world.ours("--to", "v3.0.0")


@row("a choice is gone: the answer becomes the default", "updated", "updated, announced")
def _(world):
    world.project.update("apply", "--to", "v2.0.0", "-d", "fruit=pear")
    world.project.commit()
    answers = world.project.check("--to", "v4.0.0")["answers"]
    assert answers == ["fruit: pear is not accepted any more and becomes apple"]
    return world.plain(vcs_ref="v4.0.0"), world.ours("--to", "v4.0.0") + ", announced"


@row("a question is gone: the answer is forgotten", "updated", "updated, announced")
def _(world):
    world.project.update("apply", "--to", "v2.0.0")
    world.project.commit()
    answers = world.project.check("--to", "v5.0.0")["answers"]
    assert "number: 1 is forgotten, since it is not asked any more" in answers
    return world.plain(vcs_ref="v5.0.0"), world.ours("--to", "v5.0.0") + ", announced"


@row("the project is a folder of a larger repository", "updated", "updated")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    git("init", "--quiet", cwd=world.root)
    (world.root / ".gitignore").write_text("/*\n!/project\n!/plain\n")
    git("add", "--all", cwd=world.root)
    git("commit", "--quiet", "--message", "Start", cwd=world.root)
    ours = world.ours()
    world.project.git("commit", "--quiet", "--all", "--message", "Update")
    assert world.project.files()["base.txt"] == change(TEN, 5, by=NEW).encode()
    return "updated", ours


@row("a file replaced by a folder of that name", "refused", "updated, yours kept")
def _(world):
    world.project.write("base.txt", None)
    world.project.write("base.txt/mine.txt", "mine\n")
    world.project.commit()
    results = world.plain(), world.ours()
    kept = world.project.files()["base.txt/mine.txt"] == b"mine\n"
    return results[0], results[1] + ", yours kept" * kept


QUESTIONS = (
    SETTINGS
    + """
fruit: {type: str, choices: [apple, pear], default: apple}
number: {type: int, default: 1}
computed: {type: str, default: x, when: false}
"""
)


@pytest.mark.parametrize("name", ROWS)
def test_a_project(tmp_path, name):
    world = World(tmp_path, **{"copier.yml": QUESTIONS})
    if "without a default" in name:
        world.repository.release("v3.0.0", toy(tmp_path, **{"copier.yml": SETTINGS + "must: {type: str}"}))
    elif "choice is gone" in name:
        text = QUESTIONS.replace("[apple, pear]", "[apple]")
        world.repository.release("v4.0.0", toy(tmp_path, **{"copier.yml": text}))
    elif "question is gone" in name:
        world.repository.release("v5.0.0", toy(tmp_path))
    test, *expected = ROWS[name]

    assert [*test(world)] == expected


def table() -> str:
    rows = [(case.name, case.plain, case.ours, ", ".join(sorted(case.verdicts))) for case in CASES]
    rows += [(name, plain, ours, "") for name, (_, plain, ours) in ROWS.items()]
    head = ["| scenario | `copier update` | `update.py apply` | foretold |", "|---|---|---|---|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def test_the_page_is_current():
    assert table() in PAGE.read_text(), "run: python tests/test_scenarios.py > SCENARIOS.md"


if __name__ == "__main__":
    words = Case.__doc__.split("Outcomes: ")[1]
    sys.stdout.write(
        "# What an update does\n\nEach row is a test in `tests/test_scenarios.py`, on Copier 9.19.1. "
    )
    sys.stdout.write(f"In the columns: {' '.join(words.split())}\n\n{table()}")
