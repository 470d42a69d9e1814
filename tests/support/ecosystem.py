"""Other people's test suites, with and without the layer: what breaks, what leaks, what it costs.

A suite is a source distribution of the package index, pinned by name, version and hash in
tests/ecosystem/suites.yml. ``make ecosystem`` runs them all and prints the table; ``SUITES="django-waffle"``
selects some. Nothing of theirs is kept in the repository.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ElementTree
from ast import literal_eval
from collections import Counter
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import shapes
import yaml

FOLDER = shapes.ROOT / "tests" / "ecosystem"
SUITES = yaml.safe_load((FOLDER / "suites.yml").read_text())
TRUE_LEAKS = yaml.safe_load((FOLDER / "leaks.yml").read_text())
PYTHON = "3.13"
# In the order of the files, so that both runs are the same.
PLAIN = ["-p", "no:randomly", "-p", "no:cacheprovider", "-o", "junit_family=xunit2", "-q", "--no-header"]
LAYER = ["--isolation=warn", "--disable-socket", "--allow-unix-socket", "--allow-hosts=127.0.0.1,::1"]


@dataclass
class Run:
    """The outcome of each test, the leaks reported, by test, and the CPU seconds of a run."""

    outcomes: dict[str, str]
    leaks: dict[str, list[str]]
    seconds: float
    output: str = field(repr=False, default="")

    def broken(self) -> set[str]:
        return {name for name, outcome in self.outcomes.items() if outcome in ("failure", "error")}

    def names(self) -> dict[str, set[str]]:
        """The leaks of each test module, without what they changed: what leaks.yml lists."""
        found: dict[str, set[str]] = {}
        for test, lines in self.leaks.items():
            found.setdefault(test.partition("::")[0], set()).update(map(leak_name, lines))
        return found


def leak_name(line: str) -> str:
    return line.partition(" (")[0]


def source(name: str) -> Path:
    """The unpacked source distribution, downloaded once and checked against its hash."""
    suite = SUITES[name]
    folder = shapes.CACHE / "ecosystem" / f"{name}-{suite['version']}-{suite['sha256'][:12]}"
    with shapes.locked(folder.with_name(f"{folder.name}.lock")):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            wanted = f"{name}=={suite['version']}"
            command = ["-m", "pip", "download", "-qqq", "--no-deps", "--no-binary", name, wanted]
            subprocess.run([shapes.interpreter(PYTHON), *command], cwd=folder, check=True)
            (archive,) = folder.glob("*.tar.gz")
            found = sha256(archive.read_bytes()).hexdigest()
            if found != suite["sha256"]:
                raise SystemExit(
                    f"{archive.name} has the hash {found}, not that of suites.yml: do not run it."
                )
            with tarfile.open(archive) as tar:
                tar.extractall(folder, filter="data")
            (folder / "complete").touch()
    return next(path for path in folder.iterdir() if path.is_dir())


def environment(name: str) -> Path:
    """A virtual environment with the suite's package, what its tests need, and what the layer needs."""
    suite = SUITES[name]
    wanted = [*suite["requires"], f"{name}{suite.get('extras', '')}=={suite['version']}"]
    pins = shapes.CONSTRAINTS.read_text()
    key = sha256(json.dumps([PYTHON, wanted, pins]).encode()).hexdigest()[:12]
    venv = shapes.CACHE / "ecosystem" / f"venv-{name}-{key}"
    with shapes.locked(venv.with_name(f"{venv.name}.lock")):
        if not (venv / "complete").exists():
            shutil.rmtree(venv, ignore_errors=True)
            venv.parent.mkdir(parents=True, exist_ok=True)
            shapes.uv("venv", "--quiet", "--python", shapes.interpreter(PYTHON), str(venv), cwd=venv.parent)
            # An older pytest, where a suite asks for one, needs older plugins, too.
            older = any(one.startswith("pytest==") for one in wanted)
            pinned = [] if older else ["--constraint", str(shapes.CONSTRAINTS)]
            pip = ["--quiet", "--python", str(venv)]
            shapes.uv("pip", "install", *pip, str(shapes.wheel()), *wanted, *pinned, cwd=venv.parent)
            # It brought what it needs; the layer itself is laid over the environment, run by run.
            shapes.uv("pip", "uninstall", *pip, "hermetic-django", cwd=venv.parent)
            (venv / "complete").touch()
    return venv


def layer() -> Path:
    """A folder for PYTHONPATH that holds the layer as it stands here, with its entry point."""
    folder = shapes.wheel().with_name("installed")
    with shapes.locked(folder.with_name("installed.lock")):
        if not folder.exists():
            arguments = ["--quiet", "--no-deps", "--target", str(folder), str(shapes.wheel())]
            python = ["--python", shapes.interpreter(PYTHON)]
            shapes.uv("pip", "install", *python, *arguments, cwd=folder.parent)
    return folder


def run(name: str, with_layer: bool, scratch: Path, *options: str) -> Run:
    """Run a suite in a fresh copy of its source."""
    suite, venv = SUITES[name], environment(name)
    copy = scratch / f"{name}-{'with' if with_layer else 'without'}"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source(name), copy)
    for path, text in suite.get("files", {}).items():
        (copy / path).write_text(text)
    folder, results = copy / suite.get("folder", "."), copy / "results.xml"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(shapes.FOREIGN)}
    paths = [str(layer())] if with_layer else []
    paths += [str(folder / path) for path in suite.get("pythonpath", ["."])]
    env = {**clean, **suite.get("env", {}), "PYTHONPATH": os.pathsep.join(paths)}
    env |= {"PATH": f"{venv / 'bin'}{os.pathsep}{clean['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [str(venv / "bin" / "python"), "-m", "pytest", *map(str, suite["tests"])]
    command += [*PLAIN, f"--junitxml={results}", *(LAYER if with_layer else []), *options]
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    with process.stdout:
        output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    log = shapes.CACHE / "ecosystem" / f"{copy.name}.txt"
    log.write_text(output)
    if not results.exists():
        raise SystemExit(f"{name}: pytest ended with {process.returncode}:\n{output}")
    return read(results, usage.ru_utime + usage.ru_stime, output)


def read(results: Path, seconds: float, output: str) -> Run:
    outcomes, leaks = {}, {}
    for case in ElementTree.parse(results).iter("testcase"):
        test = f"{case.get('classname')}::{case.get('name')}"
        kinds = [child.tag for child in case if child.tag in ("failure", "error", "skipped")]
        outcomes[test] = next(iter(kinds), "passed")
        properties = [one for one in case.iter("property") if one.get("name") == "isolation warning"]
        if properties:
            leaks[test] = [literal_eval(one.get("value"))[2] for one in properties]
    return Run(outcomes, leaks, seconds, output)


def compare(name: str, scratch: Path, *options: str) -> tuple[Run, Run, set[str], dict[str, list[str]]]:
    """Without the layer, with it, the failures that are new, and the leaks that leaks.yml does not list."""
    before, after = run(name, False, scratch, *options), run(name, True, scratch, *options)
    known = TRUE_LEAKS.get(name) or {}
    unknown = {
        test: [line for line in lines if not is_known(known, test, leak_name(line))]
        for test, lines in after.leaks.items()
    }
    unknown = {test: lines for test, lines in unknown.items() if lines}
    return before, after, after.broken() - before.broken(), unknown


def is_known(known: dict[str, list[str]], test: str, leak: str) -> bool:
    patterns = [one for module, leaks in known.items() if test.startswith(module) for one in leaks]
    return any(fnmatchcase(leak, one) for one in patterns)


def main(names: list[str]) -> int:
    wrong = 0
    print(f"{'suite':26} tests failed  new leaks unlisted    CPU ratio")
    for name in names or SUITES:
        with (
            TemporaryDirectory() as scratch
        ):  # Outside of this repository, whose pytest configuration is not theirs.
            before, after, new, unknown = compare(name, Path(scratch))
        reports = Counter(leak_name(line) for lines in after.leaks.values() for line in lines)
        figures = f"{len(before.outcomes):5} {len(before.broken()):6} {len(new):4} {len(reports):5}"
        cost = f"{before.seconds:5.1f}s {after.seconds / before.seconds:5.2f}"
        print(f"{name:26} {figures} {len(unknown):8} {cost}", flush=True)
        for test in sorted(new):
            print(f"    new failure: {test}")
        first: dict[str, str] = {}
        for lines in unknown.values():
            for line in lines:
                first.setdefault(leak_name(line), line)
        for leak, line in sorted(first.items(), key=lambda item: -reports[item[0]]):
            print(f"    {reports[leak]:4} x {line}")
        if "off:" in after.output:
            print(*[line for line in after.output.splitlines() if "is off:" in line], sep="\n")
        wrong += len(new) + len(unknown)
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
