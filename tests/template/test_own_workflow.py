"""The template's own workflow: the same as .ci/run, on the Pythons and services of the projects it makes."""

import re
import tomllib

import pytest
import shapes
import yaml
from processes import tool

WORKFLOWS = shapes.ROOT / ".github" / "workflows"
SERVICES = shapes.ROOT / ".ci" / "compose.yml"
PIN = re.compile(r"uses: (\S+)@([0-9a-f]{40}) # (v[\d.]+)\n")


@pytest.fixture(scope="module")
def job():
    (job,) = yaml.safe_load((WORKFLOWS / "ci.yml").read_text())["jobs"].values()
    return job


def test_it_does_what_ci_run_does(job):
    """The entry that everybody runs is the last step; those before it only bring the machine to it."""
    steps = [step["run"] for step in job["steps"] if "run" in step]

    assert steps == [
        f"uv python install {' '.join(shapes.PYTHONS)}",
        "docker compose --file .ci/compose.yml up --detach --wait",
        '.ci/run "$TARGET"',
    ]
    target = job["steps"][-1]["env"]["TARGET"]
    assert target == "${{ github.event_name == 'schedule' && 'test-all' || 'test' }}"
    assert (shapes.ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_it_runs_on_the_pythons_of_the_projects(job, rendered):
    project = rendered(ci_provider="github")
    theirs = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["tests"]
    lowest = tomllib.loads((shapes.ROOT / "pyproject.toml").read_text())["project"]["requires-python"]

    assert job["strategy"]["matrix"]["python"] == theirs["strategy"]["matrix"]["python"]
    assert lowest == f">={job['strategy']['matrix']['python'][0]}"


def test_it_has_the_services_of_the_projects(rendered):
    """Same images, ports and health checks as in the project with every toggle, and with the other broker."""
    ours = yaml.safe_load(SERVICES.read_text())["services"]
    theirs = {}
    for name in ("everything", "celery-rabbitmq-channels-postgresql-django6"):
        compose = rendered(**shapes.catalogue()[name]) / "compose.yml"
        theirs |= yaml.safe_load(compose.read_text())["services"]

    for name, service in ours.items():
        for key in ("image", "ports", "healthcheck"):
            assert service[key] == theirs[name][key], f"{name}: {key}"


def test_actions_are_pinned_alike(rendered):
    """Dependabot moves the pins here; the same change belongs in the workflow of the projects."""
    project = rendered(ci_provider="github") / ".github" / "workflows" / "ci.yml"
    ours, theirs = ({*PIN.findall(file.read_text())} for file in (WORKFLOWS / "ci.yml", project))

    assert len(ours) == (WORKFLOWS / "ci.yml").read_text().count("uses: ")
    assert {pin for pin in theirs if pin[0] in {name for name, *_ in ours}} == ours


def test_it_is_valid_and_secure():
    github = shapes.ROOT / ".github"
    check("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *WORKFLOWS.glob("*.yml"))
    check("check-jsonschema", "--builtin-schema", "vendor.dependabot", github / "dependabot.yml")
    check("check-jsonschema", "--builtin-schema", "vendor.compose-spec", SERVICES)
    check("zizmor", "--offline", "--persona", "auditor", "--strict-collection", github)


def check(name, *arguments):
    done = tool(name, *arguments)
    assert not done.returncode, done.stdout
