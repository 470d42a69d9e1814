"""What `copier copy` of the default shape costs, against a template of one file: CPU, in pairs, in one run.

.cache/tools/bin/python benchmarks/copying.py [pairs]
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ONE_FILE = {
    "copier.yml": "_subdirectory: template\nproject_name:\n  type: str\n  default: x\n",
    "template/{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
}


def main(pairs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        one, ours = Path(folder, "one"), Path(folder, "ours")
        for name, text in ONE_FILE.items():
            path = one / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        subprocess.run(["git", "clone", "--quiet", ROOT, ours], check=True)
        (ours / ".git").rename(Path(folder, "git"))  # Both plain folders: cloning is not what is measured.
        seconds = [
            [
                copy(template, Path(folder, f"out-{name}-{turn}"))
                for name, template in (("one", one), ("ours", ours))
            ]
            for turn in range(pairs + 1)
        ][1:]
        files = sum(path.is_file() for path in Path(folder, "out-ours-0").rglob("*"))
    ratio = statistics.median(ours / one for one, ours in seconds)
    baseline, cost = (statistics.median(column) for column in zip(*seconds, strict=True))
    print(
        f"one file {baseline:.3f} s CPU, default shape ({files} files) {cost:.3f} s: "
        f"{ratio:.2f} times ({pairs} pairs)"
    )


def copy(template: Path, target: Path) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--quiet", "--defaults", template, target], check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
