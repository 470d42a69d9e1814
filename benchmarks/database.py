"""What a test that commits costs, beside one that rolls back: CPU of pytest and the server, all in one run.

.cache/tools/bin/python benchmarks/database.py [rounds] [sqlite] [postgresql]

Each round runs every variant once, in turn; each run counts from its second test on. Of the rounds, the least
counts. Works where /proc is, since the server's CPU is read there.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import cpu  # noqa: E402
import shapes  # noqa: E402

# Tables of the sample project itself; the rest is made up.
OWN_TABLES = 12
MODELS = """
from django.db import models

for number in range(<number>):
    fields = {"__module__": __name__, "name": models.CharField(max_length=50)}
    if number:
        fields["parent"] = models.ForeignKey(f"Table{number - 1}", models.CASCADE, null=True)
    vars()[f"Table{number}"] = type(f"Table{number}", (models.Model,), fields)
"""
SETTINGS = """
from acme_shop.test_settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "bench"]
"""
CONFTEST = """
import os
import time
from pathlib import Path

import pytest
from django.db import connection

marks = []
TICK = os.sysconf("SC_CLK_TCK")


def fields(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


def server():
    '''Seconds of all processes of the server, those that have ended too.'''
    if connection.vendor != "postgresql":
        return 0
    if not postmaster:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            postmaster.append(fields(cursor.fetchone()[0])[1])
    living = [one for one in map(stat, Path("/proc").glob("[0-9]*")) if one and one[1] == postmaster[0]]
    ticks = sum(int(ticks) for one in living for ticks in one[11:13])
    return (ticks + sum(map(int, fields(postmaster[0])[11:15]))) / TICK


postmaster = []


def stat(folder):
    try:
        return fields(folder.name)
    except OSError:
        return None


@pytest.fixture(scope="session", autouse=True)
def found(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        server()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item, nextitem):
    result = yield
    if not marks or not nextitem:
        marks.append(time.process_time() + (server() if postmaster else 0))
    return result


def pytest_terminal_summary(terminalreporter):
    tests = terminalreporter._numcollected - 1
    terminalreporter.write_line(f"CPU {(marks[-1] - marks[0]) / tests}")
"""
TESTS = """
import pytest
from acme_shop.orders.models import Order

pytestmark = pytest.mark.django_db(transaction={commits})


@pytest.mark.parametrize("n", range({tests}))
{kind}def test_inserts(n):
    for name in "abc":
        {wait}Order.objects.{a}create(product=name)
"""
# name: (commits, async, number of tests, options)
VARIANTS = {
    "rolls back": (False, False, 300, []),
    "commits, restored": (True, False, 300, []),
    "commits, flushed": (True, False, 30, ["-p", "no:hermetic-restore"]),
    "async, rolls back": (False, True, 300, []),
    "async, commits, restored": (True, True, 300, []),
}
RATIOS = [
    ("commits, restored", "rolls back", 1.5),
    ("commits, flushed", "rolls back", None),
    ("async, commits, restored", "async, rolls back", 1.5),
]


def main(rounds: int, databases: list[str]) -> None:
    cpu.keep_to_one_processor()
    for database in databases:
        for tables in (30, 200):
            with tempfile.TemporaryDirectory() as folder:
                measure(database, tables, rounds, Path(folder))


def measure(database: str, tables: int, rounds: int, folder: Path) -> None:
    template = shapes.copy_template(folder / "template")
    path = shapes.render(template, folder / "project", {"database": database})
    project = shapes.Project(path, shapes.environment(path, "3.11"))
    (path / "bench").mkdir()
    models = MODELS.replace("<number>", str(tables - OWN_TABLES))
    files = {"__init__": "", "models": models, "settings": SETTINGS, "conftest": CONFTEST}
    for number, (commits, is_async, tests, _) in enumerate(VARIANTS.values()):
        words = ("async ", "await ", "a") if is_async else ("", "", "")
        kind, wait, a = words
        files[f"test_{number}"] = TESTS.format(commits=commits, tests=tests, kind=kind, wait=wait, a=a)
    for name, text in files.items():
        (path / "bench" / f"{name}.py").write_text(text)
    seconds = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for number, (name, (*_, options)) in enumerate(VARIANTS.items()):
            command = ["--ds=bench.settings", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *options]
            output = project.pytest(*command, f"bench/test_{number}.py").stdout
            seconds[name].append(cpu.of_a_test(output))
    print(f"\n{database}, {tables} tables, {rounds} rounds: CPU a test, with the server's")
    for name, values in seconds.items():
        print(f"  {name:28} {min(values) * 1000:7.2f} ms")
    for name, baseline, limit in RATIOS:
        wanted = f" (at most {limit})" if limit else ""
        print(f"  {name} : {baseline} = {min(seconds[name]) / min(seconds[baseline]):.2f}{wanted}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    names = [word for word in sys.argv[1:] if not word.isdigit()]
    main(numbers[0] if numbers else 3, names or ["sqlite", "postgresql"])
