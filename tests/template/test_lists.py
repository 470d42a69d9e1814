"""What stands in lists.yml is carried through: for an entry that is not, the next step is named."""

import ast
import json
import re
import subprocess
import tomllib

import pytest
import shapes
import yaml

ROOT = shapes.ROOT
LAYER = next((ROOT / "template").glob("*/testing"))


def text(path: str) -> str:
    return (ROOT / path).read_text()


def row(question: str) -> str:
    """The README's row on a question."""
    return next((line for line in text("README.md").splitlines() if f"`{question}`" in line), "")


def answers() -> list[dict]:
    return [*shapes.catalogue().values()]


def steps_of_a_python(version: str):
    """(step, whether it is done), in the order of docs/adding.md."""
    for workflow in ("ci.yml", "release.yml"):
        (line,) = re.findall(r"uv python install (.+)", text(f".github/workflows/{workflow}"))
        yield f"install it in .github/workflows/{workflow}: uv python install … {version}", version in line
    (matrix,) = re.findall(r"python: (\[.+\])", text(".github/workflows/ci.yml"))
    yield f'add "{version}" to the matrix of .github/workflows/ci.yml', version in json.loads(matrix)
    if version == shapes.PYTHONS[-1]:
        newest = f"up to {version} |"
        yield f"say '{newest[:-2]}' in the README's row python_version", newest in row("python_version")
    if version == shapes.PYTHONS[0]:
        lowest = f">={version}"
        ours = tomllib.loads(text("pyproject.toml"))["project"]["requires-python"]
        yield f'set requires-python = "{lowest}" in pyproject.toml', ours == lowest
        line = f'# requires-python = "{lowest}"\n'
        yield f'set requires-python = "{lowest}" in template/update.py', line in text("template/update.py")
        check = f"sys.version_info < ({version.replace('.', ', ')})"
        yield f"check for {version} in the Makefile", check in text("Makefile")


def steps_of_a_django(version: str):
    entry = shapes.DJANGO_VERSIONS.get(version, {})
    keys = {"label", "requirement", "first_python"}
    yield f"give it {', '.join(sorted(keys))} in lists.yml", entry.keys() == keys
    yield "name a first_python that stands in lists.yml", entry["first_python"] in shapes.PYTHONS
    named = entry["label"] in row("django_version") and entry["first_python"] in row("django_version")
    yield "name it, and its first Python, in the README's row django_version", named
    default = next(iter(shapes.DJANGO_VERSIONS))
    used = {given.get("django_version", default) for given in answers()}
    yield "add an answer file with it to tests/support/answers", version in used


def steps_of_a_toggle(toggle: str):
    *_, questions = yaml.safe_load_all(text("copier.yml").replace("!include", "#"))
    question = questions.get(toggle, {})
    yield f"add a question {toggle} to copier.yml", question.get("type") == "bool"
    yield f"make the default of {toggle} false in copier.yml", question.get("default") is False
    yield f"add a row `{toggle}` to the README's table", bool(row(toggle))
    names = [str(file) for file in (ROOT / "template").rglob("*")]
    brings = [text("template/pyproject.toml.jinja"), *names]
    yield f"let files or dependencies in template/ depend on {toggle}", any(toggle in one for one in brings)
    shown = any(given.get(toggle) for given in answers())
    yield f"add an answer file with {toggle} to tests/support/answers", shown
    name = toggle.removeprefix("use_")
    if (LAYER / f"{name}.py").exists():
        polluter = f"tests/payloads/polluters/test_{name}.py"
        yield f"plant leaks in {polluter}", (ROOT / polluter).exists()
        resets = f'\n    "{name}": ['
        yield f"list its resets in tests/projects/test_toggles.py: {name}", resets in text(
            "tests/projects/test_toggles.py"
        )


# Where a planted fault stands that a project's own run cannot show.
PLANTED_ELSEWHERE = {"warnings": "tests/layer/test_process.py"}  # pytest's plugin reverts filters first.


def steps_of_a_probe(name: str):
    faults = "".join(file.read_text() for file in (shapes.PAYLOADS / "faults").glob("*.py"))
    planted = re.search(rf"@reported\(\s*[^)]*[\"']{name}[:*\[]", faults)
    if elsewhere := PLANTED_ELSEWHERE.get(name):
        planted = f"{name}:" in (shapes.ROOT / elsewhere).read_text()
    yield f"plant a fault in tests/payloads/faults: @reported('{name}:…')", bool(planted)


def probes() -> list[str]:
    """The names that the layer's probes report under."""
    found = []
    for file in sorted(LAYER.rglob("*.py")):
        if "probes" in str(file.relative_to(LAYER)):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.ClassDef):
                    found += names(node)
    return found


def names(node: ast.ClassDef) -> list[str]:
    """The constants that a class body assigns to `name`, alone or in a tuple."""
    found = []
    for item in node.body:
        if isinstance(item, ast.Assign):
            for target in item.targets:
                several = isinstance(target, ast.Tuple)
                targets = target.elts if several else [target]
                values = item.value.elts if several and isinstance(item.value, ast.Tuple) else [item.value]
                found += [
                    value.value
                    for one, value in zip(targets, values, strict=False)
                    if isinstance(one, ast.Name) and one.id == "name" and isinstance(value, ast.Constant)
                ]
    return found


def next_step(steps) -> str | None:
    return next((step for step, done in steps if not done), None)


ENTRIES = [
    *((steps_of_a_python, version) for version in shapes.PYTHONS),
    *((steps_of_a_django, version) for version in shapes.DJANGO_VERSIONS),
    *((steps_of_a_toggle, toggle) for toggle in shapes.TOGGLES),
    *((steps_of_a_probe, name) for name in probes()),
]


@pytest.mark.parametrize(("steps", "entry"), ENTRIES)
def test_each_entry_is_carried_through(steps, entry):
    if step := next_step(steps(entry)):
        pytest.fail(f"{entry} is not carried through (docs/adding.md). Next: {step}", pytrace=False)


@pytest.mark.parametrize(
    ("steps", "entry", "step"),
    [
        (steps_of_a_python, "3.99", "install it in .github/workflows/ci.yml: uv python install … 3.99"),
        (steps_of_a_django, "9.0", "give it first_python, label, requirement in lists.yml"),
        (steps_of_a_toggle, "use_flower", "add a question use_flower to copier.yml"),
        (steps_of_a_probe, "clipboard", "plant a fault in tests/payloads/faults: @reported('clipboard:…')"),
    ],
)
def test_the_first_step_of_a_new_entry_is_named(steps, entry, step):
    assert next_step(steps(entry)) == step


def test_nothing_is_missing_from_the_lists():
    """Every question that is a toggle by its name, and no Python here that projects do not have."""
    *_, questions = yaml.safe_load_all(text("copier.yml").replace("!include", "#"))
    asked = [
        name
        for name, question in questions.items()
        if name.startswith("use_") and question.get("when") is not False
    ]
    (matrix,) = re.findall(r"python: (\[.+\])", text(".github/workflows/ci.yml"))
    (optional,) = re.findall(r'HERMETIC_OPTIONAL_PYTHONS="(.*)"', text(".ci/run"))

    assert asked == shapes.TOGGLES
    assert json.loads(matrix) == shapes.PYTHONS
    assert {*optional.split()} <= {*shapes.PYTHONS}
    assert len(probes()) >= 15


@pytest.mark.parametrize("version", shapes.PYTHONS)
def test_every_module_of_a_standard_library_is_reserved(version):
    """A package of that name would hide it."""
    code = "import keyword, sys; print(*sys.stdlib_module_names, *keyword.kwlist)"
    command = [shapes.interpreter(version), "-c", code]
    found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    reserved = yaml.safe_load(text("reserved_names.yml"))["reserved_names"]["default"].split()

    missing = sorted({name for name in found if name.islower() and name[0] != "_"} - {*reserved})
    assert not missing, f"add to reserved_names.yml, for Python {version}: {' '.join(missing)}"


def test_a_project_reads_the_lists(rendered):
    for django, entry in shapes.DJANGO_VERSIONS.items():
        project = tomllib.loads((rendered(django_version=django) / "pyproject.toml").read_text())["project"]
        minor = int(shapes.PYTHONS[-1].removeprefix("3."))
        assert project["requires-python"] == f">={entry['first_python']},<3.{minor + 1}"
        assert f"django{entry['requirement']}" in project["dependencies"]
