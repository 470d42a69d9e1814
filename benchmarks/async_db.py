"""What async database tests and seeds cost: client CPU a test, as ratios, all in one run.

.cache/tools/bin/python benchmarks/async_db.py [rounds] [sqlite] [postgresql]

Each round runs every variant once, in turn, in a project with 30 tables; each run counts from its second
test on, so start-up and the creation of the database are left out. Of the rounds, the least counts: what else
the machine does only adds. DATABASE_URL names a PostgreSQL server, or the project starts its own.
"""

import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import cpu  # noqa: E402
import shapes  # noqa: E402

FILES = {
    "bench/__init__.py": "",
    "bench/models.py": """
from django.db import models

for number in range(18):
    fields = {"__module__": __name__, "name": models.CharField(max_length=50)}
    if number:
        fields["parent"] = models.ForeignKey(f"Table{number - 1}", models.CASCADE, null=True)
    vars()[f"Table{number}"] = type(f"Table{number}", (models.Model,), fields)
""",
    "bench/settings.py": """
from acme_shop.test_settings import *

INSTALLED_APPS = [*INSTALLED_APPS, "bench"]
""",
    "bench/conftest.py": cpu.CONFTEST,
}
HEAD = """
import pytest
from acme_shop.orders.models import Order

pytestmark = pytest.mark.django_db{mark}
numbered = pytest.mark.parametrize("n", range({tests}))
"""
SYNC = """

@numbered
def test_create_and_get(n{asked}):
    order = Order.objects.create(product=str(n))
    assert Order.objects.get(pk=order.pk).product == str(n)
"""
ASYNC = """

@numbered
async def test_create_and_get(n{asked}):
    order = await Order.objects.acreate(product=str(n))
    assert (await Order.objects.aget(pk=order.pk)).product == str(n)
"""
ROWS = """

def rows():
    return [Order.objects.create(product="row") for _ in range(500)]
"""
SEED = """
from acme_shop.testing import seed


@seed
def shop():
    return rows(){handles}
"""
RECIPE = """

@pytest.fixture(scope="module")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        rows()
    yield
    with django_db_blocker.unblock():
        Order.objects.all().delete()
"""
PER_TEST = """

@pytest.fixture(autouse=True)
def shop(db):
    return rows()
"""
OFF = ["-p", "no:hermetic-rollback", "-p", "no:hermetic-seeds"]
# name: (test module, number of tests, options); what {asked} and {mark} stand for follows from the name.
VARIANTS = {
    "sync, plugin off": (HEAD + SYNC, 300, OFF),
    "sync": (HEAD + SYNC, 300, []),
    "async, plugin off (leaks)": (HEAD + ASYNC, 300, OFF),
    "async": (HEAD + ASYNC, 300, []),
    "async, transaction=True": (HEAD + ASYNC, 60, []),
    "no seed": (HEAD + SYNC, 200, []),
    "seed, asking for 3 rows": (HEAD + ROWS + SEED.replace("{handles}", "[:3]") + SYNC, 200, []),
    "seed, asking for all 500": (HEAD + ROWS + SEED.replace("{handles}", "") + SYNC, 200, []),
    "seed, not asking": (HEAD + ROWS + SEED.replace("{handles}", "") + SYNC, 200, []),
    "recipe (django_db_setup)": (HEAD + ROWS + RECIPE + SYNC, 200, []),
    "seeding in each test": (HEAD + ROWS + PER_TEST + SYNC, 20, []),
}
RATIOS = [
    ("async", "async, plugin off (leaks)", 1.08),
    ("async", "sync", 1.25),
    ("sync", "sync, plugin off", 1.03),
    ("async, transaction=True", "sync", None),
    ("seed, not asking", "no seed", 1.08),
    ("seed, asking for 3 rows", "no seed", 1.08),
    ("seed, asking for all 500", "no seed", None),
    ("recipe (django_db_setup)", "no seed", None),
    ("seeding in each test", "no seed", None),
]


def main(rounds: int, databases: list[str]) -> None:
    cpu.keep_to_one_processor()
    for database in databases:
        with tempfile.TemporaryDirectory() as folder:
            measure(database, rounds, Path(folder))


def prepare(database: str, folder: Path, packages: Sequence[str] = ()) -> Callable[..., float]:
    """Render a project with all variants; return what runs one: name, options -> CPU seconds of a test."""
    template = shapes.copy_template(folder / "template")
    path = shapes.render(template, folder / "project", {"database": database})
    cpu.add_packages(path, packages)
    project = shapes.Project(path, shapes.environment(path, "3.11"))
    if url := os.environ.get("DATABASE_URL"):
        project.env["DATABASE_URL"] = url if database == "postgresql" else "sqlite:///bench.sqlite3"
    for name, text in FILES.items():
        (path / name).parent.mkdir(exist_ok=True)
        (path / name).write_text(text)
    for number, (name, (text, tests, _)) in enumerate(VARIANTS.items()):
        for placeholder, value in {
            "{asked}": ", shop" if "asking for" in name else "",
            "{mark}": "(transaction=True)" if "transaction" in name else "",
            "{tests}": str(tests),
        }.items():
            text = text.replace(placeholder, value)
        (path / f"bench/test_{number}.py").write_text(text)

    def run(name: str, *more: str) -> float:
        command = ["--ds=bench.settings", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"]
        command += [*VARIANTS[name][2], *more, f"bench/test_{[*VARIANTS].index(name)}.py"]
        output = project.pytest(*command, check=False).stdout
        # Without the plugin, connections are left open, and dropping a PostgreSQL database is one error.
        if " failed" in output or " errors" in output:
            sys.exit(output)
        return cpu.of_a_test(output)

    return run


def measure(database: str, rounds: int, folder: Path) -> None:
    run = prepare(database, folder)
    seconds = {name: [] for name in VARIANTS}
    for _ in range(rounds):
        for name in VARIANTS:
            seconds[name].append(run(name))
    print(f"\n{database}, {rounds} rounds: client CPU a test, least and median")
    for name, values in seconds.items():
        print(f"  {name:28} {min(values) * 1000:7.2f} {statistics.median(values) * 1000:7.2f} ms")
    for name, baseline, limit in RATIOS:
        ratio = min(seconds[name]) / min(seconds[baseline])
        wanted = f" (at most {limit})" if limit else ""
        print(f"  {name} : {baseline} = {ratio:.2f}{wanted}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    names = [word for word in sys.argv[1:] if not word.isdigit()]
    main(numbers[0] if numbers else 7, names or ["sqlite", "postgresql"])
