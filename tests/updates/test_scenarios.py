"""What an update does to a project, by plain Copier and by update.py: one row of SCENARIOS.md a scenario.

The page is what is expected here; each of its rows has a test, and each test a row.
"""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

import pytest
import shapes
from releases import GIT_ENVIRONMENT, Repository, Subject, git

PAGE = shapes.ROOT / "SCENARIOS.md"
# Scenario -> what plain Copier makes of it, what update.py does, what its preview says.
EXPECTED = {
    cells[0]: (cells[1], cells[2], {word for word in cells[3].split(", ") if word})
    for line in PAGE.read_text().splitlines()
    if len(cells := [cell.strip() for cell in line.strip("|").split("|")]) == 4
}
TEN = "".join(f"line {number}\n" for number in range(1, 11))
LONG = "".join(f"def step_{number}():\n    return {number}\n\n\n" for number in range(12))
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


def here(*numbers: int) -> str:
    return change(TEN, *numbers, by="mine")


def there(*numbers: int) -> str:
    return change(TEN, *numbers, by="the template")


class Case(NamedTuple):
    """A folder of files in the old release, in the new one, and as changed by the project; None deletes."""

    old: dict[str, str]
    new: dict[str, str]
    mine: dict[str, str | None]


def one(old: str | None, new: str | None, mine: str | None, file: str = "file.txt") -> Case:
    return Case({file: old} if old else {}, {file: new} if new else {}, {file: mine})


def dependency(line: str) -> str:
    return PYPROJECT.replace('    "uv', f'    "{line}",\n    "uv')


CASES = {
    "not edited; the template changes it": one(TEN, there(5), TEN),
    "edited; the template leaves it": one(TEN, TEN, here(5)),
    "both change the same line": one(TEN, there(5), here(5)),
    "both change neighbouring lines": one(TEN, there(5), here(6)),
    "both change, one line between": one(TEN, there(5), here(7)),
    "both change, five lines apart": one(TEN, there(3), here(8)),
    "both append at the end": one(TEN, TEN + "new\n", TEN + "mine\n"),
    "prepended here, appended there": one(TEN, TEN + "new\n", "mine\n" + TEN),
    "both make the same change": one(TEN, there(5), there(5)),
    "both make the same change, and another here": one(TEN, there(5), change(there(5), 9, by="mine")),
    "reformatted whole here": one(TEN, there(5), TEN.replace("line", "  line")),
    "line ends changed to CRLF here": one(TEN, there(5), TEN.replace("\n", "\r\n")),
    "a line deleted here, another changed there": one(TEN, there(9), TEN.replace("line 2\n", "")),
    "a block deleted here, changed there": one(TEN, there(5), "line 1\nline 10\n"),
    "a block moved here, changed there": one(
        LONG, LONG.replace("return 3", "return 33"), LONG.replace(LONG[:120], "", 1) + LONG[:120]
    ),
    "emptied to one line here, changed there": one(TEN, there(5), "mine\n"),
    "no line break at the end, appended here": one(TEN[:-1], there(2)[:-1], TEN + "mine"),
    "a name and text in another script": one(
        TEN, change(TEN, 2, by="Vorlage ä"), change(TEN, 8, by="mir ß"), "Größe.txt"
    ),
    "a blank in the name": one(TEN, there(2), here(8), "a name.txt"),
    "repeated blocks; the template adds one before": one(
        BLOCKS, f"build:\n{JOB}" + BLOCKS, BLOCKS.replace("- run\n", "- run --mine\n", 1)
    ),
    "deleted here; the template leaves it": one(TEN, TEN, None),
    "deleted here; the template changes it": one(TEN, there(5), None),
    "deleted here; the template drops it": one(TEN, None, None),
    "a new file in a folder that was deleted here": Case(
        {"folder/a": TEN}, {"folder/a": TEN, "folder/new/n": TEN}, {"folder/a": None}
    ),
    "moved here; the template leaves it": Case({"a": TEN}, {"a": TEN}, {"a": None, "b": TEN}),
    "moved here; the template changes it": Case(
        {"a": TEN}, {"a": there(5)}, {"a": None, "b": TEN + "mine\n"}
    ),
    "the template drops it, not edited": one(TEN, None, TEN),
    "the template drops it, edited": one(TEN, None, here(5)),
    "the template drops it, only lines deleted here": one(TEN, None, TEN.replace("line 3\n", "")),
    "the template renames it, edited": Case({"a": TEN}, {"b": TEN}, {"a": here(5)}),
    "the template renames and changes it, edited elsewhere": Case(
        {"a": TEN}, {"b": there(1)}, {"a": here(8)}
    ),
    "the template renames and changes it, edited there": Case({"a": TEN}, {"b": there(5)}, {"a": here(5)}),
    "the template moves a folder, a file in it edited": Case(
        {"d/a": TEN, "d/b": LONG}, {"e/a": TEN, "e/b": LONG}, {"d/b": LONG + "mine\n"}
    ),
    "the template moves a folder, with a project file in it": Case(
        {"d/a": TEN}, {"e/a": TEN}, {"d/own": "mine\n"}
    ),
    "a project file": one(None, None, "mine\n"),
    "both add the same file, differently": one(None, "new\n" + TEN, "mine\n" + TEN),
    "both add the same file, the same": one(None, TEN, TEN),
    "a seam, edited; the template changes it": one(TEN, there(5), here(5), "seam.txt"),
    "a seam, not edited; the template changes it": one(TEN, there(5), TEN, "seam.txt"),
    "a seam, deleted here": one(TEN, TEN, None, "seam.txt"),
    "a seam, edited; the template drops it": one(TEN, None, here(5), "seam.txt"),
    "a new seam, made here already": one(None, TEN, "mine\n", "seam.txt"),
    "a file becomes a seam, edited": one(TEN, there(5), here(5), "later.txt"),
    "ignored by git, edited; the template leaves it": one(TEN, TEN, TEN + "mine\n", "x.env"),
    "ignored by git, edited; the template changes it": one(TEN, there(5), TEN + "mine\n", "x.env"),
    "ignored by git, not edited; the template changes it": one(TEN, there(5), TEN, "x.env"),
    "ignored by git, new in the template": one(None, TEN, None, "new.env"),
    "a dependency added by both, side by side": one(
        PYPROJECT, dependency("new>=1"), dependency("mine>=1"), "pyproject.toml"
    ),
    "a dependency added here beside one that the template raises": one(
        PYPROJECT, PYPROJECT.replace("environ>=1", "environ>=2"), dependency("mine>=1"), "pyproject.toml"
    ),
    "a pin changed by both": one(
        PYPROJECT,
        PYPROJECT.replace("environ>=1", "environ>=2"),
        PYPROJECT.replace("environ>=1", "environ>=3"),
        "pyproject.toml",
    ),
    "both append to .env.example": one(TEN, TEN + "NEW=1\n", TEN + "MINE=1\n", ".env.example"),
    "both append to a .gitignore": one("*.a\n", "*.a\n*.new\n", "*.a\n*.mine\n", ".gitignore"),
    "both replace the last line of a .gitignore, seven equals signs": one(
        "*.a\n=======\n", "*.a\n*.new\n", "*.a\n*.mine\n*.own\n", ".gitignore"
    ),
    "both append to a .gitignore, one line the end of another": one(
        "*.a\n", "*.a\n*.dialog\n", "*.a\nlog\n", ".gitignore"
    ),
    "binary, changed by the template": one("\0a\n", "\0b\n", "\0a\n", "x.bin"),
    "binary, changed here": one("\0a\n", "\0a\n", "\0mine\n", "x.bin"),
    "binary, changed by both": one("\0a\n", "\0b\n", "\0mine\n", "x.bin"),
    "binary, a project file": one(None, None, "\0mine\n", "x.bin"),
    "both append a table with one equal line to pyproject.toml": one(
        PYPROJECT,
        PYPROJECT + "[tool.new]\nwidth = 100\n",
        PYPROJECT + "[tool.mine]\nwidth = 100\n",
        "pyproject.toml",
    ),
    "one dependency added by both, with other versions": one(
        PYPROJECT, dependency("new>=1"), dependency("New>=2"), "pyproject.toml"
    ),
    "both append to a .gitignore, one line added by both": one(
        "*.a\n", "*.a\n*.new\n*.x\n", "*.a\n*.x\n*.mine\n", ".gitignore"
    ),
    "both append to a .gitignore with CRLF line ends": one(
        "*.a\r\n", "*.a\r\n*.new\r\n", "*.a\r\n*.mine\r\n", ".gitignore"
    ),
    "handed over by _exclude, edited": one(TEN, None, here(5), "handed.txt"),
    "handed over by _exclude, not edited": one(TEN, None, TEN, "handed.txt"),
    "the template drops an empty file, edited, and adds another": Case(
        {"a/empty.py": ""}, {"b/empty.py": ""}, {"a/empty.py": "mine\n"}
    ),
}

for number, case in enumerate(CASES.values()):  # Unlike each other, or one is taken for another, renamed.
    for side in case:
        for name, text in side.items():
            side[name] = text and text.replace("line", f"case {number} line").replace("_", f"_{number}_")


SETTINGS = """
_subdirectory: template
_skip_if_exists: ["**/seam.txt"]
use_thing: {type: bool, default: false}
"""
FOLDER = "template/{% if use_thing %}thing{% endif %}"
ANSWERS = "template/{{ _copier_conf.answers_file }}.jinja"


def toy(root: Path, **files: str) -> Path:
    """A template of update.py, the answers file and what is given."""
    tree = root / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "template").mkdir(parents=True)
    text = {
        "copier.yml": SETTINGS,
        "template/base.txt": TEN,
        "template/{% if use_thing %}thing.txt{% endif %}": TEN,
        "template/both.txt.jinja": "{{ use_thing }}\n" + TEN,
        **files,
    }
    for name, content in text.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(content.encode())
    for name in ("template/update.py", ANSWERS):
        shutil.copy(shapes.ROOT / name, tree / name)
    return tree


def outcome(case: Case, files: dict[str, bytes]) -> str:
    """What became of the case's files, by looking at them, in the words of the page."""
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
    if files == {name: text for name, text in new.items() if name not in old}:
        return "the new file"
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
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("mine", mine), ("base", base), ("new", new)):
            Path(folder, name).write_bytes(text)
        command = ["git", "merge-file", "-p", "mine", "base", "new"]
        return subprocess.run(command, cwd=folder, capture_output=True).stdout


@pytest.fixture(scope="module")
def updated(tmp_path_factory):
    """All cases in one project, a folder each, updated by plain Copier and by update.py."""
    root = tmp_path_factory.mktemp("cases")
    repository = Repository(root / "template")
    for tag, side, seams in (("v1.0.0", "old", ""), ("v2.0.0", "new", ", '**/later.txt'")):
        files = {
            f"template/case{number}/{name}": text
            for number, case in enumerate(CASES.values())
            for name, text in getattr(case, side).items()
        }
        files["copier.yml"] = SETTINGS.replace("]", seams + "]")
        if side == "new":
            files["copier.yml"] += "_exclude: ['handed.txt']\n"
        files["template/.gitignore"] = "*.env\n"
        repository.release(tag, toy(root, **files))
    plain = Subject(root / "plain", repository, "v1.0.0")
    for number, case in enumerate(CASES.values()):
        for name, text in case.mine.items():
            if text is not None or (plain.path / f"case{number}" / name).exists():
                plain.write(f"case{number}/{name}", text)
    plain.commit()
    ours = plain.clone(root / "ours")
    check = ours.check()
    untouched = ours.state() == plain.state()
    plain.plain_update()
    applied = ours.update("apply", "--conflicts")
    assert applied.code == 1, applied  # Some cases conflict.
    assert untouched, "the check changed something"
    return plain.files(), ours.files(), check


@pytest.mark.parametrize("name", CASES)
def test_a_file(updated, name):
    *results, check = updated
    folder = f"case{[*CASES].index(name)}/"
    made = (
        outcome(
            CASES[name],
            {file.removeprefix(folder): text for file, text in files.items() if file.startswith(folder)},
        )
        for files in results
    )
    preview = {change["verdict"] for change in check["changes"] if change["path"].startswith(folder)}

    assert (*made, preview) == EXPECTED[name]


ROWS = {}


def row(name: str):
    """A scenario of the whole project: the test answers what plain Copier, and what update.py, made of it."""
    return lambda test: ROWS.setdefault(name, test)


class World:
    """A template with two releases, and a project of the first."""

    def __init__(self, root: Path):
        self.root = root
        self.repository = Repository(root / "template")
        self.repository.release("v1.0.0", toy(root))
        self.release("v2.0.0", QUESTIONS)
        self.project = Subject(root / "project", self.repository, "v1.0.0")

    def release(self, tag: str, questions: str, base: str = there(5)) -> None:
        files = {"copier.yml": questions, "template/base.txt": base}
        self.repository.release(tag, toy(self.root, **files))

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
        return self.result(before, twin)

    def ours(self, *arguments: str) -> str:
        before, state = (
            self.project.files(),
            self.project.state() if (self.project.path / ".git").exists() else None,
        )
        checked = self.project.update("check", *arguments)
        assert self.project.files() == before, "the check changed something"
        outcome = self.project.update("apply", *arguments)
        assert checked.code == outcome.code, "check does not say what apply does"
        self.message = outcome.err
        if outcome.code == 2:
            assert self.project.files() == before
            assert state is None or self.project.state() == state
            assert len(outcome.err.strip().splitlines()) == 1, outcome.err
            return "refused"
        if outcome.code == 1 and self.project.files() == before:
            assert self.project.state() == state
            return "refused: conflict"
        return self.result(before, self.project)

    def both(self, *arguments: str, says: str = "", **options) -> tuple[str, str]:
        """Plain Copier with these options, ours with these arguments, which says so when it refuses."""
        results = self.plain(**options), self.ours(*arguments)
        assert says in self.message
        return results

    def result(self, before, project) -> str:
        files = project.files()
        if any(b"<<<<<<< before updating" in text for text in files.values()):
            return "conflict, exit 0"
        return "updated" if files != before else "nothing"


@row("up to date")
def _(world):
    world.project.update("apply")
    world.project.commit()
    return world.both()


@row("a conflict")
def _(world):
    world.project.write("base.txt", here(5))
    world.project.commit()
    return world.both()


@row("an uncommitted change")
def _(world):
    world.project.write("base.txt", "mine\n")
    results = world.both()
    assert "base.txt" in world.message
    assert "commit them, or stash" in world.message
    return results


@row("an untracked file")
def _(world):
    world.project.write("own.txt", "mine\n")
    results = world.both(says="git stash -u")
    outcome = world.project.update("check")
    assert "would change nothing" not in outcome.out, "the cause comes first"
    assert outcome.err.endswith("`apply` would change nothing.\n")
    return results


@row("no git repository")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    return world.both(says="git init")


@row("no commit yet")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    world.project.git("init")
    return world.both(says="git init")


@row("not made from the template")
def _(world):
    world.project.write(".copier-answers.yml", None)
    world.project.commit()
    return world.both(says="made from the template")


@row("the answers file has lost its _commit")
def _(world):
    world.answers("_commit: v1.0.0\n", "", world.project)
    world.project.commit()
    return world.both(says="git checkout COMMIT")


@row("the answers file is not YAML any more")
def _(world):
    world.answers("_commit:", "{_commit:", world.project)
    world.project.commit()
    return world.both()


@row("made from an unreleased state of the template")
def _(world):
    world.answers("v1.0.0", "v1.0.0-1-gabcdef0", world.project)
    world.project.commit()
    return world.both(says="is no release of")


@row("the recorded release is gone")
def _(world):
    git("tag", "--delete", "v1.0.0", cwd=world.repository.path)
    return world.both(says="release v1.0.0 does not exist")


@row("the template has moved")
def _(world):
    shutil.move(world.repository.path, world.root / "moved")
    return world.both(says="set _src_path")


@row("the template has moved, and _src_path with it")
def _(world):
    shutil.move(world.repository.path, world.root / "moved")
    world.answers(str(world.repository.path), str(world.root / "moved"), world.project)
    world.project.commit()
    return world.both()


@row("a release asked for that does not exist")
def _(world):
    return world.both("--to", "v9.0.0", says="release v9.0.0 does not exist", vcs_ref="v9.0.0")


@row("an unreleased state asked for")
def _(world):
    world.release("v3.0.0", QUESTIONS, base=there(6))
    git("tag", "--delete", "v3.0.0", cwd=world.repository.path)
    return world.both("--to", "HEAD", says="is not a release of the template", vcs_ref="HEAD")


@row("the tag of the recorded release was moved")
def _(world):
    git("tag", "--force", "v1.0.0", "v2.0.0^{}", cwd=world.repository.path)
    plain = world.plain(vcs_ref="v2.0.0")
    arrived = (world.root / "plain" / "base.txt").read_text() == there(5)
    ours = world.ours("--to", "v2.0.0")
    assert "tag v1.0.0 was moved from " in world.message
    return plain if arrived else "never arrives", ours


@row("an older release asked for")
def _(world):
    world.project.update("apply")
    world.project.commit()
    return world.both("--to", "v1.0.0", says="only goes forward", vcs_ref="v1.0.0")


@row("an unknown toggle")
def _(world):
    return world.both("--data", "use_thnig=true", says="did you mean use_thing?", data={"use_thnig": True})


@row("an answer of the wrong type")
def _(world):
    return world.both("--data", "number=many", data={"number": "many"})


@row("a computed answer given")
def _(world):
    return world.both("--data", "computed=x", says="is computed from other answers", data={"computed": "x"})


@row("a toggle edited into the answers file by hand")
def _(world):
    world.answers("use_thing: false", "use_thing: true", world.project)
    world.project.commit()
    return world.both("--to", ":current:", says="--data use_thing=True", vcs_ref="v1.0.0")


@row("_commit edited by hand")
def _(world):
    world.answers("v1.0.0", "v2.0.0", world.project)
    world.project.commit()
    plain = world.plain()
    arrived = (world.root / "plain" / "base.txt").read_bytes() != TEN.encode()
    return plain if arrived else "nothing arrives", world.ours()


@row("markers of an earlier update committed")
def _(world):
    world.project.write("both.txt", "<<<<<<< before updating\n=======\n>>>>>>> after updating\n" + TEN)
    world.project.commit()
    world.project.write("own.txt", "x\n")
    world.project.commit()
    twin = world.plain()
    return "updated" if twin == "conflict, exit 0" else twin, world.ours()


@row("a .rej of an earlier update left")
def _(world):
    world.project.write(".gitignore", "*.rej\n")
    world.project.commit()
    world.project.write("both.txt.rej", "x\n")
    return world.both()


@row("a toggle on")
def _(world):
    results = (
        world.plain(data={"use_thing": True}, vcs_ref="v1.0.0"),
        world.ours("--to", ":current:", "-d", "use_thing=true"),
    )
    assert world.project.files()["thing.txt"] == TEN.encode()
    return results


@row("a toggle off, its file edited")
def _(world):
    world.project.update("apply", "--to", ":current:", "-d", "use_thing=true")
    world.project.write("thing.txt", here(5))
    world.project.commit()
    options = {"data": {"use_thing": False}, "vcs_ref": "v1.0.0"}
    plain = world.plain(**options)
    plain = plain if (world.root / "plain" / "thing.txt").exists() else "LOST"
    ours = world.ours("--to", ":current:", "-d", "use_thing=false")
    return plain, ours + ", the file kept" * (b"by mine" in world.project.files()["thing.txt"])


@row("a toggle off, files of its folder edited")
def _(world):
    part = f"{FOLDER}/app.py"
    world.repository.release("v3.0.0", toy(world.root, **{part: TEN, f"{FOLDER}/models.py": LONG}))
    world.project.update("apply", "--to", "v3.0.0", "-d", "use_thing=true")
    world.project.write("thing/models.py", LONG + "mine\n")
    world.project.write("thing/more/own.py", "mine\n")
    world.project.commit()
    plain = world.plain(data={"use_thing": False}, vcs_ref="v3.0.0")
    plain = plain if (world.root / "plain" / "thing" / "models.py").exists() else "LOST"
    off = ["--to", ":current:", "-d", "use_thing=false"]
    ours = world.ours(*off)
    assert "thing/ would be removed in part only" in world.message
    assert "(thing/models.py, thing/more/own.py)" in world.message
    anyway = world.project.clone(world.root / "anyway")
    assert anyway.update("apply", "--conflicts", *off).code == 0
    assert (anyway.path / "thing/models.py").exists()
    assert not (anyway.path / "thing/app.py").exists()
    shutil.rmtree(world.project.path / "thing")
    world.project.commit()
    assert world.project.update("apply", *off).code == 0
    return plain, ours


@row("a toggle off, its folder as the template has it")
def _(world):
    world.repository.release("v3.0.0", toy(world.root, **{f"{FOLDER}/app.py": TEN}))
    world.project.update("apply", "--to", "v3.0.0", "-d", "use_thing=true")
    world.project.write("things/own.py", "mine\n")
    world.project.commit()
    off = ["--to", ":current:", "-d", "use_thing=false"]
    results = world.both(*off, data={"use_thing": False}, vcs_ref="v3.0.0")
    assert "thing/app.py" not in world.project.files()
    return results


@row("a release moves a folder that has a project file")
def _(world):
    world.repository.release("v3.0.0", toy(world.root, **{"template/old/app.py": LONG}))
    world.repository.release("v4.0.0", toy(world.root, **{"template/new/app.py": LONG}))
    world.project.update("apply", "--to", "v3.0.0")
    world.project.write("old/own.py", "mine\n")
    world.project.commit()
    results = world.both("--to", "v4.0.0", vcs_ref="v4.0.0")
    assert {"new/app.py", "old/own.py"} <= world.project.files().keys()
    assert "old/app.py" not in world.project.files()
    return results


@row("the package renamed by --data")
def _(world):
    world.release("v3.0.0", SETTINGS + "package_name: {type: str, default: shop}\n")
    world.project.update("apply", "--to", "v3.0.0")
    world.project.commit()
    same = world.project.update("check", "--to", ":current:", "-d", "package_name=shop")
    assert same.code == 0, same
    return world.both(
        "--to",
        ":current:",
        "-d",
        "package_name=foo",
        says="package_name is shop and cannot become foo",
        data={"package_name": "foo"},
        vcs_ref="v3.0.0",
    )


@row("the same toggle on again, the kept file there")
def _(world):
    world.project.write("thing.txt", here(5))
    world.project.commit()
    options = {"data": {"use_thing": True}, "vcs_ref": "v1.0.0"}
    return world.both("--to", ":current:", "-d", "use_thing=true", **options)


@row("a new question: its default, announced")
def _(world):
    assert world.project.check()["answers"] == [
        "fruit: apple (new question, default answer)",
        "number: 1 (new question, default answer)",
    ]
    return world.both()


@row("a new question without a default")
def _(world):
    world.release("v3.0.0", SETTINGS + "must: {type: str}")
    return world.both(
        "--to", "v3.0.0", says='Question "must" is required: answer it with --data', vcs_ref="v3.0.0"
    )


@row("a choice is gone: the answer becomes the default")
def _(world):
    world.release("v4.0.0", QUESTIONS.replace("[apple, pear]", "[apple]"))
    world.project.update("apply", "--to", "v2.0.0", "-d", "fruit=pear")
    world.project.commit()
    answers = world.project.check("--to", "v4.0.0")["answers"]
    assert answers == ["fruit: pear is no longer accepted and becomes apple"]
    return world.plain(vcs_ref="v4.0.0"), world.ours("--to", "v4.0.0") + ", announced"


@row("a question is gone: the answer is forgotten")
def _(world):
    world.release("v5.0.0", SETTINGS)
    world.project.update("apply", "--to", "v2.0.0")
    world.project.commit()
    answers = world.project.check("--to", "v5.0.0")["answers"]
    assert "number: 1 is dropped, since the question no longer exists" in answers
    return world.plain(vcs_ref="v5.0.0"), world.ours("--to", "v5.0.0") + ", announced"


@row("the project is a folder of a larger repository")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    git("init", "--quiet", cwd=world.root)
    (world.root / ".gitignore").write_text("/*\n!/project\n!/plain\n")
    git("add", "--all", cwd=world.root)
    git("commit", "--quiet", "--message", "Start", cwd=world.root)
    ours = world.ours()
    world.project.git("commit", "--quiet", "--all", "--message", "Update")
    assert world.project.files()["base.txt"] == there(5).encode()
    return "updated", ours


@row("a file replaced by a folder of that name")
def _(world):
    world.project.write("base.txt", None)
    world.project.write("base.txt/mine.txt", "mine\n")
    world.project.commit()
    results = world.both()
    kept = world.project.files()["base.txt/mine.txt"] == b"mine\n"
    return results[0], results[1] + ", yours kept" * kept


@row("the template makes a file executable")
def _(world):
    tree = toy(world.root)
    (tree / "template" / "base.txt").chmod(0o755)
    world.repository.release("v3.0.0", tree)
    results = world.both()
    assert (world.project.path / "base.txt").stat().st_mode & 0o111
    return results


@row("a token for the template in git's environment")
def _(world):
    """GIT_CONFIG_COUNT is how CI hands it over."""
    elsewhere = world.root / "elsewhere"
    world.answers(str(world.repository.path), "https://example.invalid/template.git", world.project)
    world.project.commit()
    world.repository.path.rename(elsewhere)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COPIER_CACHE_DIR", str(world.root / "cache"))
        patch.setitem(GIT_ENVIRONMENT, "GIT_CONFIG_COUNT", "4")
        patch.setitem(GIT_ENVIRONMENT, "GIT_CONFIG_KEY_3", f"url.{elsewhere}.insteadOf")
        patch.setitem(GIT_ENVIRONMENT, "GIT_CONFIG_VALUE_3", "https://example.invalid/template.git")
        return world.both()


def checked_out_again(project, config=()):
    """As git writes the files with these settings."""
    for key, value in config:
        project.git("config", key, value)
    for name in project.files():
        (project.path / name).unlink()
    project.git("checkout", "--", ".")


@row("line ends by .gitattributes, eol=crlf")
def _(world):
    world.project.write(".gitattributes", "* text eol=crlf\n")
    world.project.commit()
    checked_out_again(world.project)
    assert b"\r\n" in world.project.files()["base.txt"]
    assert world.project.check()["edited"] == []
    results = world.both()
    assert world.project.files()["base.txt"] == there(5).replace("\n", "\r\n").encode()
    assert "base.txt | 2 +-" in world.project.git("diff", "--stat", "base.txt")
    return results


@row("line ends by core.autocrlf")
def _(world):
    checked_out_again(world.project, [("core.autocrlf", "true")])
    assert world.project.check()["edited"] == []
    return world.both()


@row("a link in place of a file")
def _(world):
    world.project.write("own.txt", "mine\n")
    world.project.write("base.txt", None)
    (world.project.path / "base.txt").symlink_to("own.txt")
    world.project.commit()
    results = world.both()
    assert world.project.files()["own.txt"] == b"mine\n"
    assert (world.project.path / "base.txt").is_symlink()
    return results


@row("a link in place of a folder")
def _(world):
    world.repository.release("v3.0.0", toy(world.root, **{"template/folder/new.txt": TEN}))
    (world.root / "elsewhere").mkdir()
    (world.project.path / "folder").symlink_to(world.root / "elsewhere")
    world.project.commit()
    results = world.both("--to", "v3.0.0", vcs_ref="v3.0.0")
    written = list((world.root / "elsewhere").iterdir())
    for file in written:
        file.unlink()
    world.project.git("reset", "--quiet", "--hard")
    assert world.project.update("apply", "--to", "v3.0.0").code == 0
    assert not list((world.root / "elsewhere").iterdir())
    return results


@row("the template renders a path of git's")
def _(world):
    hook = {"template/{{ '.g' }}it/hooks/pre-commit": "touch ran\n"}
    world.repository.release("v3.0.0", toy(world.root, **hook))
    return world.both("--to", "v3.0.0", says="renders .git, which is git's", vcs_ref="v3.0.0")


def turned(world, old: str, new: str, edit: str | None = None):
    """A release that makes a folder of a file, or the reverse."""
    world.repository.release("v3.0.0", toy(world.root, **{f"template/{old}": LONG}))
    world.repository.release("v4.0.0", toy(world.root, **{f"template/{new}": there(5)}))
    world.project.update("apply", "--to", "v3.0.0")
    if edit:
        world.project.write(old, LONG + edit)
    world.project.commit()
    results = world.both("--to", "v4.0.0", vcs_ref="v4.0.0")
    kept = old if edit else new
    assert world.project.files()[kept] == (LONG + edit if edit else there(5)).encode()
    return results


@row("the template makes a folder of a file")
def _(world):
    return turned(world, "d", "d/a")


@row("the template makes a file of a folder")
def _(world):
    return turned(world, "d/a", "d")


@row("the template makes a folder of a file, edited")
def _(world):
    return turned(world, "d", "d/a", "mine\n")


@row("another git command is running")
def _(world):
    (world.project.path / ".git" / "index.lock").touch()
    return world.both(says="Another git command")


@row("untracked files are hidden by git's settings")
def _(world):
    world.project.git("config", "status.showUntrackedFiles", "no")
    results = world.both()
    assert "both.txt" in world.project.files()
    return results


@row("apply.whitespace=error in git's settings")
def _(world):
    world.project.git("config", "apply.whitespace", "error")
    world.project.write("base.txt", change(TEN, 9, by="mine \t"))
    world.project.commit()
    return world.both()


@row("a sparse checkout")
def _(world):
    world.project.write("folder/own.txt", "mine\n")
    world.project.commit()
    world.project.git("sparse-checkout", "set", "--no-cone", "/*", "!/base.txt", "!/folder/")
    assert "base.txt" not in world.project.files()
    assert world.project.check()["deleted"] == []
    return world.both()


@row("a repository of SHA-256")
def _(world):
    shutil.rmtree(world.project.path / ".git")
    world.project.git("init", "--quiet", "--object-format=sha256")
    world.project.commit()
    return world.both()


@row("a shallow clone")
def _(world):
    world.project.commit()
    source = world.project.path.rename(world.root / "source")
    git("clone", "--quiet", "--depth=1", f"file://{source}", str(world.project.path), cwd=world.root)
    return world.both()


@row("an own file called x.rej")
def _(world):
    world.project.write("x.rej", "mine\n")
    world.project.write("x", "mine\n")
    world.project.commit()
    return world.both()


@row("a project file that quotes conflict markers")
def _(world):
    world.project.write("docs.md", "<<<<<<< before updating\n=======\n>>>>>>> after updating\n")
    world.project.commit()
    plain = world.plain()
    ours = world.ours()
    return tuple("updated" if made == "conflict, exit 0" else made for made in (plain, ours))


@row("a file that only its owner may read")
def _(world):
    (world.project.path / "base.txt").chmod(0o600)
    results = world.both()
    assert (world.project.path / "base.txt").stat().st_mode & 0o777 == 0o600
    return results


@row("the template makes a merged file executable")
def _(world):
    tree = toy(world.root, **{"template/base.txt": there(9)})
    (tree / "template" / "base.txt").chmod(0o755)
    world.repository.release("v3.0.0", tree)
    world.project.write("base.txt", here(1))
    world.project.commit()
    results = world.both("--to", "v3.0.0", vcs_ref="v3.0.0")
    assert (world.project.path / "base.txt").stat().st_mode & 0o111
    return results


@row("a project file whose name is not UTF-8")
def _(world):
    with open(os.fsencode(world.project.path) + b"/\xff.txt", "w") as file:
        file.write("mine\n")
    world.project.commit()
    return world.both()


@row("a migration without a version")
def _(world):
    world.release("v3.0.0", SETTINGS + "_migrations: [{command: 'true'}]\n")
    return world.both("--to", "v3.0.0", says="every update", vcs_ref="v3.0.0")


@row("a template with _tasks, which are not run")
def _(world):
    world.release("v3.0.0", SETTINGS + "_tasks: ['touch ran']\n")
    results = world.both("--to", "v3.0.0", vcs_ref="v3.0.0")
    assert not (world.project.path / "ran").exists()
    return results


@row("a template with Jinja extensions")
def _(world):
    world.release("v3.0.0", SETTINGS + "_jinja_extensions: [jinja2.ext.do]\n")
    return world.both("--to", "v3.0.0", says="Jinja extensions", vcs_ref="v3.0.0")


@row("a repository that belongs to another user")
def _(world):
    plain = "refused"  # As its git does.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        outcomes = [world.project.update(command) for command in ("check", "apply")]
    assert all(outcome.code == 2 and "safe.directory" in outcome.err for outcome in outcomes)
    return plain, "refused"


@row("a seam deleted in a folder of a larger repository")
def _(world):
    world.repository.release("v3.0.0", toy(world.root, **{"template/a/seam.txt": TEN}))
    world.repository.release("v4.0.0", toy(world.root, **{"template/a/seam.txt": TEN, "template/b.txt": TEN}))
    shutil.rmtree(world.project.path)
    git("init", "--quiet", cwd=world.root)
    world.project = Subject(world.root / "project", world.repository, "v3.0.0")
    shutil.rmtree(world.project.path / ".git")
    world.project.write("a/seam.txt", None)
    (world.root / ".gitignore").write_text("/*\n!/project\n!/plain\n")
    git("add", "--all", cwd=world.root)
    git("commit", "--quiet", "--message", "Start", cwd=world.root)
    return world.ours("--to", "v4.0.0"), "updated"


@row("git's environment names another repository")
def _(world):
    """As in a hook of git."""
    other = world.root / "other"
    other.mkdir()
    git("init", "--quiet", cwd=other)
    index = (world.project.path / ".git" / "index").read_bytes()
    hooked = {"GIT_DIR": str(other / ".git"), "GIT_INDEX_FILE": str(world.project.path / ".git" / "index")}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in hooked.items():
            patch.setenv(key, value)
        plain = world.plain()
        for key, value in hooked.items():
            patch.setenv(key, value)
        checked = world.project.update("check")
    assert checked.code == 0, checked
    assert (world.project.path / ".git" / "index").read_bytes() == index
    return plain, world.ours()


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
    plain, ours, _ = EXPECTED[name]

    assert ROWS[name](World(tmp_path)) == (plain, ours)


def test_the_commands_of_the_readme_resolve_a_conflict(tmp_path):
    readme = (shapes.ROOT / "README.md").read_text()
    (block,) = re.findall(r"^## Updates\n\n```sh\n(.*?)```", readme, re.MULTILINE | re.DOTALL)
    *commands, undo = [line.split("  ")[0] for line in block.splitlines()]
    world = World(tmp_path)
    world.project.write("base.txt", here(5))
    world.project.commit()
    before = world.project.files()

    check, apply, marked, again = [
        world.project.update(*command.removeprefix("uv run update.py ").split())
        for command in [*commands, commands[1]]
    ]

    assert [check.code, apply.code, marked.code] == [1, 1, 1]
    assert "`apply --conflicts` updates and marks" in check.out
    assert "`apply" not in marked.out + marked.err, "no advice to run what was just run"
    assert undo in marked.err
    assert undo in again.err, "an unfinished update is undone by the same command"
    subprocess.run(undo, shell=True, cwd=world.project.path, check=True, capture_output=True)
    assert world.project.files() == before


@pytest.mark.parametrize("locked", [True, False])
def test_a_lock_file_is_renewed_after_its_dependencies_changed(tmp_path, locked):
    world = World(tmp_path)
    world.repository.release("v3.0.0", toy(tmp_path, **{"template/pyproject.toml": PYPROJECT}))
    world.repository.release(
        "v4.0.0", toy(tmp_path, **{"template/pyproject.toml": PYPROJECT, "template/base.txt": there(7)})
    )
    if locked:
        world.project.write("uv.lock", "version = 1\n")
        world.project.commit()

    said = []
    for tag in ("v3.0.0", "v4.0.0"):
        said.append("`uv lock`" in world.project.update("apply", "--to", tag).err)
        world.project.commit()

    assert said == [locked, False]


def test_a_local_template_is_noted_with_a_release_only(tmp_path):
    project = World(tmp_path).project

    assert "is a local folder" in project.update("check").out
    toggle = project.update("check", "--to", ":current:", "-d", "use_thing=true")
    assert "is a local folder" not in toggle.out


def test_every_row_of_the_page_is_tested():
    assert [*EXPECTED] == ["scenario", "---", *CASES, *ROWS]
