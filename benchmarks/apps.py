"""A run of one test in a project of real packages, with some 600 migrations: CPU seconds, first and later.

    .cache/tools/bin/python benchmarks/apps.py [rounds]

On SQLite in memory. The first run migrates for minutes, as each one of pytest-django does: it runs once.
"""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import cpu
import shapes

PYTHON = "3.12"
PROJECT = Path(__file__).with_suffix("")
TEST = """
import pytest
from django.contrib.auth.models import Group
from django.db import connection


@pytest.mark.django_db
def test_one():
    Group.objects.create(name="a")
    print(len(connection.introspection.table_names()), "tables")
"""
INI = "[pytest]\nDJANGO_SETTINGS_MODULE = settings\nasyncio_default_fixture_loop_scope = function\n"


def main(rounds: int) -> None:
    cpu.keep_to_one_processor()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shapes.uv("venv", "--quiet", "--python", shapes.interpreter(PYTHON), "venv", cwd=folder)
        wanted = ["-r", str(PROJECT / "requirements.txt"), str(shapes.wheel())]
        shapes.uv("pip", "install", "--quiet", "--python", "venv", *wanted, cwd=folder)
        files = {"settings.py": (PROJECT / "settings.py").read_text(), "urls.py": "urlpatterns = []\n"}
        for file, text in (files | {"pytest.ini": INI, "test_one.py": TEST}).items():
            (folder / file).write_text(text)
        project = shapes.Project(folder, folder / "venv")
        first = seconds(project)
        later = [seconds(project) for _ in range(rounds)]
    median = statistics.median(later)
    print(f"first run {first:.1f} s, later runs {median:.2f} s")
    print(f"later : first = {median / first:.3f} (at most 0.1); {rounds} rounds")


def seconds(project: shapes.Project) -> float:
    before = cpu.of_children()
    done = project.run("python", "-m", "pytest", "-q", "-W", "ignore", "-s")
    print(done.stdout.strip().splitlines()[0], flush=True)
    return cpu.of_children() - before


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 5)
