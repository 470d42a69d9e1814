"""What a test file changes in libraries, in objects and registries, wherever they lie."""
# ruff: noqa: E501, so that a case is one line

import textwrap

import pytest

FILES = {
    "lib/__init__": "",
    "lib/api": """
        import collections, queue, types

        key = None
        class Client:
            retries = 3
            def __init__(self):
                self.headers = {'a': '1'}
                self.options = types.SimpleNamespace(deep={'x': [1]})
            def send(self): return 'sent'
            @property
            def url(self): return 'https://'
            class Meta:
                fields = ['a']
        class Site:
            def __init__(self): self._registry = {1: 'one'}
            def register(self, model):
                self._registry[model] = 'two'
                self._registry = dict(self._registry)
            def unregister(self, model): del self._registry[model]
        site = Site()
        client = Client()
        recent = collections.deque([1], maxlen=5)
        def function(): pass
        """,
}
# Under a folder that counts as a library's.
SETTINGS = """
import sys, pathlib
sys.path.insert(0, str(pathlib.Path(__file__).parent / 'site-packages'))
"""
# name -> (polluter, what its victim finds, the leak)
LEAKS = {
    "a value of a library's class": (
        "from lib.api import Client; Client.retries = 9",
        "api.Client.retries == 3",
        "attributes:lib.api.Client.retries (3 → 9)",
    ),
    "a value of a library's module": (
        "api.key = 'k'",
        "api.key is None",
        "attributes:lib.api.key (None → ***)",
    ),
    "a value of the standard library": (
        "import tempfile; tempfile.tempdir = '/x'",
        "__import__('tempfile').tempdir != '/x'",
        "attributes:tempfile.tempdir",
    ),
    "a method, through a module": (
        "import lib.api; lib.api.Client.send = lambda self: 'fake'",
        "api.client.send() == 'sent'",
        "attributes:lib.api.Client.send (Client.send → test_polluter.<locals>.<lambda>)",
    ),
    "a property": (
        "api.Client.url = 'x'",
        "api.client.url == 'https://'",
        "attributes:lib.api.Client.url",
    ),
    "an attribute that is added": (
        "setattr(api.Client, 'extra', 1)",
        "not hasattr(api.Client, 'extra')",
        "attributes:lib.api.Client.extra (unset → 1)",
    ),
    "a library's object": (
        "api.client.retries = 5",
        "api.client.retries == 3",
        "attributes:lib.api.client.retries (unset → 5)",
    ),
    "what a library's object holds": (
        "api.client.headers['X'] = '2'",
        "api.client.headers == {'a': '1'}",
        "attributes:lib.api.client.headers ({'a': '1'} → {'a': '1', 'X': '2'})",
    ),
    "deeper": (
        "api.client.options.deep['x'].append(2)",
        "api.client.options.deep == {'x': [1]}",
        "attributes:lib.api.client.options.deep['x'] ([1] → [1, 2])",
    ),
    "an inner class": (
        "api.Client.Meta.fields.append('b')",
        "api.Client.Meta.fields == ['a']",
        "attributes:lib.api.Client.Meta.fields (['a'] → ['a', 'b'])",
    ),
    "a deque": (
        "api.recent.append(2)",
        "[*api.recent] == [1]",
        "attributes:lib.api.recent ([1] → [1, 2])",
    ),
    "an attribute of a function": (
        "api.function.calls = 1",
        "not hasattr(api.function, 'calls')",
        "attributes:lib.api.function.calls (unset → 1)",
    ),
    "through a local name": (
        "client = api.client; client.retries = 5",
        "api.client.retries == 3",
        "attributes:lib.api.client.retries (unset → 5)",
    ),
    "of sys": (
        "sys.displayhook = print",
        "sys.displayhook is not print",
        "attributes:sys.displayhook",
    ),
    "of threading": (
        "threading.excepthook = print",
        "threading.excepthook is not print",
        "attributes:threading.excepthook",
    ),
    "a model's options": (
        "from django.contrib.auth.models import Group; Group._meta.ordering = ['name']",
        "Group._meta.ordering == []",
        "attributes:django.contrib.auth.models.Group._meta.ordering ([] → ['name'])",
    ),
    "a field": (
        "Group._meta.get_field('name').help_text = 'x'",
        "Group._meta.get_field('name').help_text == ''",
        "attributes:django.contrib.auth.models.Group._meta.get_field('name').help_text ('' → 'x')",
    ),
    "an app's configuration": (
        "from django.apps import apps; apps.get_app_config('auth').verbose_name = 'x'",
        "apps.get_app_config('auth').verbose_name != 'x'",
        "attributes:django.apps.apps.get_app_config('auth').verbose_name",
    ),
    "a look-up": (
        """
        from django.db.models import CharField, Transform
        class Upper(Transform): lookup_name = 'loud'
        CharField.register_lookup(Upper)
        """,
        "not models.CharField().get_transform('loud')",
        "attributes:django.db.models.fields.CharField.class_lookups",
    ),
    "a form's field": (
        "from django.contrib.auth.forms import UserCreationForm as F; F.base_fields['username'].required = False",
        "UserCreationForm.base_fields['username'].required",
        "attributes:django.contrib.auth.forms.UserCreationForm.base_fields['username'].required (True → False)",
    ),
    "a check": (
        "from django.core.checks import registry; registry.registry.register(lambda **options: [], 'x')",
        "not any(one.__module__ == __name__ for one in registry.registry.registered_checks)",
        "attributes:django.core.checks.registry.registry.registered_checks",
    ),
}
# name -> code that leaves nothing
INNOCENT = {
    "a registry that was copied meanwhile": ("api.site.register(2); api.site.unregister(2)"),
    "put back": "before = api.key; api.key = 'k'; api.key = before",
    "monkeypatch": "monkeypatch.setattr(api.Client, 'retries', 9); monkeypatch.setitem(api.client.headers, 'b', 1)",
    "an equal value": "api.client.headers = {'a': '1'}; api.client.headers.update(a='1')",
    "an object of the test": "import types; api = types.SimpleNamespace(); api.key = 1; made = []; made.append(1)",
    "a module that is not imported yet": "import colorsys; colorsys.ONE_THIRD = 1 / 3",
    "a lazy object": "from django.utils import functional; lazy = functional.SimpleLazyObject(dict); lazy['a'] = 1",
    "mail": "from django.core import mail; mail.outbox = []; mail.outbox.append(1)",
    "a property that raises": "from lib.api import client; del client",
}
HEAD = """
from django.apps import apps
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import Group
from django.core.checks import registry
from django.db import models
from lib import api
"""


@pytest.fixture
def library(project):
    """A package that lies in site-packages, so that it counts as a library."""
    for name, code in FILES.items():
        file = project.path / "site-packages" / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(code))
    settings = project.path / "settings.py"
    settings.write_text(SETTINGS + settings.read_text())


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak(library, leaks, name):
    polluter, victim, line = LEAKS[name]

    found = leaks(polluter, victim, head=HEAD)

    assert len(found) == 1, found
    assert line in found[0]
    assert "use the monkeypatch fixture" in found[0]


@pytest.mark.parametrize("name", INNOCENT)
def test_an_innocent(library, leaks, name):
    assert leaks(INNOCENT[name], head=HEAD, fixtures="monkeypatch") == []


def test_a_conftest_with_hooks_keeps_what_it_notes(project, leaks):
    project.makeconftest(
        """
        marks = []

        def pytest_runtest_logreport(report):
            marks.append(report.nodeid)

        def pytest_terminal_summary():
            assert len(marks) == 6
        """
    )
    assert leaks("pass") == []


def test_a_package_with_a_conftest_is_no_helper_where_it_holds_an_application(project, leaks):
    """The place of conftest.py in projects of cookiecutter-django."""
    (project.path / "stock").mkdir()
    with (project.path / "settings.py").open("a") as file:
        file.write("\nINSTALLED_APPS += ['stock']\n")
    convert = "def convert(key):\n    convert.cache[key] = 1\n\nconvert.cache = {}"
    files = {"stock/__init__": "", "stock/conftest": "", "stock/names": convert}

    assert leaks("convert('a')", head="from stock.names import convert", files=files) == []


def test_a_library_below_the_root_is_no_helper(project, leaks):
    """An environment in the project, and a library with a folder called test, like Django."""
    folder = project.path / "site-packages" / "library" / "test"
    folder.mkdir(parents=True)
    for path in (folder, folder.parent):
        (path / "__init__.py").touch()
    (folder / "names.py").write_text("from library import engine\ndef use():\n    engine.state = 1\n")
    (folder.parent / "engine.py").write_text("state = None\n")
    head = "sys.path.insert(0, 'site-packages'); from library.test.names import use"

    assert leaks("use()", head=head) == []


HELPERS = """
from lib import api as imported

def install():
    imported.Client.send = lambda self: "fake"

def replace(library):
    library.function = install

class Recorder:
    def __init__(self):
        self.send = None
"""


HELPED = [
    ("install()", ["attributes:lib.api.Client.send"]),
    ("replace(api)", ["attributes:lib.api.function"]),
    ("Recorder()", []),
]


@pytest.mark.parametrize(("call", "found"), HELPED)
@pytest.mark.parametrize("folder", ["tests", "checks"])
def test_a_helper_of_the_tests(library, project, leaks, folder, call, found):
    (project.path / folder).mkdir()
    if folder != "tests":
        (project.path / folder / "conftest.py").write_text("")
    (project.path / folder / "helpers.py").write_text(HELPERS)
    head = f"{HEAD}from {folder}.helpers import *\n"
    files = {f"{folder}/__init__": ""}

    victim = "api.client.send() == 'sent' and api.function() is None"
    lines = leaks(call, victim, head=head, files=files)

    assert [line.partition(" (")[0] for line in lines] == found
