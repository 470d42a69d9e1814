"""The jobs of a generated project's workflow, read alike for both providers."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

# What the provider puts in for a run.
VALUES = {"github.run_number": "7", "CI_PIPELINE_IID": "7"}


@dataclass
class Job:
    """One job of either provider, for one entry of its matrix; `steps` are shell scripts or actions."""

    name: str
    env: dict[str, str]
    services: list[str]
    steps: list[str]
    on_failure: list[str]
    keeps: list[str]
    fetches: bool


def jobs(project: Path, python: str) -> list[Job]:
    """All jobs, nightly ones too, with the Python given."""
    if (project / ".gitlab-ci.yml").exists():
        return gitlab_jobs(yaml.safe_load((project / ".gitlab-ci.yml").read_text()), python)
    compose = project / "compose.yml"
    declared = yaml.safe_load(compose.read_text())["services"] if compose.exists() else {}
    # `docker compose up` leaves out what has a profile: the site itself.
    services = [name for name, service in declared.items() if "profiles" not in service]
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())
    return github_jobs(workflow, services, python)


def github_jobs(workflow: dict, services: list[str], python: str) -> list[Job]:
    found = []
    for name, job in workflow["jobs"].items():
        for values in matrix(job.get("strategy", {}).get("matrix", {}), python):
            known = {**VALUES, **{f"matrix.{key}": value for key, value in values.items()}}

            def filled(env: dict, known: dict = known) -> dict[str, str]:
                pattern = r"\$\{\{ ([\w.]+) \}\}"
                return {key: re.sub(pattern, lambda m: known[m[1]], str(text)) for key, text in env.items()}

            env = filled(workflow["env"] | job.get("env", {}))
            steps, on_failure, keeps = [], [], []
            for step in job["steps"]:
                env |= filled(step.get("env", {}))
                if step.get("uses", "").startswith("actions/upload-artifact@"):
                    keeps += filled({"path": step["with"]["path"]}).values()
                (on_failure if step.get("if") == "failure()" else steps).append(
                    step["uses"].partition("@")[0] if "uses" in step else step["run"].strip()
                )
            started = services if "docker compose up --detach --wait" in steps else []
            fetches = "actions/download-artifact" in steps
            found.append(Job(name, env, started, steps, on_failure, keeps, fetches))
    return found


def gitlab_jobs(pipeline: dict, python: str) -> list[Job]:
    found = []
    for name, job in pipeline.items():
        if "script" not in job:
            continue
        base = pipeline[job["extends"]] if "extends" in job else {}
        (several,) = job.get("parallel", {}).get("matrix", [{}])
        for values in matrix(several, python):
            env = {**pipeline["variables"], **base.get("variables", {}), **job.get("variables", {}), **values}
            known = {**env, **VALUES}

            def filled(text: str, known: dict = known) -> str:
                return re.sub(r"\$(\w+)", lambda m: known[m[1]], text)

            env = {key: filled(text) for key, text in env.items()}
            keeps = [filled(path) for path in job.get("artifacts", {}).get("paths", [])]
            services = [service["alias"] for service in base.get("services", [])]
            for alias in services:  # The network's names of the services, which are this machine here.
                name_of_host = rf"(?<=[/@]){alias}(?=:\d)|(?<=,){alias}\b"
                env = {key: re.sub(name_of_host, "127.0.0.1", text) for key, text in env.items()}
            after = job.get("after_script", [])
            found.append(Job(name, env, services, job["script"], after, keeps, bool(job.get("needs"))))
    return found


def matrix(several: dict[str, list], python: str) -> list[dict[str, str]]:
    """The entries of a matrix that run here: the Python given, one of the random orders, every shard."""

    def here(key: str, values: list) -> list[str]:
        if key.lower() == "python":
            assert python in values
            return [python]
        return [str(value) for value in (values[:1] if key.lower() == "order" else values)]

    choices = [here(key, values) for key, values in several.items()]
    return [dict(zip(several, values, strict=True)) for values in itertools.product(*choices)]
