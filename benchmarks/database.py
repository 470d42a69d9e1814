"""What test databases cost, in CPU of all processes and the server: migrated once, and tests that commit.

.cache/tools/bin/python benchmarks/database.py [rounds] [sqlite] [postgresql] [migrated] [committing]

Each round runs every variant once, in turn. Of the rounds, the least counts; of committing tests, each run
counts from its second test on. Works where /proc is, since the server's CPU is read there.
"""

import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import cpu  # noqa: E402
import shapes  # noqa: E402

Variants = dict[str, Callable[[], float]]
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
# 200 tables and 500 migrations, each of which Django has to go through.
TABLES, MIGRATIONS = 200, 500
HISTORY = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = {before}
    operations = [{operation}]
"""
CREATE = "migrations.CreateModel('Table{0}', [('id', models.BigAutoField(primary_key=True)), {1}])"
ADD = "migrations.AddField('Table{0}', 'more{1}', models.IntegerField(null=True))"
PARENT = "('parent', models.ForeignKey('Table{0}', models.CASCADE, null=True))"
# The CPU of making the database, and of the private server, which begins and ends with pytest.
RUN_CONFTEST = """
import os
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from acme_shop.testing import compat
from acme_shop.testing.database import templates

TICK = os.sysconf("SC_CLK_TCK")


def ticks(process):
    return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].split()


def server():
    file = Path(".postgres/test/data/postmaster.pid")
    if not file.exists():
        return 0
    postmaster = file.read_text().split()[0]
    living = [one for one in map(stat, Path("/proc").glob("[0-9]*")) if one and one[1] == postmaster]
    own = sum(int(number) for one in living for number in one[11:13])
    return (own + sum(map(int, ticks(postmaster)[11:15]))) / TICK


def stat(folder):
    try:
        return ticks(folder.name)
    except OSError:
        return None


create = templates.TemplateDatabases.create
spent = []


def measured(self, connection, build):
    with compat.server_cursor(connection) if connection.vendor == "postgresql" else nullcontext():
        pass  # The server runs now.
    begin = time.process_time() + server()
    try:
        return create(self, connection, build)
    finally:
        spent.append(time.process_time() + server() - begin)


templates.TemplateDatabases.create = measured


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"SERVER {server()}")
    terminalreporter.write_line(f"SET-UP {sum(spent)}")
"""
RUN_TESTS = """
import pytest
from acme_shop.orders.models import Order


@pytest.mark.parametrize("n", range(2))
@pytest.mark.django_db
def test_one(n):
    Order.objects.create(product="tea")
"""
RATIOS = [
    ("commits, restored", "rolls back", 1.5),
    ("commits, flushed", "rolls back", None),
    ("async, commits, restored", "async, rolls back", 1.5),
]
RUN_RATIOS = [
    ("200 tables, later", "200 tables, first", 0.2),
    ("200 tables, later, -n 2", "200 tables, as ever, -n 2", 0.25),
    ("fresh, first", "fresh, as ever", 1.1),
    ("fresh, later", "fresh, as ever", 1.0),
]
NUMBER = re.compile(r"(SERVER|SET-UP) ")


def main(rounds: int, words: list[str]) -> None:
    cpu.keep_to_one_processor()
    databases = [word for word in words if word in ("sqlite", "postgresql")] or ["sqlite", "postgresql"]
    kinds = [word for word in words if word not in databases] or ["migrated", "committing"]
    for database in databases:
        if "migrated" in kinds:
            with tempfile.TemporaryDirectory() as folder:
                migrated(database, rounds, Path(folder))
        for tables in (30, 200) if "committing" in kinds else ():
            with tempfile.TemporaryDirectory() as folder:
                measure(database, tables, rounds, Path(folder))


def migrated(database: str, rounds: int, folder: Path) -> None:
    template = shapes.copy_template(folder / "template")
    fresh = shapes.render(template, folder / "fresh", {"database": database})
    large = shapes.render(template, folder / "large", {"database": database})
    history(large / "bench" / "migrations")
    as_ever, two = ["-p", "no:hermetic-templates"], ["-n", "2", "--dist", "each"]
    found: dict[str, list[float]] = {}
    projects = {
        name: with_tests(path, shapes.environment(path, "3.13"))
        for name, path in {"200 tables": large, "fresh": fresh}.items()
    }
    for _ in range(rounds):
        for name, project in projects.items():
            once(project, *as_ever)  # Bytecode, and the cluster of the private server.
            variants = {"as ever": as_ever, "first": ["--create-db"], "later": []}
            if project.path == large:
                variants |= {"as ever, -n 2": [*as_ever, *two], "later, -n 2": two}
            for variant, options in variants.items():
                whole, set_up = once(project, *options)
                found.setdefault(f"{name}, {variant}", []).append(whole)
                found.setdefault(f"{name}, {variant}, set-up", []).append(set_up)
    print(
        f"\n{database}, {TABLES} tables and {MIGRATIONS} migrations, {rounds} rounds: CPU with the server's"
    )
    for name, values in found.items():
        if min(values):  # Workers do not say what their databases cost.
            print(f"  {name:36} {min(values):7.2f} s")
    for one, baseline, limit in RUN_RATIOS:
        print(f"  {one} : {baseline} = {min(found[one]) / min(found[baseline]):.2f} (at most {limit})")


def once(project: shapes.Project, *options: str) -> tuple[float, float]:
    """CPU of a whole run, and of making its database in this process."""
    begin = cpu.of_children()
    large = ["--ds=bench.settings"] if (project.path / "bench" / "settings.py").exists() else []
    command = [*large, "-q", "-s", "-p", "no:randomly", "bench/test_it.py", *options]
    output = project.pytest(*command).stdout
    own = cpu.of_children() - begin
    found = {line.split()[0]: float(line.split()[1]) for line in output.splitlines() if NUMBER.match(line)}
    return own + found["SERVER"], found["SET-UP"]


def start_up(folder: Path, quick: bool) -> Variants:
    """For figures.py: CPU seconds of a run of two tests on PostgreSQL, by the number of migrations."""
    template = shapes.copy_template(folder / "template")
    variants: Variants = {}
    for migrations in (10, 100) if quick else (10, 100, 500):
        path = shapes.render(template, folder / str(migrations), {"database": "postgresql"})
        history(path / "bench" / "migrations", migrations, tables=migrations * TABLES // MIGRATIONS)
        project = with_tests(path, shapes.environment(path, "3.13"))
        as_ever = ["-p", "no:hermetic-templates"]
        for options in ([*as_ever, "--reuse-db", "--create-db"], [*as_ever, "--reuse-db"]):
            once(project, *options)  # Bytecode, the private server's cluster, and what is reused.
        options = {
            "pytest-django": as_ever,
            "pytest-django, --reuse-db": [*as_ever, "--reuse-db"],
            "hermetic, first run": ["--create-db"],
            "hermetic, later runs": [],
        }
        for title, more in options.items():
            label = f"{migrations} migrations, {title}"
            variants[label] = lambda project=project, more=more: once(project, *more)[0]
    return variants


def with_tests(path: Path, venv: Path) -> shapes.Project:
    (path / "bench").mkdir(exist_ok=True)
    if (path / "bench" / "migrations").exists():
        (path / "bench" / "settings.py").write_text(SETTINGS)
    for name, text in {"__init__": "", "test_it": RUN_TESTS, "conftest": RUN_CONFTEST}.items():
        (path / "bench" / f"{name}.py").write_text(text)
    return shapes.Project(path, venv)


def history(folder: Path, migrations: int = MIGRATIONS, tables: int = TABLES) -> None:
    """The migrations, and the models that they lead to."""
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for number in range(migrations):
        parent = PARENT.format(number - 1) if number else ""
        operation = CREATE.format(number, parent) if number < tables else ADD.format(number % tables, number)
        before = [("bench", f"m{number - 1:04}")] if number else []
        (folder / f"m{number:04}.py").write_text(HISTORY.format(before=before, operation=operation))


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
            command += ["-o", "isolation_keep=attributes:bench.*"]  # What measures.
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
    main(numbers[0] if numbers else 3, [word for word in sys.argv[1:] if not word.isdigit()])
