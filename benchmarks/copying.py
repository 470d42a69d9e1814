"""What `copier copy` of the default shape costs, against a template of one file: CPU, in turn, in one run.

    .cache/tools/bin/python benchmarks/copying.py [rounds]

Beside them, Copier's own share: a template with as many files as the default shape has, all of them empty, in
one folder. Copier compiles every part of every path, and starts git once for every file that it writes.
"""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cpu

ROOT = Path(__file__).resolve().parent.parent
ONE_FILE = {
    "copier.yml": "_subdirectory: template\nproject_name:\n  type: str\n  default: x\n",
    "template/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
}


def main(rounds: int) -> None:
    cpu.keep_to_one_processor()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = prepare(folder)
        seconds = [
            {
                template: copy(folder / template, folder / f"{template}-{turn}")
                for template in ("one", "empty", "ours")
            }
            for turn in range(rounds)
        ]
    print(
        f"Copier, one file: {statistics.median(turn['one'] for turn in seconds):.3f} s CPU, {rounds} rounds"
    )
    for template, title in (("empty", "empty files"), ("ours", "files of the default shape")):
        ratio = statistics.median(turn[template] / turn["one"] for turn in seconds)
        print(f"{files} {title}: {ratio:.2f} times that")


def prepare(folder: Path) -> int:
    """Write the templates `ours`, `one` and `empty`; return how many files the default shape has."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder / "ours"], check=True)
    (folder / "ours" / ".git").rename(folder / "git")  # Plain folders: cloning is not what is measured.
    copy(folder / "ours", folder / "first")
    files = sum(path.is_file() for path in (folder / "first").rglob("*"))
    write(folder / "one", ONE_FILE)
    write(folder / "empty", ONE_FILE | {f"template/{number}.txt": "" for number in range(files - 1)})
    return files


def write(template: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = template / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def copy(template: Path, target: Path) -> float:
    before = cpu.of_children()
    subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", template, target], check=True
    )
    return cpu.of_children() - before


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
