"""Any release to the next: a pristine project becomes a fresh render, toggles come and go without trace."""

import re
import shlex
import shutil
import subprocess
import sys

import pytest
import release
import releases
import shapes
import yaml
from copier import run_copy
from copier.errors import UnsafeTemplateError
from ownership import SPECS
from releases import HEAD, NEXT, Subject

CATALOGUE = shapes.catalogue()
# The template as it stands is updated from every release, and to one that changes every file.
CROSSINGS = [*((tag, HEAD) for tag in releases.released()), (HEAD, NEXT)]
# The only updates that ask for trust, because they run a migration.
TRUSTED: set[tuple[str, str]] = set()


def fresh(repository, tag, answers, target):
    run_copy(str(repository.path), target, data=answers, vcs_ref=tag, defaults=True, quiet=True, unsafe=False)
    return releases.contents(target)


def but_seams(files):
    """A seam is written once: what a later release says in it does not arrive."""
    return {name: text for name, text in files.items() if not SPECS["project"].match_file(name)}


@pytest.mark.parametrize("shape", CATALOGUE)
@pytest.mark.parametrize(("old", "new"), CROSSINGS)
def test_a_pristine_project_becomes_a_fresh_render(repository, tmp_path, old, new, shape):
    project = Subject(tmp_path / "project", repository, old, CATALOGUE[shape])
    before = project.files()

    outcome = project.update("apply", "--to", new, *(["--trust"] if (old, new) in TRUSTED else []))

    assert outcome.code == 0, outcome
    assert but_seams(project.files()) == but_seams(
        fresh(repository, new, CATALOGUE[shape], tmp_path / "fresh")
    )
    assert {name for name in before if SPECS["project"].match_file(name)} <= project.files().keys()
    if new == NEXT:
        assert (project.path / "NEXT.md").is_file(), "the update did nothing"


@pytest.mark.parametrize(("old", "new"), CROSSINGS)
def test_plain_copier_updates_a_pristine_project_too(repository, tmp_path, old, new):
    """Without trust, but where a migration is listed above."""
    project = Subject(tmp_path / "project", repository, old, CATALOGUE["everything"])
    if (old, new) in TRUSTED:
        with pytest.raises(UnsafeTemplateError):
            project.plain_update(vcs_ref=new)
        return
    project.plain_update(vcs_ref=new)

    expected = fresh(repository, new, CATALOGUE["everything"], tmp_path / "fresh")
    assert but_seams(project.files()) == but_seams(expected)


def test_plain_copier_updates_a_project_that_deleted_a_file(repository, tmp_path):
    """Copier 9.19.1 reads _skip_if_exists before the answers then: Jinja in it ends the update."""
    project = Subject(tmp_path / "project", repository, HEAD)
    project.write("manage.py", None)
    project.commit()

    project.plain_update(vcs_ref=NEXT)

    assert (project.path / "NEXT.md").is_file()
    assert not (project.path / "manage.py").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    "data",
    [
        *({toggle: "true"} for toggle in shapes.TOGGLES),
        {"database": "postgresql"},
        {"include_sample": "false"},
        {"testing_layer": "package"},
        {"ci_provider": "gitlab"},
        {"ci_provider": "none"},
        {"django_version": "6.1", "python_version": "3.12"},
        {"use_celery": "true", "celery_broker": "rabbitmq", "use_channels": "true", "use_drf": "true"},
    ],
    ids=lambda data: "-".join(f"{key}={value}" for key, value in data.items()),
)
def test_on_off_on_leaves_no_trace(repository, tmp_path, data):
    base = {"use_procrastinate": "false", "database": "postgresql"} if "use_procrastinate" in data else {}
    project = Subject(tmp_path / "project", repository, HEAD, base)
    off = project.files()
    on = fresh(repository, HEAD, {**base, **data}, tmp_path / "on")
    back = {key: off_answer(off, key) for key in data}

    for answers, expected in ((data, on), (back, off), (data, on)):
        options = [text for key, value in answers.items() for text in ("--data", f"{key}={value}")]
        outcome = project.update("apply", "--to", ":current:", *options)
        assert outcome.code == 0, outcome
        assert project.files() == expected
        project.commit("Toggle")


@pytest.mark.parametrize(("old", "new"), CROSSINGS)
def test_toggles_come_with_an_update_and_go(repository, tmp_path, old, new):
    project = Subject(tmp_path / "project", repository, old)
    on = {**dict.fromkeys(shapes.TOGGLES, "true"), "database": "postgresql", "testing_layer": "package"}
    off = {**dict.fromkeys(shapes.TOGGLES, "false"), "database": "sqlite", "testing_layer": "embedded"}

    for number, (to, answers) in enumerate([(new, on), (":current:", off), (":current:", on)]):
        options = [text for key, value in answers.items() for text in ("--data", f"{key}={value}")]
        trust = ["--trust"] * (number == 0 and (old, new) in TRUSTED)
        outcome = project.update("apply", "--to", to, *options, *trust)
        assert outcome.code == 0, outcome
        expected = fresh(repository, new, answers, tmp_path / f"fresh{number}")
        assert but_seams(project.files()) == but_seams(expected)
        project.commit("Toggle")


def test_a_project_of_0_1_0_takes_update_py_first(repository, tmp_path):
    """By the command of the changelog; its own update.py adds new files to folders that were deleted."""
    (documented,) = re.findall(r"^      uvx (copier copy .+)$", release.CHANGELOG.read_text(), re.MULTILINE)
    words = [
        {"TEMPLATE": str(repository.path), "v0.2.0": HEAD}.get(word, word) for word in shlex.split(documented)
    ]
    project = Subject(tmp_path / "project", repository, "v0.1.0")
    shutil.rmtree(project.path / "acme_shop" / "orders")
    project.write("update.py", (project.path / "update.py").read_text() + "# mine\n")
    project.commit()
    before = project.files()

    with releases.git_environment():
        command = [sys.executable, "-m", *words]
        taken = subprocess.run(command, cwd=project.path, check=True, capture_output=True, text=True)

    assert taken.stdout + taken.stderr == ""
    assert not project.files()["update.py"].endswith(b"# mine\n"), "the changelog says it is overwritten"
    assert project.git("status", "--porcelain").split() == ["M", "update.py"]
    project.commit()
    assert project.update("apply", "--to", HEAD).code == 0
    added = project.files().keys() - before.keys()
    assert added, "the update brings files"
    assert not [name for name in added if name.startswith("acme_shop/orders/")]


def test_the_changelog_names_uvicorns_new_flags(repository, tmp_path):
    """Those of the Dockerfile, for who starts the server otherwise."""
    flags = []
    for tag in ("v0.1.0", HEAD):
        project = Subject(tmp_path / tag, repository, tag, {"use_channels": True})
        command = (project.path / "Dockerfile").read_text().rpartition("CMD ")[2]
        flags.append(set(re.findall(r'"(--[a-z-]+)"', command)))
    (line,) = re.findall(r"^- Where you start uvicorn .*?\n(?=-)", release.CHANGELOG.read_text(), re.M | re.S)

    assert set(re.findall(r"--[a-z-]+", line)) == flags[1] - flags[0]


def off_answer(files, key):
    """The answer before, as text; one that was not asked has its default."""
    return str(yaml.safe_load(files[".copier-answers.yml"]).get(key, "redis")).lower()


def test_every_release_has_its_fixture():
    """What the changelog has dated is released; tags may be absent."""
    dated = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", release.CHANGELOG.read_text(), re.MULTILINE)

    assert {f"v{version}" for version in dated} == {*releases.released()}


def test_the_fixtures_are_the_tagged_trees(tmp_path):
    """Each release's archive has just what its tag has; a clone without tags has nothing to compare."""
    tags = set(releases.git("tag", "--list", cwd=shapes.ROOT).split())
    for tag in releases.released():
        kept = releases.contents(releases.unpack(tag, tmp_path / tag))
        assert {"copier.yml", "template/update.py"} <= kept.keys()
        if tag in tags:
            archive = tmp_path / f"{tag}.tar"
            releases.git("archive", "--output", str(archive), tag, cwd=shapes.ROOT)
            shutil.unpack_archive(archive, tmp_path / "tagged" / tag, filter="data")
            tagged = shapes.copy_template(tmp_path / "copy" / tag, root=tmp_path / "tagged" / tag)
            assert kept == releases.contents(tagged), f"{tag}.tar.xz is not what {tag} has"
