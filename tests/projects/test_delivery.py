"""The layer as a package: built, installed from git, in any project, without links, and as documented."""

import os
import re
import shutil
import subprocess

import plumbum
import pytest
import shapes
import yaml
from releases import Subject, git

PLAIN = {
    "shop/__init__.py": "",
    "shop/settings.py": """
SECRET_KEY = "tests"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
ROOT_URLCONF = "shop.urls"
""",
    "shop/urls.py": "urlpatterns = []\n",
    "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = shop.settings\npythonpath = .\nasyncio_mode = auto\n",
    "tests/test_shop.py": """
import os

import pytest
from django.contrib.auth.models import Group


def test_polluter():
    os.environ["PAYMENTS"] = "off"


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["one", "other"])
async def test_rows_roll_back(name):
    assert "PAYMENTS" not in os.environ
    assert not await Group.objects.aexists()
    await Group.objects.acreate(name=name)
""",
}


@pytest.fixture(scope="module")
def origin(tmp_path_factory):
    """A git repository of this template as it stands in the work tree."""
    folder = tmp_path_factory.mktemp("origin") / "hermetic-django"
    listed = git("ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=shapes.ROOT)
    for name in filter(None, listed.split("\0")):
        source, target = shapes.ROOT / name, folder / name
        if name.startswith(("tests/", "examples/", "benchmarks/")) or not os.path.lexists(source):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target, follow_symlinks=False)
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", "Template", cwd=folder)
    git("tag", "v7.0.0", cwd=folder)
    return folder


def uv(folder, *command, check=True):
    clean = {key: value for key, value in os.environ.items() if not key.startswith(shapes.FOREIGN)}
    done = subprocess.run(
        [shapes.UV, *command],
        cwd=folder,
        env={**clean, "UV_PYTHON": shapes.interpreter("3.11"), "UV_PYTHON_DOWNLOADS": "never"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
    )
    assert not (check and done.returncode), done.stdout
    return done.stdout


def test_a_plain_project_adds_the_package_in_three_commands(origin, tmp_path):
    for name, text in PLAIN.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)

    uv(tmp_path, "init", "--quiet", "--bare", "--name", "shop", "--python", "3.11")
    uv(tmp_path, "add", "--quiet", "--group", "test", f"hermetic-django @ git+file://{origin}")
    shown = uv(tmp_path, "run", "--group", "test", "pytest", "-p", "no:cacheprovider", check=False)

    assert "3 passed, 1 error" in shown
    assert "1 leak: environ:PAYMENTS (unset → 'off'): use monkeypatch.setenv()" in shown
    assert "ERROR tests/test_shop.py::test_polluter" in shown
    with (tmp_path / "pytest.ini").open("a") as opened:
        opened.write("isolation = warn\n")
    without = ["-p", "no:hermetic", "-p", "no:randomly", "--strict-config"]
    off = uv(tmp_path, "run", "--group", "test", "pytest", *without, check=False)
    assert "failed" in off


def test_a_generated_project_takes_the_package_from_the_template(origin, tmp_path):
    """uv reads the source that Copier wrote: the template's repository, at the tag that was copied."""
    project = Subject(
        tmp_path / "project", origin, "v7.0.0", {"testing_layer": "package", "use_channels": True}
    )
    source = re.search(r"hermetic-django = \{.*\}", (project.path / "pyproject.toml").read_text())[0]

    assert source == f'hermetic-django = {{ git = "file://{origin}", tag = "v7.0.0" }}'
    assert not (project.path / "acme_shop" / "testing").exists()
    assert " passed" in uv(project.path, "run", "pytest", "-q")


@pytest.mark.parametrize(
    ("source", "url"),
    [
        ("gh:acme/hermetic-django", "https://github.com/acme/hermetic-django.git"),
        ("gl:acme/platform/hermetic-django", "https://gitlab.com/acme/platform/hermetic-django.git"),
        ("https://git.acme.test/hermetic.git", "https://git.acme.test/hermetic.git"),
        ("git+https://git.acme.test/hermetic.git", "https://git.acme.test/hermetic.git"),
    ],
)
def test_the_source_is_a_url_that_uv_knows(origin, tmp_path, source, url):
    """`gh:` and `gl:` are Copier's alone."""
    rewritten = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin}.insteadOf",
        "GIT_CONFIG_VALUE_0": url,
    }
    with plumbum.local.env(**rewritten):  # Copier's git is plumbum's, which keeps the environment.
        project = Subject(tmp_path / "project", source, "v7.0.0", {"testing_layer": "package"})

    assert f'git = "{url}", tag = "v7.0.0"' in (project.path / "pyproject.toml").read_text()


def test_a_checkout_without_symbolic_links_copies_and_builds(origin, rendered, tmp_path):
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--config", "core.symlinks=false", str(origin), str(clone), cwd=tmp_path)
    assert not (clone / "src" / "hermetic").is_symlink()
    tree = shapes.render(shapes.copy_template(tmp_path / "template", root=clone), tmp_path / "project", {})

    expected = {file.relative_to(rendered()) for file in rendered().rglob("*.py")}
    assert {file.relative_to(tree) for file in tree.rglob("*.py")} == expected
    uv(clone, "build", "--quiet", "--out-dir", str(tmp_path / "dist"))
    names = [file.name for file in (tmp_path / "dist").iterdir() if file.suffix in (".whl", ".gz")]
    assert len(names) == 2


REDIS = """
CACHES = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://localhost"}}
"""
README = (shapes.ROOT / "README.md").read_text()
PAGE = (shapes.ROOT / "docs" / "adoption.md").read_text()


@pytest.fixture
def shop(tmp_path):
    """The project of docs/adoption.md, in git."""
    for name, text in (PLAIN | {"shop/settings.py": PLAIN["shop/settings.py"] + REDIS}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    uv(tmp_path, "init", "--quiet", "--bare", "--name", "shop", "--python", "3.11")
    git("init", "--quiet", cwd=tmp_path)
    commit(tmp_path)
    return tmp_path


def commit(project):
    git("add", "--all", cwd=project)
    git("commit", "--quiet", "--allow-empty", "--message", "Change", cwd=project)


def bash(project, command, origin, check=True):
    """A line of a document, with the template's address replaced by that of the work tree."""
    here = command.replace("git+https://github.com/OWNER/hermetic-django", f"git+file://{origin}")
    here = here.replace("gh:OWNER/hermetic-django", str(origin))
    return uv(project, "run", "--no-project", "bash", "-c", here, check=check)


def test_each_command_of_the_readme_for_existing_projects(origin, shop):
    section = re.search(r"\n## An existing Django project\n(.+?)\n## ", README, re.DOTALL)[1]
    commands = [
        line for block in re.findall(r"```sh\n(.+?)```", section, re.DOTALL) for line in block.splitlines()
    ]
    shown = {}

    for command in commands:
        shown[command] = bash(shop, command, origin)
        commit(shop)
    (copied,) = [command for command in commands if "copier" in command]

    assert len(commands) == 6
    assert "Nothing is missing." in shown[commands[4]]
    assert git("show", "--name-status", "--format=", cwd=shop).split()[::2] == ["A"] * 6, copied
    assert "26 passed" in uv(shop, "run", "pytest", "-q", "tests/test_isolation_contract.py")
    assert "Up to date." in uv(shop, "run", "update.py", "check")

    clone = shop.with_name(f"{shop.name}-clone")
    git("clone", "--quiet", str(shop), str(clone), cwd=shop)
    jobs = yaml.safe_load((clone / ".github/workflows/isolation.yml").read_text())["jobs"].values()
    steps = [step["run"] for job in jobs for step in job["steps"] if "run" in step]
    assert len(steps) == 6
    for step in steps:
        bash(clone, f"export SEED=11; {step}", origin)


def test_the_terminal_of_an_adoption(origin, shop):
    """Every line of the page's terminal is printed, in this order."""
    terminal = re.search(r"```console\n(.+?)```", PAGE, re.DOTALL)[1]

    for step in re.split(r"^\$ ", terminal, flags=re.MULTILINE)[1:]:
        command, _, expected = step.partition("\n")
        printed = iter(bash(shop, command, origin, check="doctor" not in command).splitlines())
        missing = [line for line in expected.splitlines() if line not in printed]
        assert not missing, command
        commit(shop) if "adopt" in command else None
