"""Seeds across modules, workers and runs: what only whole runs of a generated project can show."""

import os
import textwrap

import pytest

HEAD = """
import os
import signal
from types import SimpleNamespace

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase, TransactionTestCase
from shop.orders.models import Order
from shop.testing import seed
from shop.users.models import User

pytestmark = pytest.mark.django_db
"""
KEPT = """
from .settings import DATABASES

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    DATABASES["default"]["TEST"] = {"NAME": "kept.sqlite3"}
"""
SEEDED = """
@seed
def orders():
    return [Order.objects.create(product=name) for name in "{names}"]


@pytest.mark.parametrize("n", range(6))
def test_seeded(orders, n):
    assert [o.product for o in Order.objects.order_by("pk")] == list("{names}")
    assert [o.product for o in orders] == list("{names}")
    orders[0].delete()


@pytest.mark.parametrize("n", range(6))
async def test_seeded_async(n):
    assert await Order.objects.acount() == len("{names}")
    await Order.objects.all().adelete()
"""
UNSEEDED = """
@pytest.mark.parametrize("n", range(6))
async def test_unseeded(n):
    assert await Order.objects.acount() == 0


@pytest.mark.django_db(transaction=True)
def test_commits():
    Order.objects.create(product="x")
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    return request.param


@pytest.fixture
def project(generate, database):
    project = generate(package_name="shop", database=database)
    if database == "postgresql" and (url := os.environ.get("CONFORMANCE_DATABASE_URL")):
        project.env["DATABASE_URL"] = f"{url}_seeds"
    with (project.package / "extra_test_settings.py").open("a") as file:
        file.write(KEPT)
    (project.path / "seeded").mkdir()
    return project


@pytest.fixture
def write(project):
    def write(name: str, text: str, head: str = HEAD) -> None:
        (project.path / "seeded" / name).write_text(head + textwrap.dedent(text))

    return write


@pytest.fixture
def run(project):
    def run(*options: str, **environ: str):
        done = project.pytest("seeded", "--tb=short", *options, check=False, **environ)
        outcome = done.stdout.rstrip().rpartition("\n")[2]
        done.failures = "failed" in outcome or "error" in outcome or done.returncode != 0
        return done

    return run


sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@sqlite
@pytest.mark.parametrize("options", [("-n", "2"), ()])
def test_modules_with_different_seeds(write, run, options):
    write("test_one.py", SEEDED.replace("{names}", "ab"))
    write("test_two.py", SEEDED.replace("{names}", "cde"))
    write("test_three.py", UNSEEDED)

    done = run(*options)

    assert not done.failures, done.stdout
    assert "31 passed" in done.stdout


@sqlite
def test_a_seed_of_conftest_is_made_in_modules_that_ask_for_it(write, run):
    write("conftest.py", '\n@seed\ndef members():\n    return User.objects.create(username="jo")\n')
    count = "\ndef test_{name}({asked}):\n    assert User.objects.count() == {number}\n"
    asking = count.format(name="asking", asked="members", number=1)
    write("test_asks.py", asking + count.format(name="beside", asked="", number=1))
    write("test_other.py", count.format(name="other", asked="", number=0))

    done = run()

    assert not done.failures, done.stdout


@sqlite
def test_committing_tests_are_refused_in_a_seeded_module(write, run):
    write(
        "test_commits.py",
        SEEDED.replace("{names}", "ab")
        + """
@pytest.mark.django_db(transaction=True)
def test_transaction(): ...


def test_transactional_db(transactional_db): ...


def test_live_server(live_server): ...


class TestCommitting(TransactionTestCase):
    def test_method(self): ...


class TestRollingBack(TestCase):
    def test_method(self):
        assert Order.objects.count() == 2
""",
    )

    done = run()

    for name in ("test_transaction", "test_transactional_db", "test_live_server", "test_method"):
        assert f"{name} commits, but its module is one open transaction, for the seed 'orders'" in done.stdout
    assert "move this test to a module without seeds" in done.stdout
    assert "13 passed, 4 errors" in done.stdout, done.stdout


@sqlite
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return lambda: None", "The seed 'broken' returned what cannot be copied for each test"),
        ("Order.objects.create(pk=1); Order.objects.create(pk=1)", "UNIQUE constraint failed"),
        ("Order.objects.create(customer_id=77)", "invalid foreign key"),
        ("Order.objects.create(); pytest.fail('half way')", "half way"),
        ("Order.objects.create(); pytest.skip('not here')", "not here"),
    ],
)
def test_a_seed_that_fails_leaves_nothing(write, run, body, message):
    write("test_a_broken.py", f"\n@seed\ndef broken():\n    {body}\n\n\ndef test_it(broken): ...\n")
    write("test_b_unseeded.py", UNSEEDED)

    done = run("-p", "no:randomly", "-rs")

    assert message in done.stdout
    assert "7 passed, 1" in done.stdout, done.stdout


def test_a_killed_run_leaves_the_kept_database_clean(write, run):
    killing = """
    def test_killed(orders):
        if "KILL" in os.environ:
            os.kill(os.getpid(), signal.SIGKILL)
    """
    write("test_one.py", SEEDED.replace("{names}", "ab") + textwrap.dedent(killing))
    write("test_two.py", UNSEEDED)

    assert run("--create-db", "--reuse-db", "-p", "no:randomly", KILL="1").returncode == -9
    done = run("--reuse-db")

    assert not done.failures, done.stdout
    assert "20 passed" in done.stdout


@pytest.mark.parametrize(
    ("database", "workers"), [("sqlite", 0), ("sqlite", 1), ("postgresql", 0)], indirect=["database"]
)
def test_rows_that_a_killed_run_committed_are_named(write, run, workers):
    write(
        "test_one.py",
        """
        @pytest.mark.django_db(transaction=True)
        def test_killed():
            Order.objects.create(product="left")
            User.objects.create(username="left")
            User.objects.create(username="too")
            if "KILL" in os.environ:
                os.kill(os.getpid(), signal.SIGKILL)
        """,
    )

    # A worker of pytest-xdist has a database of its own, and is replaced when it dies.
    options = ["-n", "1", "--max-worker-restart=0", "--nomigrations"] if workers else []
    assert run("--create-db", "--reuse-db", *options, KILL="1").failures

    done = run("--reuse-db", *options)

    assert done.failures
    assert "holds rows that an earlier run left behind (orders_order: 1, users_user: 2)" in done.stdout
    assert "run once with --create-db" in done.stdout
    for again in ("--create-db", "--reuse-db"):
        done = run("--reuse-db", again, *options)
        assert not done.failures, done.stdout


@sqlite
def test_rows_of_migrations_and_fixtures_are_no_left_overs(write, run, project):
    migration = """
        from django.db import migrations

        def add(apps, schema_editor):
            apps.get_model("auth", "Group").objects.create(name="{name}")

        class Migration(migrations.Migration):
            dependencies = [{dependency}]
            operations = [migrations.RunPython(add)]
        """
    (project.path / "extra" / "migrations").mkdir(parents=True)
    for name in ("__init__.py", "migrations/__init__.py"):
        (project.path / "extra" / name).touch()
    with (project.package / "extra_test_settings.py").open("a") as file:
        file.write('\nfrom .settings import INSTALLED_APPS\n\nINSTALLED_APPS = [*INSTALLED_APPS, "extra"]\n')
    write("test_one.py", "def test_groups():\n    assert Group.objects.exists()\n")
    dependency = '("auth", "0012_alter_user_first_name_max_length")'
    for name in ("0001_first", "0002_second"):
        text = textwrap.dedent(migration).format(name=name, dependency=dependency)
        (project.path / "extra" / "migrations" / f"{name}.py").write_text(text)
        dependency = f'("extra", "{name}")'
        done = run("--reuse-db")
        assert not done.failures, done.stdout

    loaded = """
    @pytest.fixture(scope="session")
    def django_db_setup(django_db_setup, django_db_blocker):
        with django_db_blocker.unblock():
            Group.objects.get_or_create(name="of the project's own set-up")
    """
    write("conftest.py", loaded)
    for _ in range(2):
        done = run("--reuse-db")
        assert not done.failures, done.stdout


@sqlite
def test_a_database_without_a_record_is_refused(write, run, project):
    write("test_one.py", UNSEEDED)
    assert not run("--reuse-db", "-p", "no:hermetic-reused").failures

    done = run("--reuse-db")

    assert "was made without a record of the rows that belong in it: run once with --create-db" in done.stdout
