"""Every command block of a project's README, in its order, as it stands, with `.env` copied first."""

import re
import subprocess

import pytest
import shapes
from processes import free_port

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
"""


def blocks(readme: str) -> list[str]:
    """The command blocks as scripts: a server is served, what cannot run here is left out."""
    found = []
    for block in re.findall(r"```sh\n(.+?)```", readme, re.DOTALL):
        lines = [line for line in block.splitlines() if not line.startswith(tuple(NOT_HERE))]
        found.append(
            "\n".join(re.sub("^(uv run .*(?:runserver|uvicorn) ?.*)", r"serve \1", line) for line in lines)
        )
    return found


@pytest.mark.parametrize("name", ["default"])
def test_every_command_block_runs(generate, name):
    project = generate(python="3.11", **shapes.catalogue()[name])
    readme = (project.path / "README.md").read_text()
    subprocess.run(["git", "init", "--quiet", project.path], check=True)
    port = str(free_port())
    environment = project.environ(UV_PROJECT_ENVIRONMENT=str(project.venv), UV_NO_SYNC="1")
    (project.path / ".env").write_text((project.path / ".env.example").read_text())
    served = 0

    for script in blocks(readme):
        script = (SERVE + script).replace("PORT", port).replace("--port 8000", f"--port {port}")
        script = script.replace("manage.py runserver ", f"manage.py runserver {port} ")
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
        served += done.stdout.count("served: ")

    assert served == 2  # runserver and uvicorn
