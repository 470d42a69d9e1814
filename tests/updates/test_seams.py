"""Each seam in use: nothing of the template's is touched, an update keeps it all, and the suite is green."""

import subprocess

import pytest
import shapes
import yaml
from ownership import SPECS
from releases import HEAD, NEXT, Subject
from workflows import jobs

# What a project adds, by the file that it goes into: appended, but for those that are new.
ADDED = {
    "acme_shop/catalog/__init__.py": "",
    "acme_shop/catalog/models.py": """
from django.db import models


class Item(models.Model):
    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name
""",
    "acme_shop/catalog/views.py": """
from django.conf import settings
from django.http import HttpRequest, JsonResponse
from packaging.version import Version

from .models import Item


def index(request: HttpRequest) -> JsonResponse:
    names = [item.name for item in Item.objects.all()[: settings.PAGE_SIZE]]
    return JsonResponse({"names": names, "major": Version("2.1").major})
""",
    "acme_shop/settings.py": """
from .base_settings import INSTALLED_APPS, env

INSTALLED_APPS = [*INSTALLED_APPS, "acme_shop.catalog"]
PAGE_SIZE = env.int("PAGE_SIZE", default=20)
""",
    ".env.example": "# PAGE_SIZE=20\n",
    "acme_shop/extra_test_settings.py": "PAGE_SIZE = 2\n",
    "acme_shop/urls.py": """
from django.urls import path

from .catalog import views

urlpatterns = [*urlpatterns, path("catalog/", views.index)]
""",
    "tests/conftest.py": """

@seed
def items() -> SimpleNamespace:
    from acme_shop.catalog.models import Item

    return SimpleNamespace(all=[Item.objects.create(name=name) for name in "abc"])
""",
    "tests/catalog/__init__.py": "",
    "tests/catalog/test_views.py": """
import pytest
from django.contrib.auth import get_user_model

from tests.users.factories import UserFactory


@pytest.mark.django_db
def test_a_page(client, items):
    sample = UserFactory.create(team="blue")
    assert get_user_model().objects.get(team="blue") == sample
    assert client.get("/catalog/").json() == {"names": ["a", "b"], "major": 2}
""",
    ".ci/before.sh": "echo a step of ours\n",
    ".github/workflows/ours.yml": "name: Ours\n",
    ".gitlab-ci-project.yml": "ours: {script: [echo ours]}\n",
}
USER = """
from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    team = models.CharField(max_length=20, blank=True)
"""
DEPENDENCY = '    "packaging>=24",\n'


@pytest.mark.parametrize("provider", ["github", "gitlab"])
def test_the_seams(repository, tmp_path, provider):
    project = Subject(tmp_path / "project", repository, HEAD, {"ci_provider": provider})
    runner = shapes.Project(project.path, shapes.environment(project.path, "3.11"))
    shipped = project.files()
    for name, text in ADDED.items():
        before = (project.path / name).read_text() if name in shipped else ""
        project.write(name, before + text)
    text = (project.path / "pyproject.toml").read_text()
    project.write(
        "pyproject.toml", text.replace("]\n\n[dependency-groups]", DEPENDENCY + "]\n\n[dependency-groups]")
    )
    project.write("acme_shop/users/models.py", USER)
    assert DEPENDENCY in (project.path / "pyproject.toml").read_text()
    runner.run("python", "manage.py", "makemigrations", "catalog", "users", SECRET_KEY="x", DEBUG="1")
    changed = {name for name, text in shipped.items() if project.files().get(name) != text}
    assert not [*SPECS["template"].match_files(changed)]
    project.commit("Ours")
    runner.pytest("-q", "-n0")
    assert_ci_runs_ours(project, provider)

    outcome = project.update("apply", "--to", NEXT)

    assert outcome.code == 0, outcome
    after = {name: text.decode(errors="replace") for name, text in project.files().items()}
    ours = {**ADDED, "pyproject.toml": DEPENDENCY, "acme_shop/users/models.py": USER}
    assert all(text in after[name] for name, text in ours.items())
    assert "NEXT.md" in after, "the update did nothing"
    runner.pytest("-q", "-n0")
    assert_ci_runs_ours(project, provider)


def assert_ci_runs_ours(project, provider):
    """The step in .ci/before.sh runs in each job that imports the project."""
    if provider == "gitlab":
        included = yaml.safe_load((project.path / ".gitlab-ci.yml").read_text())["include"]
        assert {
            "local": ".gitlab-ci-project.yml",
            "rules": [{"exists": [".gitlab-ci-project.yml"]}],
        } in included
    scripts = {
        job.name: [step for step in job.steps if "before.sh" in step] for job in jobs(project.path, "3.11")
    }
    assert {name for name, found in scripts.items() if found} == {
        "types",
        "django",
        "tests",
        "orders",
        "reversed",
    }
    for (script,) in filter(None, scripts.values()):
        command = ["bash", "-e", "-c", script]
        done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, check=True)
        assert done.stdout == "a step of ours\n"
