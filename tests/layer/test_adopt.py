"""`hermetic adopt` and `hermetic doctor` in projects of several layouts, each a git repository."""

import importlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import zygote

SETTINGS = """
SECRET_KEY = "tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://localhost"}}
ROOT_URLCONF = "shop.urls"
"""
PASSING = """
import os
from django.conf import settings

def test_it():
    os.environ["LEFT"] = "1"
    assert settings.CACHES["default"]["BACKEND"].endswith("LocMemCache")
"""
CODE = {"shop/__init__.py": "", "shop/urls.py": "urlpatterns = []\n", "tests/test_it.py": PASSING}
INI = "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\npythonpath = .\naddopts = -q\n"
TOML = """[project]
name = "shop"  # [tool.pytest.ini_options]

[tool.pytest.ini_options]  # theirs
DJANGO_SETTINGS_MODULE = "shop.settings.test"
pythonpath = ["src"]
addopts = [
    "-q",
]

[tool.other]
a = 1
"""
SOURCE = {
    **{f"src/{name}" if name.startswith("shop") else name: text for name, text in CODE.items()},
    "src/shop/settings/__init__.py": "",
    "src/shop/settings/test.py": SETTINGS,
    "pyproject.toml": TOML,
}
LAYOUTS = {
    "pytest.ini": {**CODE, "shop/settings.py": SETTINGS, "pytest.ini": INI},
    "setup.cfg": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "setup.cfg": INI.replace("[pytest]", "[tool:pytest]"),
    },
    "tox.ini with CRLF": {**CODE, "shop/settings.py": SETTINGS, "tox.ini": INI.replace("\n", "\r\n")},
    "pyproject.toml, a settings package, src": SOURCE,
    "native TOML": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "pyproject.toml": '[tool.pytest]\nDJANGO_SETTINGS_MODULE = "shop.settings"\npythonpath = ["."]\n',
    },
    "unittest style, a pyproject.toml of other tools": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "pyproject.toml": '[project]\nname = "shop"\n\n[tool.other]\na = 1\n',
    },
    "unittest style, a pyproject.toml with CRLF and no end of line": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "pyproject.toml": '[project]\r\nname = "shop"',
    },
    "an empty pytest.ini": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "pytest.ini": "",
    },
    "a header without an end of line, after a BOM": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
        "pytest.ini": "\ufeff[pytest]",
    },
    "unittest style, manage.py alone": {
        **CODE,
        "shop/settings.py": SETTINGS,
        "manage.py": 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n',
    },
}


sys.path.append(str(zygote.LAYER.parents[2] / "src"))
doctor = importlib.import_module("hermetic_adopt.doctor")
facts = importlib.import_module("hermetic_adopt.facts")


class Project:
    def __init__(self, path: Path, files: dict[str, str]) -> None:
        self.path = path
        for name, text in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(text.encode())
        self.run("git", "init", "--quiet")
        self.run("git", "add", "--all")
        self.run(
            "git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "Start"
        )

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        source = zygote.LAYER.parents[2] / "src"
        clean = {
            key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "PYTEST_"))
        }
        env = {
            **clean,
            "PYTHONPATH": str(source),
            # The package's entry point loads it; here, nothing is installed.
            "PYTEST_ADDOPTS": "-p hermetic.plugin -p no:cacheprovider -p no:xdist -p no:timeout",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        return subprocess.run(command, cwd=self.path, env=env, capture_output=True, text=True)

    def hermetic(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "hermetic_adopt", *arguments)

    def pytest(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "pytest", *arguments)

    def undo(self, shown: str) -> None:
        """Run the command that adopt printed."""
        (command,) = [line.strip() for line in shown.splitlines() if line.strip().startswith("git ")]
        self.run("sh", "-c", command)

    def changes(self) -> str:
        return self.run("git", "status", "--short", "--untracked-files=all").stdout

    def diff(self) -> list[str]:
        self.run("git", "add", "--intent-to-add", ".")
        return self.run("git", "diff", "HEAD").stdout.splitlines()


@pytest.fixture(autouse=True)
def _links():
    if not (zygote.LAYER.parents[2] / "src" / "hermetic").is_symlink():
        pytest.skip("git made no symbolic links here")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_adopt_writes_no_line_of_theirs_and_the_suite_runs(tmp_path, layout):
    project = Project(tmp_path, LAYOUTS[layout])

    done = project.hermetic("adopt")
    suite = project.pytest()

    assert done.returncode == 0, done.stdout + done.stderr
    for name, text in LAYOUTS[layout].items():
        written = (tmp_path / name).read_bytes()
        assert [line for line in text.encode().splitlines(keepends=True) if line not in written] == []
        assert "\r\n" not in text or written.count(b"\n") == written.count(b"\r\n")
    assert "For a person to merge" not in done.stdout
    assert suite.returncode == 0, suite.stdout
    assert "1 test: environ:LEFT (unset → '1'): use monkeypatch.setenv()" in suite.stdout
    for file in tmp_path.glob("*.toml"):
        tomllib.loads(file.read_text())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_twice_changes_nothing_and_one_command_undoes_it(tmp_path, layout):
    project = Project(tmp_path, LAYOUTS[layout])
    first = project.hermetic("adopt")
    files = {
        file: file.read_bytes() for file in tmp_path.rglob("*") if ".git" not in file.parts and file.is_file()
    }

    assert "Nothing to add." in project.hermetic("adopt").stdout
    assert all(file.read_bytes() == content for file, content in files.items())
    assert project.changes()
    project.undo(first.stdout)
    assert project.changes() == ""


@pytest.mark.parametrize("tracked", [True, False])
def test_the_command_undoes_no_work_that_is_not_committed(tmp_path, tracked):
    """Like the line that `uv add --dev` writes before."""
    project = Project(tmp_path, LAYOUTS["pytest.ini"])
    file = tmp_path / "pytest.ini"
    file.write_text(f"{INI}markers = theirs\n")
    if not tracked:
        project.run("git", "rm", "--cached", "pytest.ini")

    shown = project.hermetic("adopt").stdout
    project.undo(shown)

    assert "markers = theirs" in file.read_text()
    assert "isolation = warn" in file.read_text()
    assert not (tmp_path / "shop" / "hermetic_settings.py").exists()
    assert (
        "Then remove the lines above from pytest.ini by hand, since it has changes that are not committed."
        in shown
    )


def test_the_command_undoes_it_from_any_folder_and_with_spaces_in_a_path(tmp_path):
    names = {name.replace("src/", "the src/"): text for name, text in SOURCE.items()}
    names["pyproject.toml"] = TOML.replace('"src"', '"the src"')
    (tmp_path / "a project").mkdir()
    project = Project(tmp_path / "a project", names)
    project.path = tmp_path
    shown = project.hermetic("adopt", "--folder", "a project").stdout

    project.path = tmp_path / "a project"
    changed = project.changes()
    project.path = tmp_path
    project.undo(shown)
    project.path = tmp_path / "a project"

    assert "hermetic_settings.py" in changed
    assert project.changes() == ""


def test_what_cannot_be_printed_stops_nothing(tmp_path):
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], "pytest.ini": INI.replace("]", "]\n# café")})

    done = project.run("env", "PYTHONIOENCODING=ascii", sys.executable, "-m", "hermetic_adopt", "adopt")

    assert done.returncode == 0, done.stderr
    assert "caf\\xe9" in done.stdout
    assert "café" in (tmp_path / "pytest.ini").read_text(encoding="utf-8")


@pytest.mark.parametrize("pyproject", [True, False])
def test_each_name_of_a_test_file_is_found_where_nothing_configured_pytest(tmp_path, pyproject):
    """pytest's own patterns and Django's, whose runner takes tests.py."""
    files = dict(LAYOUTS["unittest style, a pyproject.toml of other tools"])
    if not pyproject:
        del files["pyproject.toml"]
    files |= dict.fromkeys(("tests/it_test.py", "shop/tests.py"), "def test_it():\n    pass\n")
    project = Project(tmp_path, files)
    project.hermetic("adopt")

    assert "3 passed" in project.pytest().stdout


def test_a_dry_run_shows_the_same_and_writes_nothing(tmp_path):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])

    shown = project.hermetic("adopt", "--dry-run").stdout

    assert "+isolation = warn" in shown
    assert "+++ b/shop/hermetic_settings.py" in shown
    assert project.changes() == ""


def test_doctor_names_what_is_missing_until_nothing_is(tmp_path):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])

    before = project.hermetic("doctor")
    project.hermetic("adopt")
    adopted = project.hermetic("doctor")
    project.pytest("--isolation-baseline-update")
    recorded = project.hermetic("doctor")

    assert (before.returncode, adopted.returncode, recorded.returncode) == (1, 1, 0), recorded.stdout
    assert "the cache 'default' is shared" in before.stdout
    assert "--disable-socket" in before.stdout
    assert "1 missing." in adopted.stdout
    assert "pytest --isolation-baseline-update" in adopted.stdout
    assert "ok       leaks, 1 tolerated\n\nNothing is missing." in recorded.stdout


def test_adopt_leaves_the_index_so_that_stash_works(tmp_path):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])
    project.hermetic("adopt")

    stashed = project.run("git", "-c", "user.name=a", "-c", "user.email=a@b", "stash")

    assert stashed.returncode == 0, stashed.stderr
    assert project.changes() == "?? shop/hermetic_settings.py\n"


ASYNC = "async def test_it():\n    pass\n"


def test_async_tests_need_no_marker_after_adoption(tmp_path):
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], "tests/test_it.py": ASYNC})
    before = project.hermetic("doctor").stdout
    project.hermetic("adopt")

    assert "pytest-asyncio runs only tests with its marker: set asyncio_mode to auto" in before
    assert "ok       async tests" in project.hermetic("doctor").stdout
    assert project.pytest().returncode == 0


def test_the_mode_of_async_tests_that_a_project_chose_stays(tmp_path):
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], "pytest.ini": f"{INI}asyncio_mode = strict\n"})
    project.hermetic("adopt")

    assert "asyncio_mode" not in "".join(line for line in project.diff() if line.startswith("+"))
    assert "ok       async tests" in project.hermetic("doctor").stdout


@pytest.mark.parametrize("line", ["filterwarnings = error", "addopts = -W error"])
def test_warnings_that_are_errors_stop_neither_command(tmp_path, line):
    files = {**LAYOUTS["pytest.ini"], "pytest.ini": INI.replace("addopts = -q", line)}
    project = Project(tmp_path, files)

    before, done = project.hermetic("doctor"), project.hermetic("adopt")
    after = project.hermetic("doctor")

    assert "missing  async tests" in before.stdout
    assert done.returncode == 0, done.stdout
    assert "ok       async tests" in after.stdout


MANAGE = {"manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.dev")\n'}
OTHER = 'raise SystemExit("the settings of development")\n'


def test_deleted_settings_are_written_again_on_top_of_those_that_pytest_names(tmp_path):
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], **MANAGE, "shop/dev.py": OTHER})
    project.hermetic("adopt")
    written = tmp_path / "shop" / "hermetic_settings.py"
    text = written.read_text()
    written.unlink()

    done = project.hermetic("adopt")

    assert done.returncode == 0, done.stdout
    assert written.read_text() == text


def test_settings_that_do_not_start_are_not_replaced_by_those_of_manage(tmp_path):
    files = {**MANAGE, "shop/dev.py": SETTINGS, "shop/settings.py": "import missing\n"}
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], **files})

    done = project.hermetic("adopt")

    assert done.returncode == 2
    assert "No module named 'missing'" in done.stdout
    assert len(done.stdout.splitlines()) < 16
    assert project.changes() == ""


def test_settings_that_are_switched_off_get_a_remedy_that_works(tmp_path):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])
    project.hermetic("adopt")
    ini = tmp_path / "pytest.ini"
    whole = ini.read_text()
    ini.write_text(whole.replace("--ds=shop.hermetic_settings ", ""))

    named, told = project.hermetic("doctor").stdout, project.hermetic("adopt").stdout
    ini.write_text(whole)

    assert "the cache 'default' is shared" in named
    assert "add --ds=shop.hermetic_settings to isolation_addopts" in named
    assert "1. shop.settings is in use: add --ds=shop.hermetic_settings to isolation_addopts" in told
    assert "ok       settings" in project.hermetic("doctor").stdout


def test_eager_tasks_reach_no_broker():
    settings = {"caches": {}, "layers": {}, "queued": {}, "storages": {}, "hasher": "MD5PasswordHasher"}
    celery = {"namespace": "CELERY", "memory": False, "results": ""}
    known = {"named": True, "isolation_addopts": []}
    found = {"file": "shop/settings.py", "module": "shop.settings", **settings}
    told = [
        doctor.settings({**known, "settings": {**found, "celery": {**celery, "eager": eager}}})
        for eager in (True, False)
    ]

    assert told == [[], ["Celery sends tasks to a broker: hermetic adopt"]]


def test_settings_that_a_conftest_configures_are_left_to_a_person(tmp_path):
    conftest = "from django.conf import settings\n\ndef pytest_configure():\n    settings.configure(**{})\n"
    values = 'DATABASES={}, INSTALLED_APPS=[], SECRET_KEY="x"'
    files = {"pytest.ini": "[pytest]\n", "tests/test_it.py": "def test_it():\n    pass\n"}
    project = Project(tmp_path, {**files, "conftest.py": conftest.replace("**{}", values)})

    shown = project.hermetic("adopt").stdout

    assert "1. settings are no module here: merge into " in shown
    assert "conftest.py:4" in shown
    assert 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]' in shown
    assert project.changes() == " M pytest.ini\n"


def test_settings_that_a_conftest_names_are_named_there_by_a_person(tmp_path):
    conftest = (
        'import os\nimport django\n\nos.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\ndjango.setup()\n'
    )
    files = {**CODE, "shop/settings.py": SETTINGS, "pytest.ini": "[pytest]\npythonpath = .\n"}
    project = Project(tmp_path, {**files, "conftest.py": conftest})

    shown = project.hermetic("adopt").stdout
    project.run("sed", "-i", "s/shop.settings/shop.hermetic_settings/", "conftest.py")

    assert "1. a conftest.py names shop.settings: have it name shop.hermetic_settings" in shown
    assert "pytest uses it\n+once your conftest.py names it." in shown
    assert "--ds=" not in (tmp_path / "pytest.ini").read_text()
    assert project.pytest().returncode == 0
    assert "Nothing to add." in project.hermetic("adopt").stdout


PLUGIN = """
import os, pytest

@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests():
    os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
"""


def test_settings_that_a_plugin_names_are_replaced_by_an_option(tmp_path):
    """Like pytest-env."""
    files = {**LAYOUTS["pytest.ini"], "shop_env.py": PLUGIN, "tests/conftest.py": "import os\n"}
    project = Project(tmp_path, {**files, "pytest.ini": "[pytest]\naddopts = -p shop_env\n"})

    done = project.hermetic("adopt")

    assert "For a person to merge" not in done.stdout
    assert "isolation_addopts = --ds=shop.hermetic_settings" in (tmp_path / "pytest.ini").read_text()
    assert project.pytest().returncode == 0
    assert "ok       settings" in project.hermetic("doctor").stdout


@pytest.mark.parametrize("folder", ["project/venv/lib/site-packages", "elsewhere"])
def test_settings_outside_of_the_project_are_left_to_a_person(tmp_path, folder):
    files = {"tests/test_it.py": "def test_it():\n    pass\n", "pytest.ini": INI}
    files["pytest.ini"] = INI.replace("pythonpath = .", f"pythonpath = {tmp_path / folder}")
    installed = tmp_path / folder / "shop" / "settings.py"
    installed.parent.mkdir(parents=True)
    installed.write_text(SETTINGS)
    project = Project(tmp_path / "project", files)

    shown = project.hermetic("adopt").stdout

    assert "1. shop.settings lies outside of this project: name a settings module of the project" in shown
    assert [one.name for one in installed.parent.iterdir() if one.suffix] == ["settings.py"]
    assert "--ds=" not in (tmp_path / "project" / "pytest.ini").read_text()
    assert project.pytest().returncode == 0


def test_settings_of_the_same_repository_may_lie_beside_the_root(tmp_path):
    files = {f"backend/{name}": text for name, text in LAYOUTS["pytest.ini"].items()}
    files["backend/tests/pytest.ini"] = files.pop("backend/pytest.ini").replace("= .", "= ..")
    project = Project(tmp_path, files)

    done = project.hermetic("adopt", "--folder", "backend/tests")

    assert "For a person to merge" not in done.stdout
    assert (tmp_path / "backend" / "shop" / "hermetic_settings.py").exists()


@pytest.mark.parametrize("layout", [name for name, files in LAYOUTS.items() if "manage.py" in files])
def test_settings_of_manage_are_there_also_without_the_isolated_ones(tmp_path, layout):
    project = Project(tmp_path, {**LAYOUTS[layout], "tests/test_it.py": SETTINGS_OF_THEIRS})
    project.hermetic("adopt")

    assert project.pytest("-o", "isolation_addopts=--disable-socket").returncode == 0


def distribution(folder: Path) -> None:
    """What an installation of the package writes: its entry points."""
    table = tomllib.loads((zygote.LAYER.parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
    lines = [f"{name} = {module}" for name, module in table["pytest11"].items()]
    info = folder / "hermetic_django-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hermetic-django\nVersion: 0\n")
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))


@pytest.mark.parametrize("option", ["--strict-config", "-Werror", "--strict-markers"])
def test_without_the_plugin_its_options_and_its_marker_are_known(tmp_path, option):
    marked = "import pytest\n\n@pytest.mark.leaks('environ:*')\ndef test_it():\n    pass\n"
    project = Project(tmp_path / "project", {**LAYOUTS["pytest.ini"], "tests/test_it.py": marked})
    project.hermetic("adopt")
    distribution(tmp_path / "installed")
    installed = [
        f"PYTHONPATH={tmp_path / 'installed'}:{zygote.LAYER.parents[2] / 'src'}",
        "PYTEST_ADDOPTS=-p no:cacheprovider -p no:xdist -p no:timeout -p no:randomly",
    ]
    command = ["env", *installed, sys.executable, "-m", "pytest", "-o", "isolation_keep=a", option]

    on = project.run(*command)
    off = project.run(*command, "-p", "no:hermetic")
    ini = tmp_path / "project" / "pytest.ini"
    ini.write_text(f"{ini.read_text().replace('addopts = -q', 'addopts = -p no:hermetic')}")
    missing = project.run("env", *installed, sys.executable, "-m", "hermetic_adopt", "doctor")

    assert (on.returncode, off.returncode) == (0, 0), on.stdout + on.stderr + off.stdout + off.stderr
    assert "missing  plugin" in missing.stdout


def test_the_layer_and_what_stands_in_for_it_know_the_same_options():
    options = importlib.import_module("hermetic_adopt.options").OPTIONS
    source = (zygote.LAYER / "plugin.py").read_text()

    assert {*options} == {*re.findall(r'addini\(\s*"(\w+)"', source)}


def test_a_runner_of_their_own_is_named_since_pytest_does_not_use_it(tmp_path):
    files = LAYOUTS["unittest style, manage.py alone"]
    runner = "shop/settings.py", f'{SETTINGS}TEST_RUNNER = "shop.runner.FastRunner"\n'
    project = Project(tmp_path, {**files, runner[0]: runner[1]})

    shown = project.hermetic("adopt").stdout

    sentence = "1. pytest does not use TEST_RUNNER: if shop.runner.FastRunner changes settings, put them into"
    assert f"{sentence} hermetic_settings.py" in shown


def test_a_database_fixture_that_leaves_pytest_djangos_out_is_named(tmp_path):
    fixture = "import pytest\n\n@pytest.fixture(scope='session')\ndef django_db_setup():\n    pass\n"
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], "tests/conftest.py": fixture})

    assert "conftest.py:4: add django_db_setup to its arguments" in project.hermetic("adopt").stdout
    assert "conftest.py:4 replaces pytest-django's set-up" in project.hermetic("doctor").stdout


@pytest.mark.parametrize(
    "fixture",
    [
        "def django_db_setup(django_db_blocker):\n    from django.test.utils import setup_databases\n"
        "    with django_db_blocker.unblock():\n        setup_databases(0, False)\n",
        "def django_db_setup(django_db_blocker):\n    with django_db_blocker.unblock():\n"
        "        connection.creation.create_test_db(autoclobber=True)\n",
        "def django_db_setup(request):\n    request.getfixturevalue('django_db_setup')\n",
        "def django_db_setup(*, django_db_setup):\n    pass\n",
    ],
    ids=["setup_databases", "create_test_db", "getfixturevalue", "keyword"],
)
def test_a_database_fixture_that_makes_a_test_database_is_valid(tmp_path, fixture):
    conftest = (
        f"import pytest\nfrom django.db import connection\n\n@pytest.fixture(scope='session')\n{fixture}"
    )
    (tmp_path / "conftest.py").write_text(conftest)

    assert facts.read(tmp_path / "conftest.py")["database"] is None


def test_a_project_that_pytest_cannot_start_is_left_alone(tmp_path):
    project = Project(tmp_path, {"pytest.ini": INI})

    done = project.hermetic("adopt")

    assert done.returncode == 2
    assert "pytest does not start here, so nothing was changed. It says:" in done.stdout
    assert "No module named 'shop'" in done.stdout
    assert project.changes() == ""


CONTRACT = "tests/test_isolation_contract.py"


def test_the_contract_test_of_the_template_passes_there(tmp_path, rendered):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])
    (tmp_path / CONTRACT).write_text((rendered(testing_layer="adopted") / CONTRACT).read_text())
    project.hermetic("adopt")

    suite = project.pytest(CONTRACT)

    assert "26 passed" in suite.stdout, suite.stdout + suite.stderr


def test_the_contract_test_fails_where_the_layer_is_off(tmp_path, rendered):
    project = Project(tmp_path, LAYOUTS["pytest.ini"])
    (tmp_path / CONTRACT).write_text((rendered(testing_layer="adopted") / CONTRACT).read_text())
    project.hermetic("adopt")

    suite = project.pytest(CONTRACT, "-p", "no:hermetic-guard")

    for name in ("test_environment[other]", "test_module[other]", "test_a_leak_fails_by_name"):
        assert name in suite.stdout
    assert suite.returncode == 1


# Each part, a suite that relies on its absence, and the switch of README's table that turns it off.
OTHER_THREAD = """
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Group

@pytest.mark.django_db
@pytest.mark.asyncio
async def test_another_connection():
    assert await sync_to_async(Group.objects.count, thread_sensitive=False)() == 0
"""
FLUSHED = """
import pytest
from django.contrib.auth.models import Group

@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock():
        Group.objects.create(name="of the session")

@pytest.mark.django_db(transaction=True)
def test_commits():
    Group.objects.create(name="committed")

@pytest.mark.django_db(transaction=True)
def test_that_the_flush_left_nothing():
    assert not Group.objects.exists()
"""
SEEDLESS = """
def test_no_seeds(pytestconfig):
    assert not pytestconfig.pluginmanager.has_plugin("hermetic-seeds")
"""
MIGRATED = """
def test_migrations_run(pytestconfig):
    assert not pytestconfig.pluginmanager.has_plugin("hermetic-templates")
"""
LEFT = """
import os

def test_first():
    os.environ["LEFT"] = "1"

def test_that_relies_on_it():
    assert os.environ["LEFT"] == "1"
"""
OPEN = """
def test_network(pytestconfig):
    assert not pytestconfig.getoption("--disable-socket")
"""
SETTINGS_OF_THEIRS = """
from django.conf import settings

def test_settings():
    assert settings.CACHES["default"]["BACKEND"].endswith("RedisCache")
"""
SWITCHES = {
    "rollback of async tests": (OTHER_THREAD, ["-p", "no:hermetic-rollback"]),
    "restored database": (FLUSHED, ["-p", "no:hermetic-restore"]),
    "seeds": (SEEDLESS, ["-p", "no:hermetic-seeds"]),
    "migrated once": (MIGRATED, ["-p", "no:hermetic-templates"]),
    "guard": (LEFT, ["--isolation=off"]),
    "network": (OPEN, ["-o", "isolation_addopts=--ds=shop.hermetic_settings"]),
    "settings": (SETTINGS_OF_THEIRS, ["-o", "isolation_addopts=--disable-socket"]),
}


@pytest.mark.parametrize("part", SWITCHES)
def test_a_suite_that_relies_on_the_old_behaviour_has_a_switch(tmp_path, part):
    suite, switch = SWITCHES[part]
    project = Project(tmp_path, {**LAYOUTS["pytest.ini"], "tests/test_it.py": suite})
    project.hermetic("adopt")

    on, off = project.pytest(), project.pytest(*switch)

    assert on.returncode == 1, on.stdout
    assert off.returncode == 0, off.stdout


def test_the_readme_lists_each_switch():
    table = (zygote.LAYER.parents[2] / "README.md").read_text()

    for _, switch in SWITCHES.values():
        shown = " ".join(switch) if switch[0] != "-o" else "isolation_addopts"
        assert f"| `{shown}` |" in table or switch[0] == "-o", shown
    for part in ("isolation_keep", '@pytest.mark.leaks("environ:PAYMENTS")', "--data use_celery=true"):
        assert part in table
