"""CPU of `update.py check` and `apply` against `copier update`, and of a fleet against checks one by one.

    .cache/tools/bin/python benchmarks/updates.py [rounds] [projects] [files]

Last comes the memory of a check in a project with so many files of its own.

All in one run, on one processor, a process for each command. Projects are of the default shape with one
edit; those of the fleet have names of their own.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cpu

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

import releases  # noqa: E402
import shapes  # noqa: E402

COMMANDS = {
    "copier update": [sys.executable, "-m", "copier", "update", "--defaults", "--quiet"],
    "update.py check": [sys.executable, "update.py", "check"],
    "update.py apply": [sys.executable, "update.py", "apply"],
}


def main(rounds: int, projects: int, files: int) -> None:
    cpu.keep_to_one_processor()
    with tempfile.TemporaryDirectory() as name, releases.git_environment():
        folder = Path(name)
        repository = template(folder)
        project = drifted(folder / "project", repository, 0)
        seconds = [
            {
                name: run(command, project.clone(folder / f"{turn}-{name}").path)
                for name, command in COMMANDS.items()
            }
            for turn in range(rounds)
        ]
        plain = statistics.median(turn["copier update"] for turn in seconds)
        print(f"copier update: {plain:.2f} s CPU, {len(project.files())} files, {rounds} rounds")
        for command in list(COMMANDS)[1:]:
            ratio = statistics.median(turn[command] / turn["copier update"] for turn in seconds)
            print(f"{command}: {ratio:.2f} times that")

        fleet = [
            drifted(folder / "fleet" / f"shop{number}", repository, number) for number in range(projects)
        ]
        (folder / "list").write_text("".join(f"{project.path}\n" for project in fleet))
        total = run([sys.executable, str(ROOT / "fleet.py"), str(folder / "list")], ROOT)
        check = statistics.median(turn["update.py check"] for turn in seconds)
        print(
            f"fleet: {total / projects / check:.2f} times a check for each of {projects}, "
            f"{total / projects:.2f} s CPU"
        )

        before = memory(COMMANDS["update.py check"], project.path)
        project.write("manage.py", None)  # Looked for under another name.
        for number in range(files):
            project.write(f"own/{number % 100}/{number}.txt", f"{number}\n" * 1000)
        project.commit()
        grown = memory(COMMANDS["update.py check"], project.path) / before
        print(f"memory of a check with {files} more files: {grown:.2f} times that without")


def template(folder: Path) -> releases.Repository:
    """Our template as it stands, and a next release that changes every file."""
    repository = releases.Repository(folder / "hermetic-django")
    tree = shapes.copy_template(folder / "tree")
    repository.release(releases.HEAD, tree)
    releases.next_release(tree)
    repository.release(releases.NEXT, tree)
    return repository


def drifted(path: Path, repository: releases.Repository, number: int) -> releases.Subject:
    answers = {"project_name": f"Shop {number}", "package_name": f"shop{number}"}
    project = releases.Subject(path, repository, releases.HEAD, answers)
    project.write("manage.py", "# mine\n" + (project.path / "manage.py").read_text())
    project.commit()
    return project


def run(command: list[str], folder: Path) -> float:
    before = cpu.of_children()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return cpu.of_children() - before


def memory(command: list[str], folder: Path) -> int:
    """The most that a command held at a time."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    return os.wait4(process.pid, 0)[2].ru_maxrss


if __name__ == "__main__":
    numbers = [int(text) for text in sys.argv[1:]]
    main(*numbers, *[5, 20, 20_000][len(numbers) :])
