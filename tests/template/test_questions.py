"""Answers: hostile ones are refused in one sentence, or come out escaped everywhere they go."""

import ast
import html
import re
import subprocess
import sys
import tomllib

import pytest
import shapes
import yaml
from copier import run_copy

WITHOUT = 'remove " \\ < > { } `, line breaks'
REFUSED = [
    ("project_name", "", "enter a name, like 'Acme Shop'"),
    ("project_name", "   ", "enter a name, like 'Acme Shop'"),
    ("project_name", " Shop", "remove the space at either end"),
    ("project_name", "x" * 61, "use 60 characters or fewer"),
    ("project_name", "Shop\nimport os", WITHOUT),
    ("project_name", 'My "Shop"', WITHOUT),
    ("project_name", "C:\\Shop", WITHOUT),
    ("project_name", "{{ 7 * 7 }}", WITHOUT),
    ("project_name", "<script>", WITHOUT),
    ("project_name", "`id`", WITHOUT),
    ("project_name", "Shop\x00", WITHOUT),
    ("project_name", "Sh\u2028op", WITHOUT),
    ("project_name", "商店", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "my-shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "my shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "Shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "1shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "_shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "shop_", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "shöp", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "shop\n", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "../shop", "use 1 to 30 of a-z, 0-9 and _"),
    ("package_name", "s" * 31, "use 1 to 30 of a-z, 0-9 and _"),
    *(
        ("package_name", name, f"choose another name; '{name}' is taken")
        for name in ("class", "id", "admin", "test", "tests", "site", "json", "django", "celery", "channels", "pytest")
    ),
    ("description", " ", "describe it in one sentence"),
    ("description", "one\ntwo", "use one plain line"),
    ("description", "{% raw %}", "use one plain line"),
    ("description", "x" * 201, "use 200 characters or fewer"),
    ("author_name", "", "name a person or a team"),
    ("author_name", "A\tB", "use one plain line"),
    ("author_name", "{{ author }}", "use one plain line"),
    ("author_email", "", "enter one like dev@example.com"),
    ("author_email", "nobody", "enter one like dev@example.com"),
    ("author_email", "a@b@c", "enter one like dev@example.com"),
    ("author_email", 'a"@example.com', "enter one like dev@example.com"),
    ("author_email", "a@example.com\n", "enter one like dev@example.com"),
    ("django_version", "4.2", "django_version"),
    ("python_version", "3.9", "python_version"),
    ("database", "mysql", "database"),
    ("celery_broker", "kafka", "celery_broker"),
    ("ci_provider", "jenkins", "ci_provider"),
    *(
        ("ci_shards", answer, f"answer 1 to 20; ci_shards was {answer!r}, and 1 runs all tests on one machine")
        for answer in (0, -1, 1000, "two", "", "1.5")
    ),
    ("use_celery", "maybe", "answer yes or no; use_celery was 'maybe'"),
    ("use_drf", "flase", "answer yes or no; use_drf was 'flase'"),
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
    # The prompt has room for 34 characters.
    assert len(re.split("[;,]", str(refusal.value).rpartition("': ")[2] or message)[0]) <= 34
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
    assert "choose another name; 'django' is taken by Python, Django or a library" in done.stderr.splitlines()[-1]
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


def test_every_question_says_what_it_brings():
    questions = [part for part in yaml.safe_load_all(copier_yml()) if part][-1]
    asked = {
        name: spec for name, spec in questions.items() if name[0] != "_" and spec.get("when") is not False
    }

    assert [name for name, spec in asked.items() if len(spec.get("help", "")) < 30] == []
    assert [name for name, spec in asked.items() if "default" not in spec or "type" not in spec] == []


def copier_yml() -> str:
    return (shapes.ROOT / "copier.yml").read_text().replace("!include", "#")


@pytest.mark.parametrize(
    "toggles",
    [{"use_celery": True}, {"use_procrastinate": True}, {"use_celery": True, "use_procrastinate": True}],
    ids="-".join,
)
def test_the_closing_message_says_what_processes_orders(template, tmp_path, toggles, capsys):
    run_copy(str(template), tmp_path / "shop", data={**toggles, "database": "postgresql"}, defaults=True)

    message = capsys.readouterr().err
    (queue,) = tmp_path.glob("shop/*/orders/queue.py")
    (worker,) = re.findall('(?m)^WORKER = "(.+)"', queue.read_text())
    assert re.search(rf"Orders are processed by a worker.*:\n\n +{re.escape(worker)}\n", message)
    assert message.count("are processed by a worker") == len(toggles)
