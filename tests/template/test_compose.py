"""compose.yml: each toggle's processes, and all that they name exists. Docker itself is not needed."""

import itertools

import pytest
import shapes
import yaml

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
    }
    if not any(servers.values()):
        assert not (tree / "compose.yml").exists()
        assert not (tree / "Dockerfile").exists()
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
    environment = compose["services"]["web"]["environment"]
    assert ("CELERY_BROKER_URL" in environment) is celery
    assert ("REDIS_URL" in environment) is answers["use_channels"]
