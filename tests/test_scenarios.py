"""What an update does to a project, by plain Copier and by update.py: one row a scenario.

`python tests/test_scenarios.py` prints the table that SCENARIOS.md has, from the expectations that are tested here.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import releases
import shapes
from releases import Repository, Subject, git

PAGE = shapes.ROOT / "SCENARIOS.md"
TEN = "".join(f"line {number}\n" for number in range(1, 11))
JOB = "  steps:\n    - checkout\n    - install\n    - cache\n    - run\n    - report\n    - upload\n    - clean\n"
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

    Outcomes: yours, template's (the files as that side has them); both (a three-way merge); conflict (markers);
    LOST (a line that was written here is nowhere); MISPLACED (it is at another place than git merges it to).
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
    one("deleted here; the template drops it", TEN, None, None, "yours", "yours"),
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
    one("binary, changed here", "\0a\n", "\0a\n", "\0mine\n", "yours", "yours", file="x.bin"),
    one("binary, changed by both", "\0a\n", "\0b\n", "\0mine\n", "LOST", "yours", "conflict", file="x.bin"),
    one("binary, of yours", None, None, "\0mine\n", "yours", "yours", file="x.bin"),
]


def toy(root: Path, **files: str) -> Path:
    """A template of one answers file, update.py and what is given."""
    tree = root / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "template").mkdir(parents=True)
    text = {
        "copier.yml": "_subdirectory: template\n_skip_if_exists: ['**/seam.txt']\nuse_thing: {type: bool, default: false}\n",
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


def table() -> str:
    rows = [
        f"| {case.name} | {case.plain} | {case.ours} | {', '.join(sorted(case.verdicts))} |" for case in CASES
    ]
    return "\n".join(
        ["| scenario | `copier update` | `update.py apply` | foretold |", "|---|---|---|---|", *rows]
    )


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
