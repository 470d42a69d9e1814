"""The workflows of generated projects: valid, secure, and executed here, job by job, before any push.

GitLab's jobs are read here, not by gitlab-ci-local (npm): 4.75 stops on Node 20 (Set.union; no `engines`).
"""

import itertools
import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
import shapes
from processes import listening, tool
from workflows import Job, jobs

# Executed whole: each provider, database, queue and broker, with and without the sample, in shards.
SHARDED = {
    "github-shards": {"ci_shards": 2},
    "gitlab-shards-postgresql": {"ci_shards": 2, "ci_provider": "gitlab", "database": "postgresql"},
}
SHAPES = shapes.catalogue() | SHARDED
EXECUTED = {
    "default": "3.11",
    "everything": "3.13",
    "celery-rabbitmq-procrastinate-drf-no-sample": "3.11",
    "celery-rabbitmq-channels-drf-sqlite-django6": "3.13",
    "celery-redis-procrastinate-no-sample": "3.11",
    "channels-drf-sqlite-django6": "3.13",
    "github-shards": "3.11",
    "gitlab-shards-postgresql": "3.11",
}
# By `make test`, too: each provider, both databases, shards; test_shapes.py runs the others.
ALWAYS = {"default", "gitlab-shards-postgresql"}
# What cannot run here, by name, and why.
NOT_HERE = {
    "actions/checkout": "the clean copy stands for it",
    "astral-sh/setup-uv": "uv and the interpreters are this machine's",
    "actions/upload-artifact": "a folder stands for the provider's store",
    "actions/download-artifact": "a folder stands for the provider's store",
    "docker compose up --detach --wait": "this machine's services stand for the containers",
    "uv audit": "asks the vulnerability database",
}
SERVICES = {"postgres": 5432, "redis": 6379, "rabbitmq": 5672}


def run(job: Job, project: shapes.Project, copy: Path, env: dict[str, str]) -> subprocess.CompletedProcess:
    """The job's steps in a copy of the project, as the provider's shell runs them."""
    script = "\n".join(step for step in job.steps if step not in NOT_HERE)
    return subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", script],
        cwd=copy,
        env=project.environ(
            **env,
            UV_PROJECT_ENVIRONMENT=str(project.venv),
            UV_NO_SYNC="1",
            MYPY_CACHE_DIR=str(project.venv / ".mypy_cache"),
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )


@pytest.fixture
def started():
    """A function: job -> its variables, once the services that it declares are there, its database empty."""
    databases = []

    def start(job: Job, project: shapes.Project) -> dict[str, str]:
        for service in job.services:
            if not listening(SERVICES[service]):
                shapes.required(f"{service} does not listen on port {SERVICES[service]}")
        if "DATABASE_URL" not in job.env:
            return job.env
        name = f"ci_{os.getpid()}"
        if not databases:
            databases.append((project, name))
            sql(project, f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        server, _, _ = job.env["DATABASE_URL"].rpartition("/")
        return {**job.env, "DATABASE_URL": f"{server}/{name}"}

    yield start
    for project, name in databases:
        sql(project, f"DROP DATABASE {name}")


def sql(project: shapes.Project, *statements: str) -> None:
    code = "import psycopg, sys; c = psycopg.connect(sys.argv[1], autocommit=True)\n"
    code += "for statement in sys.argv[2:]: c.execute(statement)"
    project.run("python", "-c", code, "postgres://postgres:postgres@127.0.0.1:5432/postgres", *statements)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.slow) for name in EXECUTED]
)
def test_every_job_is_green(generate, started, tmp_path, name):
    """Each in a clean copy, in the order of the file; the table of what ran is printed (`-rP`)."""
    project = generate(python=EXECUTED[name], **SHAPES[name])
    failures = []
    store = tmp_path / "artifacts"
    store.mkdir()

    for number, job in enumerate(jobs(project.path, EXECUTED[name])):
        if name in SHARDED and job.name not in ("tests", "coverage", "reversed"):
            continue  # The same as without shards.
        copy = tmp_path / f"job{number}"
        shutil.copytree(project.path, copy)
        subprocess.run(["git", "init", "--quiet", copy], check=True)
        subprocess.run(["git", "add", "--all"], cwd=copy, check=True)
        if job.fetches:
            shutil.copytree(store, copy, dirs_exist_ok=True)
        begin = time.monotonic()
        done = run(job, project, copy, started(job, project))
        for step in job.steps:
            state = "not here" if step in NOT_HERE else "failed" if done.returncode else "ran"
            print(f"{job.name:10} {state:9} {step.splitlines()[0]}")
        print(f"{job.name:10} {time.monotonic() - begin:.0f} s")
        for path in job.keeps:
            shutil.copy(copy / path, store) if (copy / path).exists() else failures.append(f"no {path}")
        status = ["git", "status", "--porcelain"]
        litter = subprocess.run(status, cwd=copy, check=True, capture_output=True, text=True).stdout
        litter = [
            line for line in litter.splitlines() if not line.startswith("A ") and line[3:] not in job.keeps
        ]
        if done.returncode or litter:
            failures.append(f"{job.name} ended with {done.returncode}, left {litter}:\n{done.stdout}")
        if job.name in ("tests", "orders"):
            assert done.returncode or "Using --randomly-seed=7" in done.stdout

    if failures:
        pytest.fail("\n\n".join(failures), pytrace=False)


def test_what_runs_in_threads_is_measured_in_parallel_too(generate):
    """The readiness view asks the database in a thread; only its answers for a busy pool are not tested."""
    project = generate(include_sample=False)
    options = ["--cov", "--cov-fail-under=0", "tests/test_smoke.py"]

    for parallel in ("-n0", "-n1"):
        report = project.pytest(parallel, *options).stdout
        assert re.search(r"health\.py .+% +(.+)\n", report)[1] == "21, 27-34"


def test_shards_together_run_every_test_once(generate):
    """In the random order of one seed; without timings as with them."""
    project = generate(**SHARDED["github-shards"])

    def collected(*options: str) -> list[str]:
        done = project.pytest("--collect-only", "-q", "--randomly-seed=7", *options)
        return [line for line in done.stdout.splitlines() if "::" in line]

    every = collected()
    for timings in ({}, {test: 0.01 * number for number, test in enumerate(sorted(every), 1)}):
        (project.path / ".test_durations").write_text(json.dumps(timings))
        first, second = (collected("--splits=2", f"--group={group}") for group in (1, 2))

        assert [*first, *second] == every
        shares = [sum(timings.get(test, 1) for test in shard) for shard in (first, second)]
        assert max(shares) < 0.7 * sum(shares)


def test_one_shard_is_none(rendered):
    """The default leaves no trace of sharding, so that projects of earlier releases see no change."""
    tree = rendered()
    asked = [
        file.name
        for file in tree.rglob("*")
        if file.is_file() and re.search("(?i)shard|pytest-split", file.read_text())
    ]

    assert asked == [".copier-answers.yml"]


# By the schema that they must meet.
FILES = {
    "github": {
        "github-workflows": [".github/workflows/ci.yml", ".github/workflows/template-update.yml"],
        "dependabot": [".github/dependabot.yml"],
    },
    "gitlab": {
        "gitlab-ci": [".gitlab-ci.yml", ".gitlab/template-update.yml"],
        "renovate": ["renovate.json"],
    },
    "none": {},
}


@pytest.mark.parametrize("name", SHAPES)
def test_workflows_are_valid_and_secure(rendered, name):
    tree = rendered(**SHAPES[name])
    provider = SHAPES[name].get("ci_provider", "github")

    for schema, files in FILES[provider].items():
        options = ["--data-transform", "gitlab-ci"] if schema == "gitlab-ci" else []
        options += [str(tree / file) for file in files]
        done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *options)
        assert done.returncode == 0, done.stdout
    if provider == "github":
        assert_secure(tree)
    assert (tree / ".github").exists() is (provider == "github")
    assert (tree / ".gitlab-ci.yml").exists() is (provider == "gitlab")


def assert_secure(tree: Path) -> None:
    """Zizmor's strictest setting that needs no network."""
    done = tool("zizmor", "--offline", "--persona=auditor", "--no-progress", "--collect=all", str(tree))
    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


def test_zizmor_sees_an_unpinned_action(rendered, tmp_path):
    """The check can fail."""
    shutil.copytree(rendered() / ".github", tmp_path / ".github")
    file = tmp_path / ".github" / "workflows" / "ci.yml"
    file.write_text(re.sub(r"@[0-9a-f]{40} # v\S+", "@v1", file.read_text()))

    done = tool("zizmor", "--offline", "--persona=auditor", "--no-progress", str(tmp_path))

    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout


TOGGLES = pytest.mark.parametrize(
    "toggles",
    [{}, {"use_procrastinate": True, "use_celery": True, "use_channels": True}, {"ci_shards": 3}],
)


@TOGGLES
def test_both_providers_run_the_same_jobs(rendered, toggles):
    lines = {}
    for provider in ("github", "gitlab"):
        found = jobs(rendered(ci_provider=provider, **toggles), "3.13")
        started_here = {*NOT_HERE} - {"uv audit"}
        lines[provider] = {
            job.name: [line for step in job.steps if step not in started_here for line in step.splitlines()]
            for job in found
        }

    assert lines["github"] == lines["gitlab"]


@TOGGLES
@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_the_readme_has_every_command_of_ci_and_no_other(rendered, provider, toggles):
    """With the variables that CI sets: what is red there can be pasted here."""
    tree = rendered(ci_provider=provider, **toggles)
    commands, variables = set(), {}
    for job in jobs(tree, "3.13"):
        variables |= {name: job.env[name] for name in job.env if name.endswith("_URL")}
        commands |= {line for step in job.steps if " " in step for line in step.splitlines()}
    (block,) = re.findall(r"```sh\n(export SEED=.+?)```", (tree / "README.md").read_text(), re.DOTALL)
    shown = [line for line in block.splitlines()[1:] if not line.startswith("#")]
    exported = dict(
        line[7:].split("=", 1) for line in shown if line.startswith("export ") and "_URL=" in line
    )

    assert exported == variables
    services = {"docker compose up --detach --wait"}  # GitLab starts them by itself.
    shown = {re.sub("^COVERAGE_FILE=[^ ]+ ", "", line) for line in shown if "_URL=" not in line}
    assert shown - services == commands - services


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_a_red_job_names_the_command_for_its_order(rendered, provider):
    """The hint's seed and direction are those of the run; GitLab is silent when all is well."""
    hints = {}
    for job in jobs(rendered(ci_provider=provider), "3.13"):
        assert bool(job.on_failure) is any("uv run pytest" in step for step in job.steps)
        for status, hint in itertools.product(["failed", "success"], job.on_failure):
            env = {**os.environ, **job.env, "CI_JOB_STATUS": status}
            printed = subprocess.run(["bash", "-c", hint], env=env, capture_output=True, text=True).stdout
            hints[job.name, status] = printed[printed.find("'uv run") :]
    if provider == "gitlab":
        assert [hints.pop((name, "success")) for name in ("tests", "orders", "reversed")] == ["", "", ""]

    named = "'uv run python -m acme_shop.testing.pollution"
    assert {name: hint for (name, _), hint in hints.items()} == {
        "tests": f"{named} --seed 7'\n",
        "orders": f"{named} --seed 71'\n",
        "reversed": f"{named} --reversed --seed 7'\n",
    }


@pytest.mark.parametrize("provider", ["github", "gitlab"])
@pytest.mark.parametrize("lowest", shapes.PYTHONS)
def test_the_tests_run_on_the_pythons_that_the_question_promises(rendered, provider, lowest):
    tree = rendered(ci_provider=provider, python_version=lowest)
    workflow = tree / (".gitlab-ci.yml" if provider == "gitlab" else ".github/workflows/ci.yml")
    (pythons,) = re.findall(r"(?i)python: (\[.+\])", workflow.read_text())

    assert json.loads(pythons) == shapes.PYTHONS[shapes.PYTHONS.index(lowest) :]


def test_what_cannot_run_here_is_needed_by_some_workflow(rendered):
    """A stale entry would hide a mistake; an action that is not listed runs as a command, and fails."""
    steps = {
        step
        for answers in SHAPES.values()
        if answers.get("ci_provider") != "none"
        for job in jobs(rendered(**answers), "3.13")
        for step in job.steps
    }

    assert {*NOT_HERE} <= steps


POLLUTED = """
rates = []


def test_victim():
    assert rates == []


def test_polluter():
    rates.append(1)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["orders", "reversed"])
def test_a_nightly_job_catches_a_polluter(generate, name):
    """Green in the order of the file, red in this job; and the hint's own command names the polluter."""
    project = generate(include_sample=False)
    (project.path / "tests" / "test_rates.py").write_text(POLLUTED.lstrip())
    configuration = project.path / "pyproject.toml"
    kept = '[tool.pytest]\nisolation_keep = ["attributes:*.rates"]\n'  # What the guard cannot see.
    configuration.write_text(configuration.read_text().replace("[tool.pytest]\n", kept))
    (job,) = [job for job in jobs(project.path, "3.11") if job.name == name]
    (hint,) = job.on_failure

    project.pytest("--randomly-dont-reorganize")
    for order in range(1, 10):  # One of some random orders is enough; reversed is red at once.
        env = {**job.env, "ORDER": str(order), "CI_JOB_STATUS": "failed"}
        done = run(job, project, project.path, env)
        if done.returncode or name == "reversed":
            break
    printed = project.run("bash", "-c", hint, **env).stdout
    command = re.search(r"'(uv run python -m .+)'", printed)[1]
    named = project.run(
        "bash", "-c", command, check=False, UV_PROJECT_ENVIRONMENT=str(project.venv), UV_NO_SYNC="1"
    )
    print(f"{job.steps[-1]}\n{done.stdout[-300:]}\n{printed}\n{named.stdout}")

    assert "FAILED tests/test_rates.py::test_victim" in done.stdout
    assert (
        "\ntests/test_rates.py::test_polluter\nmakes fail\ntests/test_rates.py::test_victim\n" in named.stdout
    )
