"""Dockerfile and compose.yml: each toggle's processes, and all that they name exists. Docker itself is not needed."""

import itertools
import re

import pytest
import shapes
import yaml
from packaging.specifiers import SpecifierSet

SHAPES = [
    {**dict(zip(shapes.TOGGLES, values, strict=True)), "database": database, **broker}
    for *values, database, broker in itertools.product(
        [False, True],
        [False, True],
        [False, True],
        [False],
        ["sqlite", "postgresql"],
        [{}, {"celery_broker": "rabbitmq"}],
    )
    if not (values[1] and database == "sqlite") and (values[0] or not broker)
]


@pytest.mark.parametrize("answers", SHAPES, ids=str)
def test_each_process_and_what_it_needs(rendered, answers):
    tree = rendered(**answers)
    celery, procrastinate = answers["use_celery"], answers["use_procrastinate"]
    rabbitmq = celery and "celery_broker" in answers
    servers = {
        "postgres": answers["database"] == "postgresql",
        "redis": answers["use_channels"] or (celery and not rabbitmq),
        "rabbitmq": rabbitmq,
    }
    processes = {
        "migrate": True,
        "web": True,
        "worker": celery,
        "beat": celery,
        "procrastinate": procrastinate,
        "sweeper": not celery and not procrastinate,
    }
    if not any(servers.values()):
        assert not (tree / "compose.yml").exists()
        return
    compose = yaml.safe_load((tree / "compose.yml").read_text())
    wanted = {name for name, there in {**servers, **processes}.items() if there}

    assert compose["services"].keys() == wanted
    for name, service in compose["services"].items():
        assert (service.get("profiles") == ["site"]) is (name in processes)
        assert service.get("depends_on", {}).keys() <= wanted
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in compose["volumes"]
    for name in ("web", *(name for name in ("worker", "procrastinate") if processes[name])):
        assert "healthcheck" in compose["services"][name]
        assert compose["services"][name]["depends_on"]["migrate"]
    assert compose["services"]["web"]["environment"]["WEB_CONCURRENCY"] == "${WEB_CONCURRENCY:-2}"
    asked = {name: str(service.get("healthcheck")) for name, service in compose["services"].items()}
    assert "/ready/" in asked["web"]
    assert all("/health/" not in asked[name] for name in processes if processes[name])
    environment = compose["services"]["web"]["environment"]
    assert ("CELERY_BROKER_URL" in environment) is celery
    assert ("REDIS_URL" in environment) is answers["use_channels"]


@pytest.mark.parametrize("answers", SHAPES, ids=str)
def test_every_shape_has_an_image(rendered, answers):
    tree = rendered(**answers)
    dockerfile = (tree / "Dockerfile").read_text()

    assert (tree / ".dockerignore").exists()
    assert ("compose.yml" in dockerfile) is (tree / "compose.yml").exists()
    assert ("ENV DATABASE_URL=sqlite:////data/" in dockerfile) is (answers["database"] == "sqlite")
    assert '"acme_shop.asgi:application"' in dockerfile
    assert "/health/" in dockerfile


@pytest.mark.parametrize("name", shapes.catalogue())
def test_the_image_has_a_tested_python(rendered, name):
    """The newest that Django supports; .python-version lets uv take each that CI tests, and no other."""
    tree = rendered(**shapes.catalogue()[name])
    (python,) = re.findall(r"(?m)^FROM python:(\S+)-slim@sha256:[0-9a-f]{64}$", (tree / "Dockerfile").read_text())
    supported = SpecifierSet((tree / ".python-version").read_text())

    assert python in supported
    assert "3.10.9" not in supported
    assert f"3.{int(shapes.PYTHONS[-1].removeprefix('3.')) + 1}" not in supported
    for workflow in (tree / ".github" / "workflows" / "ci.yml", tree / ".gitlab-ci.yml"):
        if workflow.exists():
            (found,) = re.findall(r"(?i)\bpython: (\[.+\])", workflow.read_text())
            pythons = yaml.safe_load(found)
            assert python in pythons
            assert pythons[-1] == shapes.PYTHONS[-1]
            assert all(f"{one}.9" in supported for one in pythons)
