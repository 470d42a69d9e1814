"""Every combination of the toggles renders to a tree that its own tools find nothing wrong with."""

import itertools
import re
import shutil
import tomllib

import pytest
import shapes
import yaml
from processes import tool

# Every value of every other question stands beside every combination of the toggles at least once.
OTHERS = [
    {"database": "sqlite", "ci_provider": "github", "include_sample": True, "package_name": "a"},
    {"database": "postgresql", "ci_provider": "gitlab", "include_sample": False, "django_version": "6.1"},
    {
        "database": "postgresql",
        "ci_provider": "none",
        "celery_broker": "rabbitmq",
        "python_version": "3.13",
        "package_name": "a_package_of_thirty_letters_xy",
    },
]
JINJA = re.compile(r"\{[{%#].*?[}%#]\}")
QUESTIONS = re.compile(rf"\b(?:{'|'.join(shapes.TOGGLES)}|include_sample|ci_provider|package_name)\b")


def answers():
    for toggles, others in itertools.product(shapes.COMBINATIONS, OTHERS):
        if toggles["use_procrastinate"] and others["database"] == "sqlite":
            others = {**others, "database": "postgresql"}
        if not toggles["use_celery"]:
            others = {key: value for key, value in others.items() if key != "celery_broker"}
        yield pytest.param(
            {**toggles, **others},
            id="-".join([*(key[4:] for key in toggles if toggles[key]), others["ci_provider"]]),
        )


@pytest.mark.parametrize("answers", [*answers()])
def test_the_tree_is_clean(rendered, answers):
    tree = rendered(**answers)
    files = [file for file in tree.rglob("*") if file.is_file()]

    for file in files:
        text = file.read_text()
        name = str(file.relative_to(tree))
        assert text.strip(), f"{name} is empty"
        assert text.endswith("\n"), f"{name} ends without a line break"
        assert not text.endswith("\n\n"), f"{name} ends with an empty line"
        assert not re.search(r"[ \t]+$", text, re.MULTILINE), f"{name} has trailing blanks"
        assert not re.search(r"^(<{7}|>{7}) ", text, re.MULTILINE), f"{name} has a merge conflict"
        assert '"' not in name
        for found in JINJA.findall(text):
            assert not QUESTIONS.search(found), f"{name} has Jinja left over: {found}"
        if file.suffix == ".py":
            compile(text, name, "exec")
        elif file.suffix == ".toml":
            tomllib.loads(text)
        elif file.suffix in (".yml", ".yaml"):
            yaml.compose(text)
    ruff(tree, "check", "--quiet")
    ruff(tree, "format", "--check", "--quiet")


LATER = "type Numbers = list[int]\n\n\ndef first[T](of: list[T]) -> T:\n    return of[0]\n"


@pytest.mark.parametrize("layer", ["embedded", "package"])
@pytest.mark.parametrize("python", shapes.PYTHONS[1:])
def test_a_fresh_project_passes_its_own_lint_on_each_python(template, tmp_path, python, layer):
    """The template's files stay as they are on 3.11, and the project's own may be written for its Python."""
    answers = {**shapes.catalogue()["everything"], "python_version": python, "testing_layer": layer}
    tree = shapes.render(template, tmp_path / "tree", {**answers, "django_version": "6.1"})
    (tree / "acme_shop" / "mine.py").write_text(LATER)

    ruff(tree, "check", "--quiet")
    ruff(tree, "format", "--check", "--quiet")


def test_the_settings_grow_as_their_docstring_says(rendered, tmp_path):
    tree = shutil.copytree(rendered(), tmp_path / "tree")
    settings = tree / "acme_shop" / "settings.py"
    (line,) = re.findall(r"(?m)^    (INSTALLED_APPS = .*)$", settings.read_text())
    settings.write_text(f"{settings.read_text()}\n{line}\n")

    ruff(tree, "check", "--quiet")
    ruff(tree, "format", "--check", "--quiet")


def ruff(tree, *command):
    """The tree's own configuration decides; the cache stays out of the rendered tree."""
    done = tool("ruff", *command, "--no-cache", ".", cwd=tree)
    assert not done.returncode, done.stdout


def test_make_lint_has_the_settings_of_the_projects(rendered):
    """Pristine .py files under template/ are held to what their projects hold them to."""
    project = tomllib.loads((rendered(database="postgresql") / "pyproject.toml").read_text())
    theirs = project["tool"]["ruff"]
    ours = tomllib.loads((shapes.ROOT / "tests" / "support" / "template_ruff.toml").read_text())

    assert ours["line-length"] == theirs["line-length"]
    for key in ("select", "ignore"):
        assert ours["lint"][key] == theirs["lint"][key]
    assert by_folder(ours) == by_folder(theirs)


def by_folder(settings):
    files = settings["lint"]["per-file-ignores"]
    return {pattern.removesuffix("/**").rpartition("/")[2]: ignored for pattern, ignored in files.items()}


def test_a_render_is_deterministic(template, rendered, tmp_path):
    first = rendered(**shapes.catalogue()["everything"])
    second = shapes.render(template, tmp_path / "again", shapes.catalogue()["everything"])

    assert contents(first) == contents(second)


def contents(tree):
    return {str(file.relative_to(tree)): file.read_bytes() for file in tree.rglob("*") if file.is_file()}


def test_copying_needs_no_trust():
    """Copier asks for --trust when a template has tasks, extensions, or a migration without a version."""
    documents = yaml.safe_load_all((shapes.ROOT / "copier.yml").read_text().replace("!include", "#"))
    settings = {key: value for part in documents if part for key, value in part.items() if key[0] == "_"}

    assert not settings.keys() & {"_tasks", "_jinja_extensions"}
    assert all("version" in migration for migration in settings.get("_migrations", []))
    assert settings["_envops"]["undefined"] == "jinja2.StrictUndefined"
