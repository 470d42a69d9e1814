"""Updates of random templates and of ours, judged by tests/support/judge.py, not by update.py."""

import json
import shutil
import tempfile
from pathlib import Path

import pytest
import shapes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from judge import File, Update, tree
from ownership import SPECS
from releases import HEAD, NEXT, Repository, Subject, released

# In the nightly tests each part draws anew; the ordinary run is the same each time.
PARTS = [pytest.param(part, marks=pytest.mark.slow if part else ()) for part in range(21)]
SEAMS = ("seam.txt", "d/seam.txt")
PATHS = (
    "a.txt", "b.txt", "d", "d/a.txt", "d/b.txt", "d/e/c.txt", "d/e", "f/g", "own/x", "[x].txt", "-x",
    "ü b'.txt", "x.env", "d/x.env", ".env.example", ".gitignore", "pyproject.toml", *SEAMS,
)  # fmt: skip
LINES = [f"line {number}\n".encode() for number in range(10)]
ODD = [b"\n", b"=======\n", b"<<<<<<< mine\n", b"windows\r\n", b"\xff\n", b"\0\n", b"end"]
ENTRIES = [
    line.encode() + b"\n"
    for line in ('    "one>=1",', '    "One>=2",', '    "two",  # why', '    "three[x]>=3",')
]


def settings_of(part: int, examples: int):
    return settings(
        max_examples=examples,
        derandomize=not part,
        database=None,
        deadline=None,
        print_blob=True,
        suppress_health_check=[*HealthCheck],
    )


def lines_for(path: str) -> st.SearchStrategy[bytes]:
    if path.endswith(".toml"):
        return st.sampled_from(ENTRIES)
    return st.one_of(st.sampled_from(LINES), st.sampled_from(LINES), st.sampled_from(ODD))


@st.composite
def texts(draw, path: str) -> bytes:
    lines = draw(st.lists(lines_for(path), min_size=2, max_size=8))
    if path.endswith(".toml"):
        return (
            b"[project]\ndependencies = [\n" + b"".join(line for line in lines if line[:1] == b" ") + b"]\n"
        )
    if path == ".gitignore":
        lines.insert(0, b"*.env\n")
    return b"".join(lines)


@st.composite
def edited(draw, path: str, file: File) -> File:
    lines = file.text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(lines)))
        new = draw(st.lists(lines_for(path), max_size=2))
        lines[at : at + draw(st.integers(0, 2))] = new
    return File(b"".join(lines), draw(st.sampled_from([file.executable] * 5 + [True])))


def without_clashes(files: dict[str, File]) -> dict[str, File]:
    """No file where another one needs a folder."""
    kept = {}
    for path, file in sorted(files.items()):
        if not any(path.startswith(f"{one}/") for one in kept):
            kept[path] = file
    return kept


@st.composite
def changed(draw, base: dict[str, File]) -> dict[str, File]:
    """What a side makes of the files: edits, deletions, moves, new ones."""
    files = {}
    for path, file in base.items():
        fate = draw(st.sampled_from(["kept", "kept", "edited", "edited", "dropped", "moved"]))
        if fate == "moved":
            files[draw(st.sampled_from(PATHS))] = draw(edited(path, file))
        elif fate != "dropped":
            files[path] = draw(edited(path, file)) if fate == "edited" else file
    for path in draw(st.lists(st.sampled_from(PATHS), max_size=2)):
        files.setdefault(path, File(draw(texts(path))))
    return without_clashes(files)


@st.composite
def three_sides(draw):
    paths = draw(st.lists(st.sampled_from(PATHS), min_size=4, max_size=8, unique=True))
    base = without_clashes({path: File(draw(texts(path)), draw(st.booleans())) for path in paths})
    windows = set(draw(st.lists(st.sampled_from(PATHS), max_size=3)))
    sides = base, draw(changed(base)), draw(changed(base))
    return tuple(
        {path: with_crlf(file) if path in windows else file for path, file in side.items()} for side in sides
    )


def with_crlf(file: File) -> File:
    return file._replace(text=file.text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


def write(root: Path, files: dict[str, File]) -> None:
    for path, file in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(file.text)
        (root / path).chmod(0o755 if file.executable else 0o644)


def template_of(root: Path, files: dict[str, File]) -> Path:
    (root / "template").mkdir(parents=True)
    write(root / "template", files)
    shutil.copy(shapes.ROOT / "template" / "update.py", root / "template")
    seams = ", ".join(f"/{seam}" for seam in SEAMS)
    (root / "copier.yml").write_text(f"_subdirectory: template\n_skip_if_exists: [{seams}]\n")
    (root / "template" / "{{ _copier_conf.answers_file }}.jinja").write_text(
        "{{ _copier_answers | to_nice_yaml }}"
    )
    return root


def replace_files(project: Subject, files: dict[str, File]) -> None:
    for path in tree(project.path).keys() - {"update.py"}:
        (project.path / path).unlink()
    for folder in sorted((path for path in project.path.rglob("*") if path.is_dir()), reverse=True):
        if ".git" not in folder.parts and not any(folder.iterdir()):
            folder.rmdir()
    write(project.path, files)
    project.commit()


def judge(project: Subject, base, new, seams, *arguments: str) -> Update:
    """Check, apply and judge; returns what was judged."""
    mine, state = tree(project.path), project.state()
    ignored = set(project.git("ls-files", "-z", "--others", "--ignored", "--exclude-standard").split("\0"))
    checked = project.update("check", "--json", *arguments)
    assert checked.code in (0, 1), checked
    plan = json.loads(checked.out)
    announced = {change["path"] for change in plan["changes"] if change["verdict"] == "conflict"}
    if announced:
        assert project.update("apply", *arguments).code == 1
    assert project.state() == state, "a check or a refusal changed something"

    outcome = project.update("apply", "--conflicts", *arguments)

    assert outcome.code == checked.code, outcome
    update = Update(base, new, mine, tree(project.path), announced, ignored, seams)
    assert not (problems := update.problems()), "\n".join(problems)
    unmerged = project.git("diff", "-z", "--name-only", "--diff-filter=U").split("\0")
    assert {*unmerged} - {""} == announced
    named = {change[key] for change in plan["changes"] for key in ("path", "to")}
    assert {
        path for path in mine.keys() | update.result.keys() if mine.get(path) != update.result.get(path)
    } <= named
    assert project.git("rev-parse", "HEAD") == state[2].splitlines()[0] + "\n"
    return update


def updated(root: Path, base, new, mine) -> Update:
    """Release both sides, update a project of the first one that holds the files of `mine`, and judge."""
    repository = Repository(root / "template")
    repository.release("v1.0.0", template_of(root / "one", base))
    repository.release("v2.0.0", template_of(root / "two", new))
    project = Subject(root / "project", repository, "v1.0.0")
    replace_files(project, mine)
    own = {"update.py": tree(project.path)["update.py"]}
    return judge(project, base | own, new | own, {*SEAMS})


@pytest.fixture
def figures(record_property):
    """Counts what was judged, for the summary of the run (tests/conftest.py)."""
    found = {"updates": 0, "edits": 0, "conflicts": 0}
    record_property("judged", found)

    def count(update: Update) -> None:
        found["updates"] += 1
        found["edits"] += sum(update.base.get(path) != file for path, file in update.mine.items())
        found["conflicts"] += len(update.announced)

    return count


@pytest.mark.parametrize("part", PARTS)
def test_random_templates(part, figures):
    @settings_of(part, 25)
    @given(three_sides())
    def judged(sides):
        base, new, mine = sides
        with tempfile.TemporaryDirectory() as folder:
            figures(updated(Path(folder), base, new, mine))

    judged()


# What random templates have found: both releases and the project.
FOUND = {
    "a new seam in a folder whose name is a file's here": (
        {"d/a.txt": b"1\n"},
        {"d/a.txt": b"1\n", "d/seam.txt": b"2\n"},
        {"d": b"mine\n"},
    ),
    "a list with a line of seven equals signs that both sides replace": (
        {".gitignore": b"*.a\n=======\n"},
        {".gitignore": b"*.a\nnew\n"},
        {".gitignore": b"*.a\nmine\n<<<<<<< mine\n"},
    ),
    "a file that the template makes a list, and that both sides change": (
        {"old.txt": b"8\n7\na\n0\n3\n1\n7\n2\n"},
        {".env.example": b"8\n7\n0\n3\n1\n7\n5\n7\n2\n"},
        {"old.txt": b"3\n4\n8\n7\na\n0\n3\nb\n0\n7\nb\n4\n"},
    ),
    "a new seam in a folder of which a file of the team is left": (
        {"d/a.txt": b"1\n", "d/e/c.txt": b"2\n"},
        {"d/a.txt": b"1\n", "d/e/c.txt": b"2\n", "d/seam.txt": b"3\n"},
        {"d/e": b"mine\n"},
    ),
    "a line that a list has once on one side and three times on the other": (
        {},
        {".env.example": b"3\n6\n0\n4\n"},
        {".env.example": b"9\n4\n4\n8\n7\n\n4\n1\n"},
    ),
    "a new file whose name is that of a file that git ignores here": (
        {".gitignore": b"*.env\n"},
        {"x.env": b"1\n"},
        {".gitignore": b"*.env\n", "x.env": b"mine\n"},
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_found_before(tmp_path, name):
    base, new, mine = ({path: File(text) for path, text in side.items()} for side in FOUND[name])
    updated(tmp_path, base, new, mine)


@st.composite
def drifted(draw, base: dict[str, File], new: dict[str, File]) -> dict[str, File]:
    """A project of ours with edits: other lines, lines and files deleted, moved, or made before."""
    files = dict(base)
    names = sorted(files.keys() - {"update.py"})
    coming = sorted(new.keys() - base.keys())
    for path in draw(st.lists(st.sampled_from(names), min_size=1, max_size=12, unique=True)):
        fate = draw(st.sampled_from(["edited"] * 6 + ["dropped", "moved"]))
        file = files[path] if fate == "edited" else files.pop(path)
        if fate != "dropped":
            files[path if fate == "edited" else f"moved/{path}"] = draw(edited(path, file))
    for path in draw(st.lists(st.sampled_from(coming), max_size=2)) if coming else ():
        files[path] = draw(edited(path, new[path]))
    return without_clashes(files)


@pytest.mark.parametrize("part", PARTS)
def test_ours(repository, tmp_path, part, figures):
    """The shapes in turn: from the oldest release to the template as it stands, and from it to a next one."""
    answers = [*shapes.catalogue().values()][part % len(shapes.catalogue())]
    old, to = [(released()[0], HEAD), (HEAD, NEXT)][part % 2]
    original = Subject(tmp_path / "original", repository, old, answers)
    fresh = Subject(tmp_path / "fresh", repository, to, answers)
    base, new = tree(original.path), tree(fresh.path)
    newest = {"update.py": File((shapes.ROOT / "template" / "update.py").read_bytes())}  # As `renew` does.
    seams = {path for path in base.keys() | new.keys() if SPECS["project"].match_file(path)}

    @settings_of(part, 3)
    @given(drifted(base | newest, new))
    def judged(mine):
        with tempfile.TemporaryDirectory() as folder:
            project = original.clone(Path(folder) / "project")
            replace_files(project, mine)
            figures(judge(project, base, new, seams, "--to", to))

    judged()
