"""Answers: hostile ones are refused in one sentence, or come out escaped everywhere they go."""

import ast
import html
import json
import keyword
import subprocess
import sys
import tomllib

import pytest
import shapes
import yaml
from copier import run_copy

REFUSED = [
    ("project_name", "", "project_name is empty"),
    ("project_name", "   ", "project_name is empty"),
    ("project_name", " Shop", "no space at either end"),
    ("project_name", "x" * 61, "1 to 60 characters"),
    ("project_name", "Shop\nimport os", "line break"),
    ("project_name", 'My "Shop"', "leave it out"),
    ("project_name", "C:\\Shop", "leave it out"),
    ("project_name", "{{ 7 * 7 }}", "leave it out"),
    ("project_name", "<script>", "leave it out"),
    ("project_name", "`id`", "leave it out"),
    ("project_name", "Shop\x00", "control character"),
    ("project_name", "Sh\u2028op", "control character"),
    ("project_name", "商店", "package_name must be a Python identifier"),
    ("package_name", "", "package_name must be a Python identifier"),
    ("package_name", "my-shop", "package_name must be a Python identifier"),
    ("package_name", "my shop", "package_name must be a Python identifier"),
    ("package_name", "Shop", "package_name must be a Python identifier"),
    ("package_name", "1shop", "package_name must be a Python identifier"),
    ("package_name", "_shop", "package_name must be a Python identifier"),
    ("package_name", "shop_", "package_name must be a Python identifier"),
    ("package_name", "shöp", "package_name must be a Python identifier"),
    ("package_name", "shop\n", "package_name must be a Python identifier"),
    ("package_name", "../shop", "package_name must be a Python identifier"),
    ("package_name", "s" * 31, "package_name must be a Python identifier"),
    *(
        ("package_name", name, f"package_name '{name}' is taken")
        for name in ("class", "test", "tests", "site", "json", "django", "celery", "channels", "pytest")
    ),
    ("description", " ", "description is empty"),
    ("description", "one\ntwo", "line break"),
    ("description", "{% raw %}", "Jinja brace"),
    ("description", "x" * 201, "longer than 200"),
    ("author_name", "", "author_name is empty"),
    ("author_name", "A\tB", "control character"),
    ("author_name", "{{ author }}", "Jinja brace"),
    ("author_email", "", "author_email must be an address"),
    ("author_email", "nobody", "author_email must be an address"),
    ("author_email", "a@b@c", "author_email must be an address"),
    ("author_email", 'a"@example.com', "author_email must be an address"),
    ("author_email", "a@example.com\n", "author_email must be an address"),
    ("django_version", "4.2", "django_version"),
    ("python_version", "3.9", "python_version"),
    ("database", "mysql", "database"),
    ("celery_broker", "kafka", "celery_broker"),
    ("ci_provider", "jenkins", "ci_provider"),
    *(
        ("ci_shards", answer, f"ci_shards must be 1 to 20, not {answer!r}: 1 runs all tests on one machine")
        for answer in (0, -1, 1000, "two", "", "1.5")
    ),
    ("use_celery", "maybe", "use_celery must be yes or no, not 'maybe'"),
    ("use_drf", "flase", "use_drf must be yes or no, not 'flase'"),
]
TOGETHER = [
    ({"django_version": "6.1", "python_version": "3.11"}, "'python_version': Django 6.1 needs 3.12 or later"),
    ({"database": "sqlite", "use_procrastinate": True}, "'database': Procrastinate needs postgresql"),
]
ESCAPED = [
    ("project_name", "O'Brien & Söhne"),
    ("project_name", "Ünïcode 商店 🛒"),
    ("project_name", "Магазин, «Ёлка»"),
    ("project_name", "100% #1: *best* [shop] | _all_ ~ $HOME %(x)s"),
    ("description", 'Quotes: "double", \'single\', `back`, C:\\path\\new, """'),
    ("description", "Trees 🌲, 日本語, العربية, <b>bold</b> & }} braces {"),
    ("author_name", 'Zoë "Zed" O\'Neil \\ Пётр'),
    ("author_email", "o.brien+shop@mail.example.co.uk"),
]


def refuse(template, target, answers, message):
    """Copy as a command would; the reason is one sentence, and nothing is written."""
    base = (
        {"package_name": "shop"}
        if answers.keys() & {"project_name"} and "商店" not in answers.values()
        else {}
    )
    with pytest.raises((ValueError, TypeError)) as refusal:
        run_copy(str(template), target, data={**base, **answers}, defaults=True, quiet=True)
    assert message in str(refusal.value)
    assert len(str(refusal.value).splitlines()) == 1
    assert not target.exists() or not list(target.iterdir())


@pytest.mark.parametrize(("question", "answer", "message"), REFUSED)
def test_a_bad_answer_is_refused(template, tmp_path, question, answer, message):
    related = {"use_celery": True} if question == "celery_broker" else {}

    refuse(template, tmp_path / "project", {**related, question: answer}, message)


@pytest.mark.parametrize(("answers", "message"), TOGETHER)
def test_answers_that_contradict_are_refused(template, tmp_path, answers, message):
    refuse(template, tmp_path / "project", answers, message)


@pytest.mark.parametrize("way", ["--data", "--data-file"])
def test_the_command_line_refuses_in_one_line(template, tmp_path, way):
    data = "package_name=django"
    if way == "--data-file":
        (tmp_path / "answers.yml").write_text("package_name: django\n")
        data = str(tmp_path / "answers.yml")
    command = [
        sys.executable,
        "-m",
        "copier",
        "copy",
        "--defaults",
        way,
        data,
        template,
        tmp_path / "project",
    ]

    done = subprocess.run(command, capture_output=True, text=True)

    assert done.returncode == 1
    # Copier shows where it stood first (a traceback); what a person reads is the last line.
    assert "package_name 'django' is taken by Python, Django or a library" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "project").exists()


@pytest.mark.parametrize(("question", "answer"), ESCAPED)
def test_a_strange_answer_is_escaped(rendered, question, answer):
    answers = {"package_name": "shop", question: answer}
    tree = rendered(**answers)

    recorded = yaml.safe_load((tree / ".copier-answers.yml").read_text())
    project = tomllib.loads((tree / "pyproject.toml").read_text())["project"]
    settings = ast.parse((tree / "shop" / "base_settings.py").read_text())
    constants = [node.value for node in ast.walk(settings) if isinstance(node, ast.Constant)]
    readme = html.unescape((tree / "README.md").read_text().replace("\\", ""))
    assert recorded[question] == answer
    assert {
        "project_name": answer in constants and answer in readme,
        "description": project["description"] == answer and answer.replace("\\", "") in readme,
        "author_name": project["authors"][0]["name"] == answer,
        "author_email": project["authors"][0]["email"] == answer,
    }[question]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Acme Shop", "acme_shop"),
        ("O'Brien & Söhne", "o_brien_s_hne"),
        ("Test", "project_test"),
        ("3D", "project_3d"),
    ],
)
def test_the_package_is_named_after_the_project(rendered, name, package):
    assert (rendered(project_name=name) / package / "settings.py").exists()


def test_every_name_that_would_clash_is_reserved(generate):
    """The standard library of this Python, Python's keywords, and every module of the fullest environment."""
    reserved = set(
        yaml.safe_load((shapes.ROOT / "reserved_names.yml").read_text())["reserved_names"]["default"].split()
    )
    script = "import importlib.metadata as m, json; print(json.dumps([*m.packages_distributions()]))"
    everything = generate(**shapes.catalogue()["everything"]).run("python", "-c", script).stdout
    taken = {*sys.stdlib_module_names, *keyword.kwlist, *json.loads(everything), "test", "tests"}

    assert {
        name for name in taken if name.islower() and name[0] != "_" and name.isidentifier()
    } - reserved == set()


def test_every_question_says_what_it_brings():
    questions = [part for part in yaml.safe_load_all(copier_yml()) if part][-1]
    asked = {
        name: spec for name, spec in questions.items() if name[0] != "_" and spec.get("when") is not False
    }

    assert [name for name, spec in asked.items() if len(spec.get("help", "")) < 30] == []
    assert [name for name, spec in asked.items() if "default" not in spec or "type" not in spec] == []


def copier_yml() -> str:
    return (shapes.ROOT / "copier.yml").read_text().replace("!include", "#")
