"""Migrated once, on SQLite: what has the database built anew, what does not, and what is never kept.

Each run says of its database whether it was cloned or built, and what was new. PostgreSQL, several
processes and kills are tests/projects/test_migrated_once.py.
"""

import hashlib
import json

import pytest
from conftest import INI, SETTINGS

FILES = {
    "stock/__init__.py": "",
    "stock/apps.py": """
from django.apps import AppConfig
from django.db.models.signals import post_migrate

class Stock(AppConfig):
    name = "stock"

    def ready(self):
        import stock.views
        from stock.receivers import fill
        post_migrate.connect(fill, sender=self)
""",
    "stock/receivers.py": "def fill(**kwargs):\n    pass\n",
    "stock/views.py": "import stock.helpers\n\ndef page(request):\n    pass\n",
    "stock/names.py": """
import os
from pathlib import Path

FIRST = 'one'
SECOND = Path("imported.txt").read_text() + os.environ["SIZE"]
""",
    "imported.txt": "of a module",
    "stock/helpers.py": "from stock.names import FIRST\n\ndef first():\n    return FIRST\n",
    "stock/models.py": """
from django.db import models

class Item(models.Model):
    name = models.CharField(max_length=20)
""",
    "stock/migrations/__init__.py": "",
    "stock/migrations/0001_initial.py": """
import os
from pathlib import Path
from django.db import migrations, models
from stock.helpers import first

def fill(apps, editor):
    absent = Path("absent.txt")
    with __import__("contextlib").suppress(OSError):
        absent.read_text()
    names = [first(), Path("data.txt").read_text(), os.environ.get("REGION", ""), *os.listdir("listed")]
    for name in names:
        apps.get_model("stock", "Item").objects.using(editor.connection.alias).create(name=name)

class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Item", [("id", models.AutoField(primary_key=True)), ("name", models.CharField(max_length=20))]
        ),
        migrations.RunPython(fill),
    ]
""",
    "loose/__init__.py": "",
    "loose/models.py": """
from django.db import models
from loose.fields import Short

class Note(models.Model):
    text = models.CharField(max_length=20)
    short = Short()
""",
    "loose/fields.py": """
from django.db import models

class Short(models.Field):
    def db_type(self, connection):
        return "varchar(5)"
""",
    "routers.py": """
class Router:
    def allow_migrate(self, db, app_label, **hints):
        return None
""",
    "data.txt": "two",
    "listed/a.txt": "",
    "conftest.py": """
import os
import pytest

os.environ["REGION"] = "north"

@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings):
    pass
""",
    "test.txt": "read by a test module",
    "test_it.py": """
from pathlib import Path
import pytest
TEXT = Path("test.txt").read_text()
from stock.models import Item

@pytest.mark.django_db
def test_rows():
    assert Item.objects.count() >= 4
""",
}
STOCK = """
import os
import re
from django.urls import reverse_lazy

os.environ["SIZE"] = "large"
INSTALLED_APPS += ["stock.apps.Stock", "loose"]
DATABASE_ROUTERS = ["routers.Router"]

class Plan:
    def __init__(self, size):
        self.size = size

PLAN = Plan(1)
LOGIN_URL = reverse_lazy("page")
PATTERN = re.compile("x" * 300 + "1")
ROUND = lambda value: value + 1
"""
# id: (what is named as new, file, old text, new text); without an old text, the file is written.
CHANGES = {
    "migration edited": (
        "the migrations of stock",
        "stock/migrations/0001_initial.py",
        "initial = True",
        "initial = 1",
    ),
    "migration added": (
        "the migrations of stock",
        "stock/migrations/0002_more.py",
        None,
        "from django.db import migrations\n\nclass Migration(migrations.Migration):\n"
        "    dependencies = [('stock', '0001_initial')]\n",
    ),
    "file beside migrations": ("the migrations of stock", "stock/migrations/views.sql", None, "SELECT 1"),
    "code that ran": ("stock/helpers.py", "stock/helpers.py", "return FIRST", "return FIRST.upper()"),
    "what that code imports": ("stock/names.py", "stock/names.py", "one", "other"),
    "receiver": ("stock/receivers.py", "stock/receivers.py", "pass", "return"),
    "router": ("routers.py", "routers.py", "return None", "return True"),
    "field's code": ("loose/fields.py", "loose/fields.py", "varchar(5)", "varchar(6)"),
    "file read": ("data.txt", "data.txt", "two", "2"),
    "file looked for": ("absent.txt", "absent.txt", None, "there"),
    "folder listed": ("listed", "listed/b.txt", None, ""),
    "variable": ("the variable REGION", "conftest.py", "north", "south"),
    "file read by an import": ("imported.txt", "imported.txt", "of a", "of the"),
    "variable read by an import": ("the variable SIZE", "settings.py", '= "large"', '= "small"'),
    "set-up's settings": ("conftest.py", "conftest.py", "    pass", "    return"),
    "setting": ("the setting PAGE_SIZE", "settings.py", "PAGE_SIZE = 20", "PAGE_SIZE = 30"),
    "object in a setting": ("the setting PLAN", "settings.py", "Plan(1)", "Plan(2)"),
    "lazy setting": ("the setting LOGIN_URL", "settings.py", "page", "other"),
    "pattern in a setting": ("the setting PATTERN", "settings.py", '300 + "1"', '300 + "2"'),
    "function in a setting": ("the setting ROUND", "settings.py", "value + 1", "value + 2"),
    "option of the database": (
        "DATABASES",
        "settings.py",
        '":memory:"',
        '":memory:", "OPTIONS": {"timeout": 9}',
    ),
    "field without migrations": ("the models of loose", "loose/models.py", "max_length=20", "max_length=21"),
    "permissions": (
        "the models of stock",
        "stock/models.py",
        "max_length=20)",
        "max_length=20)\n    class Meta:\n        permissions = [('count', 'Can count')]",
    ),
    "package installed": ("the installed packages", "thing-1.0.dist-info/METADATA", None, "Name: thing"),
}
INNOCENT = {
    "test": ("test_it.py", "Item.objects.count()", "1 + Item.objects.count()"),
    "code that no migration needs": ("stock/views.py", "pass", "return"),
    "another file": ("notes.txt", None, "later"),
    "file that a test module reads": ("test.txt", "read", "changed"),
    "variable of the terminal": (
        "test_it.py",
        "TEXT = ",
        "import os\nos.environ['COLUMNS'] = '77'\nTEXT = ",
    ),
    "method of a migrated model": (
        "stock/models.py",
        "max_length=20)",
        "max_length=20)\n    def size(self): pass",
    ),
}


@pytest.fixture
def stock(project):
    """The project with an app of rows that its migration makes, and with pytest's cache."""
    project.makeini(INI.replace("-p no:cacheprovider", ""))
    (project.path / "settings.py").write_text(SETTINGS + STOCK)
    for name, text in FILES.items():
        file = project.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return project


@pytest.fixture
def said(stock, run):
    """A function: options -> what a run in `stock` says of its databases, after "test database"."""

    def get(*options: str, passed: int = 1) -> str:
        result = run("-v", *options)
        assert result.parseoutcomes() == {"passed": passed}, str(result.stdout)
        lines = [line for line in result.outlines if line.startswith("test database ")]
        return "\n".join(line.removeprefix("test database ").rpartition(" (")[0] for line in lines)

    return get


def change(stock, name, old, new):
    file = stock.path / name
    file.parent.mkdir(exist_ok=True)
    text = file.read_text() if old else new
    assert old is None or old in text
    file.write_text(text.replace(old, new) if old else text)


def kept(stock, ending="json"):
    return sorted((stock.path / ".pytest_cache" / "d" / "test-databases").glob(f"*.{ending}"))


@pytest.mark.parametrize(("new", "name", "old", "text"), CHANGES.values(), ids=CHANGES)
def test_a_change_has_it_built(stock, said, new, name, old, text):
    assert said() == "'default': built, new: none was kept"

    change(stock, name, old, text)

    assert said().startswith(f"'default': built, new: {new}")


@pytest.mark.parametrize(("name", "old", "text"), INNOCENT.values(), ids=INNOCENT)
def test_what_does_not_matter_has_it_cloned(stock, said, name, old, text):
    said()

    change(stock, name, old, text)

    assert said() == "'default': cloned"


def test_a_branch_that_is_switched_back_is_cloned(stock, said):
    said()
    change(stock, "data.txt", "two", "2")
    said()
    change(stock, "data.txt", "2", "two")

    assert said() == "'default': cloned"


def test_only_the_newest_are_kept(stock, said):
    for number in range(6):
        change(stock, "data.txt", None, str(number))
        said()

    assert len(kept(stock)) == len(kept(stock, "sqlite3")) == 4
    assert (stock.path / ".pytest_cache" / ".gitignore").exists()


def test_create_db_builds(said):
    said()

    assert said("--create-db") == "'default': built, new: --create-db"
    assert said() == "'default': cloned"


def test_reuse_db_is_as_ever(stock, said):
    change(stock, "settings.py", '":memory:"', '"d", "TEST": {"NAME": "kept.sqlite3"}')

    assert said("--reuse-db") == ""
    assert said("--reuse-db") == ""
    assert said("--reuse-db", "--create-db") == "'default': built, new: --create-db"
    assert said("--reuse-db") == ""
    assert (stock.path / "kept.sqlite3").exists()


def test_tables_without_migrations_are_another_state(stock, said):
    change(stock, "test_it.py", ">= 4", "in (0, 4)")
    said()
    assert "the setting MIGRATION_MODULES" in said("--nomigrations")
    assert said("--nomigrations") == "'default': cloned"
    change(stock, "stock/models.py", "max_length=20", "max_length=21")

    assert said("--nomigrations") == "'default': built, new: the models of stock"
    assert said() == "'default': cloned"


def test_migrate_false(stock, said):
    change(stock, "settings.py", '":memory:"', '":memory:", "TEST": {"MIGRATE": False}')
    change(stock, "test_it.py", ">= 4", "== 0")
    said()
    assert said() == "'default': cloned"
    change(stock, "stock/models.py", "max_length=20", "max_length=21")

    assert said() == "'default': built, new: the models of stock"


def test_a_day_has_passed(stock, said):
    said()
    [file] = kept(stock)
    manifest = json.loads(file.read_text())
    file.write_text(json.dumps({**manifest, "time": manifest["time"] - 24 * 60 * 60}))

    assert said() == "'default': built, new: a day has passed"


def test_the_part_is_switched_off_by_its_name(stock, said):
    assert said("-p", "no:hermetic-templates") == ""
    assert not kept(stock)


def test_without_pytests_cache_it_is_as_ever(stock, said):
    assert said("-p", "no:cacheprovider") == "'default': built as ever, since pytest's cache is off"


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("import subprocess; subprocess.run(['true'])", "a migration started a process"),
        ("Path('made.txt').write_text('')", "a migration wrote made.txt"),
        ("Path('data.txt').touch()", "data.txt was changed during the run"),
    ],
    ids=["process", "file", "changed"],
)
def test_what_cannot_be_known_is_not_kept(stock, said, code, why):
    change(stock, "stock/migrations/0001_initial.py", "    absent = ", f"    {code}; absent = ")

    assert said() == f"'default': built, new: none was kept; not kept, since {why}"
    assert said().startswith("'default': built, new: none was kept")


def test_a_file_that_is_made_and_removed_is_innocent(stock, said):
    code = "Path('made.txt').write_text(''); Path('made.txt').read_text(); Path('made.txt').unlink()"
    change(stock, "stock/migrations/0001_initial.py", "    absent = ", f"    {code}; absent = ")
    said()

    assert said() == "'default': cloned"


def cut(file):
    file.write_bytes(file.read_bytes()[:4096])


@pytest.mark.parametrize(
    ("ending", "harm", "words"),
    [
        ("sqlite3", cut, "the kept one is damaged"),
        ("json", cut, "none was kept"),
        ("json", lambda file: file.unlink(), "none was kept"),
        ("sqlite3", lambda file: file.unlink(), "the kept one is damaged"),
    ],
    ids=["image cut", "manifest cut", "killed before the manifest", "image gone"],
)
def test_what_is_not_whole_is_built_and_swept(stock, said, ending, harm, words):
    said()
    harm(kept(stock, ending)[0])

    assert said() == f"'default': built, new: {words}"
    assert said() == "'default': cloned"
    assert len(kept(stock)) == len(kept(stock, "sqlite3"))


def test_a_full_disk(stock, said):
    """A limit of 4 KiB a file, while the database is made."""
    with (stock.path / "conftest.py").open("a") as file:
        file.write("""
import resource

@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_fixture_setup(fixturedef):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if fixturedef.argname == "django_db_setup":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
""")

    assert said().startswith("'default': built, new: none was kept; not kept, since ")
    assert not kept(stock) + kept(stock, "sqlite3")


def test_a_clone_that_fails_is_built(stock, said):
    """The manifest is right, but SQLite cannot read the image."""
    said()
    [file], [image] = kept(stock), kept(stock, "sqlite3")
    image.write_bytes(b"x" * 4096)
    digest = hashlib.blake2b(image.read_bytes(), digest_size=12).hexdigest()
    file.write_text(json.dumps({**json.loads(file.read_text()), "image": digest}))

    assert said() == "'default': built, new: the kept one cannot be copied"


def test_several_databases(stock, said):
    """MIRROR makes none, DEPENDENCIES says the order, a file is filled too, and one may be serialized."""
    change(
        stock,
        "settings.py",
        "DATABASES = {",
        """DATABASES = {
        "mirror": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "TEST": {"MIRROR": "default"}},
        "second": {"ENGINE": "django.db.backends.sqlite3", "NAME": "b", "TEST": {"NAME": "second.sqlite3",
            "DEPENDENCIES": ["third"]}},
        "third": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "TEST": {"DEPENDENCIES": []}},
        """,
    )
    change(
        stock,
        "test_it.py",
        "@pytest.mark.django_db\n",
        """
@pytest.mark.django_db(databases="__all__")
@pytest.mark.parametrize("twin", [1, 2])
def test_all(twin):
    for alias in ("default", "mirror", "second", "third"):
        assert Item.objects.using(alias).count() >= 4

@pytest.mark.parametrize("twin", [1, 2])
@pytest.mark.django_db(transaction=True, serialized_rollback=True, databases=["default", "second"])
def test_serialized(twin):
    Item.objects.using("second").all().delete()
    Item.objects.all().delete()

@pytest.mark.django_db
""",
    )
    order = ["'third'", "'default'", "'second'"]
    built = said(passed=5).splitlines()
    cloned = said("-p", "no:hermetic-restore", passed=5).splitlines()

    assert sorted(built) == sorted(f"{alias}: built, new: none was kept" for alias in order)
    assert sorted(cloned) == sorted(f"{alias}: cloned" for alias in order)
    assert [line.partition(":")[0] for line in built] == [line.partition(":")[0] for line in cloned]
    assert built.index("'third': built, new: none was kept") < built.index(
        "'second': built, new: none was kept"
    )
    assert not (stock.path / "second.sqlite3").exists()


@pytest.mark.parametrize("scope", ["session", "module"])
def test_a_projects_own_set_up_runs_each_time(stock, said, scope):
    with (stock.path / "conftest.py").open("a") as file:
        file.write(f"""
@pytest.fixture(scope="{scope}")
def django_db_setup(django_db_setup, django_db_blocker):
    from stock.models import Item
    with django_db_blocker.unblock():
        Item.objects.create(name="of the set-up")
""")
    change(
        stock,
        "test_it.py",
        "Item.objects.count() >= 4",
        "Item.objects.filter(name='of the set-up').count() == 1",
    )
    said()

    assert said() == "'default': cloned"


def test_a_set_up_that_creates_by_itself(stock, said):
    with (stock.path / "conftest.py").open("a") as file:
        file.write("""
from django.test.utils import setup_databases, teardown_databases

@pytest.fixture(scope="session")
def django_db_setup(django_test_environment, django_db_blocker):
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)
""")
    said()

    assert said() == "'default': cloned"


def test_a_migration_that_fails_is_not_kept(stock, run):
    change(stock, "stock/migrations/0001_initial.py", "    absent = ", "    1 / 0; absent = ")

    for _ in range(2):
        result = run()
        assert result.parseoutcomes() == {"errors": 1}
        assert "ZeroDivisionError" in str(result.stdout)
    assert not kept(stock)


def test_no_secret_is_kept(stock, said):
    """What is kept of settings and variables are digests."""
    said()

    [manifest] = kept(stock)
    assert "s3cret" not in manifest.read_text()
    assert "north" not in manifest.read_text()
