"""Full shapes, generated and run: the promise is green on a fresh machine, no service running."""

import itertools

import pytest
import shapes

DEFAULTS = {
    "django_version": "5.2",
    "database": "sqlite",
    **dict.fromkeys(shapes.TOGGLES, False),
    "ci_provider": "github",
    "include_sample": True,
    "testing_layer": "embedded",
}
VALUES = {
    **{question: [False, True] for question in DEFAULTS},
    "django_version": [*shapes.DJANGO_VERSIONS],
    "database": ["sqlite", "postgresql"],
    "ci_provider": ["github", "gitlab", "none"],
    "testing_layer": ["embedded", "package"],
}


@pytest.mark.parametrize("name", shapes.catalogue())
def test_the_project_is_green(generate, name):
    project = generate(**shapes.catalogue()[name])

    project.run("ruff", "check", ".")
    project.run("ruff", "format", "--check", ".")
    assert " passed" in project.pytest("-q", "-p", "xdist", "-n", "2").stdout
    assert " passed" in project.pytest("-q").stdout


@pytest.mark.parametrize(
    "python",
    [
        pytest.param(python, marks=() if python in shapes.PYTHONS[-2:] else pytest.mark.slow)
        for python in shapes.PYTHONS[1:]
    ],
)
@pytest.mark.parametrize("name", ["default", "everything"])
def test_the_project_is_green_on_each_python(generate, name, python):
    """uv takes the newest that a fresh machine has; every shape runs on an older one, above."""
    project = generate(python=python, **shapes.catalogue()[name])

    print(name, python, project.pytest("-q", "-p", "xdist", "-n", "2").stdout.splitlines()[-1])


def test_a_shell_cannot_bring_its_broker(generate):
    """Celery prefers the environment to settings; the contract shows whether tests still have none."""
    project = generate(use_celery=True)
    contract = "tests/test_isolation_contract.py::TestNothingReachesOutside::test_settings_are_isolated"
    names = ("BROKER_URL", "BROKER_READ_URL", "BROKER_WRITE_URL", "RESULT_BACKEND")

    project.pytest("-q", contract, **{f"CELERY_{name}": "redis://192.0.2.1/0" for name in names})


def test_rabbitmq_keeps_no_results_in_production(generate):
    """What TESTING.md says of ``.get()``, which works in tests."""
    project = generate(**shapes.catalogue()["celery-rabbitmq-channels-drf-sqlite-django6"])
    read = "from celery.result import AsyncResult; AsyncResult('one').get(timeout=1)"

    done = project.run("python", "manage.py", "shell", "--command", read, check=False)

    assert "NotImplementedError: No result backend is configured." in done.stdout
    manual = (project.path / "TESTING.md").read_text()
    assert "`.get()` raises `NotImplementedError`, unless `CELERY_RESULT_BACKEND` is set." in manual


def test_the_catalogue_has_every_pair_of_answers():
    """Most faults of combinations are faults of two: so each possible pair stands in some shape."""
    shown = set()
    for answers in shapes.catalogue().values():
        implied = {"database": "postgresql"} if answers.get("use_procrastinate") else {}
        shape = {key: ({**DEFAULTS, **implied, **answers})[key] for key in DEFAULTS}
        shown |= {*itertools.combinations(shape.items(), 2)}
    wanted = {
        ((first, one), (second, other))
        for first, second in itertools.combinations(DEFAULTS, 2)
        for one in VALUES[first]
        for other in VALUES[second]
    } - {(("database", "sqlite"), ("use_procrastinate", True))}

    assert wanted - shown == set()
    brokers = {
        answers.get("celery_broker", "redis")
        for answers in shapes.catalogue().values()
        if "use_celery" in answers
    }
    assert brokers == {"redis", "rabbitmq"}
