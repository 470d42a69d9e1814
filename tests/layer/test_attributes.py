"""Names in the project's modules, classes and objects, in libraries, and settings."""

import pytest

PATCHED = "use the monkeypatch fixture, or create it anew in a fixture"
SETTING = "use the settings fixture, or override_settings()"


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        ("shop.RATE = 0.3", "shop.RATE == 0.2", f"attributes:shop.RATE (0.2 → 0.3): {PATCHED}"),
        ("shop.RATE = None", "shop.RATE == 0.2", f"attributes:shop.RATE (0.2 → None): {PATCHED}"),
        ("shop.NEW = None", "not hasattr(shop, 'NEW')", f"attributes:shop.NEW (unset → None): {PATCHED}"),
        ("del shop.RATE", "shop.RATE == 0.2", f"attributes:shop.RATE (0.2 → unset): {PATCHED}"),
        (
            "shop.REGISTRY['new'] = 2",
            "'new' not in shop.REGISTRY",
            "attributes:shop.REGISTRY ({'card': 1} → {'card': 1, 'new': 2})",
        ),
        (
            "shop.NESTED['eu']['fr'] = 20",
            "'fr' not in shop.NESTED['eu']",
            "attributes:shop.NESTED ({'eu': {'de': 19}} → {'eu': {'de': 19, 'fr': 20}})",
        ),
        ("shop.PLUGINS.append('x')", "shop.PLUGINS == ['tax']", "attributes:shop.PLUGINS"),
        ("shop.FLAGS.clear()", "shop.FLAGS == {'new'}", "attributes:shop.FLAGS ({'new'} → set())"),
        ("shop.new_id = print", "shop.new_id is not print", "attributes:shop.new_id (new_id → print)"),
        ("shop.Service.timeout = 1", "shop.Service.timeout == 5", "attributes:shop.Service.timeout (5 → 1)"),
        ("shop.clock.offset = 3", "shop.clock.offset == 0", "attributes:shop.clock.offset (0 → 3)"),
        ("shop.local.user = 1", "not hasattr(shop.local, 'user')", "attributes:shop.local.user (unset → 1)"),
        ("shop.uuid.uuid4 = print", "shop.uuid.uuid4 is not print", "attributes:uuid.uuid4 (uuid4 → print)"),
        (
            "exec('pass'); shop.uuid.uuid4 = str",
            "shop.uuid.uuid4 is not str",
            "attributes:uuid.uuid4 (uuid4 → str)",
        ),
        ("import builtins; builtins.ascii = print", "ascii is not print", "attributes:builtins.ascii"),
        (
            "settings.PAGE_SIZE = 2",
            "settings.PAGE_SIZE == 20",
            f"attributes:settings.PAGE_SIZE (20 → 2): {SETTING}",
        ),
        (
            "settings.TEMPLATES[0]['OPTIONS']['debug'] = True",
            "not settings.TEMPLATES[0]['OPTIONS']['debug']",
            "attributes:settings.TEMPLATES ([0]['OPTIONS']['debug'] False → True)",
        ),
        (
            "settings.TEMPLATES[0]['OPTIONS']['api_key'] = 'other'",
            "settings.TEMPLATES[0]['OPTIONS']['api_key'] == 'k'",
            "attributes:settings.TEMPLATES ([0]['OPTIONS']['api_key'] *** → ***)",
        ),
        (
            "settings.INSTALLED_APPS.append('shop')",
            "'shop' not in settings.INSTALLED_APPS",
            f"attributes:settings.INSTALLED_APPS (+['shop']): {SETTING}",
        ),
        (
            "type(shop.clock).zone = 1",
            "not hasattr(shop.clock, 'zone')",
            "attributes:shop.Clock.zone (unset → 1)",
        ),
        (
            "shop.parse_token = print",
            "not hasattr(shop, 'parse_token')",
            "attributes:shop.parse_token (unset → print)",
        ),
        (
            "settings.API_TOKEN = 'other'",
            "settings.API_TOKEN == 's3cret'",
            f"attributes:settings.API_TOKEN (*** → ***): {SETTING}",
        ),
        (
            "override_settings(PAGE_SIZE=2).enable()",
            "settings.PAGE_SIZE == 20",
            f"attributes:settings (overridden, not undone): {SETTING}",
        ),
    ],
)
def test_an_attribute(leaks, polluter, victim, line):
    (found,) = leaks(polluter, victim)

    assert found.startswith(line)


def test_a_package_named_like_settings_gets_the_remedy_of_a_module(leaks):
    (found,) = leaks(
        "import settings_hub; settings_hub.RATE = 2",
        head="import settings_hub",
        files={"settings_hub": "RATE = 1"},
    )

    assert found == f"attributes:settings_hub.RATE (1 → 2): {PATCHED}"


def test_several_new_names_of_value_none_are_all_put_back(leaks):
    polluter = "shop.A = None; shop.B = None"

    found = leaks(polluter, "not hasattr(shop, 'A') and not hasattr(shop, 'B')")

    assert [line.split()[0] for line in found] == ["attributes:shop.A", "attributes:shop.B"]


@pytest.mark.parametrize(
    ("polluter", "fixtures"),
    [
        ("monkeypatch.setattr(shop, 'RATE', 0.3)", "monkeypatch"),
        ("monkeypatch.setitem(shop.REGISTRY, 'new', 2)", "monkeypatch"),
        ("settings.PAGE_SIZE = 2", "settings"),
        ("with override_settings(PAGE_SIZE=2): pass", ""),
        ("shop._client = 1", ""),
        ("shop.Service.instance()", ""),
        ("import lazy; lazy.fill()", ""),
    ],
    ids=["setattr", "setitem", "settings", "override", "private", "singleton", "import"],
)
def test_innocents(leaks, polluter, fixtures):
    files = {"lazy": "import shop\nshop.REGISTRY['lazy'] = 1\nloaded = None\ndef fill():\n    pass"}

    assert (
        leaks(polluter, "shop.RATE == 0.2 and settings.PAGE_SIZE == 20", fixtures=fixtures, files=files) == []
    )


def test_a_test_that_imports_a_module_first_is_blamed_for_what_it_changes(leaks):
    (found,) = leaks("import lazy; shop.RATE = 0.3", "shop.RATE == 0.2", files={"lazy": "x = 1"})

    assert found.startswith("attributes:shop.RATE (0.2 → 0.3)")


CONFIG = """
class Config: pass
config = Config()
def get(): return config
"""


def test_a_test_that_imports_a_module_first_is_blamed_for_a_name_that_it_adds(leaks):
    files = {"lazy": "x = 1", "prod": CONFIG}

    (found,) = leaks(
        "import lazy; prod.get().mode = 1",
        "not hasattr(prod.config, 'mode')",
        head="import prod",
        files=files,
    )

    assert found.startswith("attributes:prod.config.mode (unset → 1)")


def test_a_name_that_an_import_adds_and_another_test_patches_is_no_tests_doing(leaks):
    head = "import prod\ndef other(monkeypatch): monkeypatch.setattr(prod.get(), 'mode', 2, raising=False)"
    files = {"lazy": "import prod; prod.config.mode = 1", "prod": CONFIG}

    assert leaks("import lazy", "prod.config.mode == 1", head=head, files=files) == []


def test_a_setting_of_a_class_that_overrides_settings_falls_back_to_its_default(project, run):
    """Django's holder of overrides remembers what was deleted from it."""
    project.makepyfile(
        """
        from django.conf import settings
        from django.test import SimpleTestCase, override_settings

        @override_settings(PAGE_SIZE=1)
        class TestOne(SimpleTestCase):
            def test_a(self):
                settings.APPEND_SLASH = False

            def test_b(self):
                assert settings.APPEND_SLASH

            def test_innocent(self):
                # As django-webtest does around each test.
                before = settings.DEBUG_PROPAGATE_EXCEPTIONS
                settings.DEBUG_PROPAGATE_EXCEPTIONS = True
                settings.DEBUG_PROPAGATE_EXCEPTIONS = before
        """
    )

    result = run("-p", "no:randomly")

    result.assert_outcomes(passed=3, errors=1)
    assert "attributes:settings.APPEND_SLASH (unset → False)" in str(result.stdout)


def test_what_a_class_sets_up_after_settings_were_overridden_is_no_tests_doing(project, run):
    """Each class notes the state anew, whatever replaced the settings object meanwhile."""
    project.makepyfile(
        """
        from django.test import SimpleTestCase, override_settings

        @override_settings(PAGE_SIZE=1)
        class TestOne(SimpleTestCase):
            def test_one(self):
                pass

        @override_settings(PAGE_SIZE=2)
        class TestTwo(SimpleTestCase):
            @classmethod
            def setUpClass(cls):
                super().setUpClass()
                cls.total = 3

            def test_two(self):
                assert self.total == 3
        """
    )

    run().assert_outcomes(passed=2)


def test_a_reload_does_not_blame_for_values(leaks):
    files = {"prod": "loaded = 0\ndef load():\n    global loaded\n    loaded = 1"}
    head = "import importlib, prod\ndef other(): importlib.reload(prod)"

    assert leaks("prod.load()", "prod.loaded == 0", head=head, files=files) == []


@pytest.mark.parametrize(
    ("change", "victim"),
    [
        (
            "override_settings(TIME_ZONE='Asia/Tokyo').enable()",
            "str(__import__('django').utils.timezone.get_default_timezone()) == 'America/Chicago'",
        ),
        (
            "override_settings(MEDIA_URL='/other/').enable(); default_storage.base_url",
            "default_storage.base_url != '/other/'",
        ),
        (
            "override_settings(INSTALLED_APPS=['django.contrib.contenttypes']).enable()",
            "apps.is_installed('django.contrib.auth')",
        ),
    ],
    ids=["TIME_ZONE", "MEDIA_URL", "INSTALLED_APPS"],
)
def test_receivers_hear_of_the_end_of_an_override(leaks, change, victim):
    head = """
    from django.apps import apps
    from django.core.files.storage import default_storage
    from django.utils import timezone
    timezone.get_default_timezone()
    """

    *_, line = leaks(change, victim, head=head)  # TIME_ZONE is in the environment, too.

    assert line.startswith("attributes:settings (overridden, not undone)")


def test_reverse_forgets_a_url_that_a_test_added(leaks):
    head = """
    import urls
    from django.urls import NoReverseMatch, path, reverse
    def is_found():
        try: return bool(reverse('added'))
        except NoReverseMatch: return False
    """
    polluter = """
    from django.urls import clear_url_caches
    urls.urlpatterns.append(path('added/', print, name='added'))
    clear_url_caches()
    assert is_found()
    """

    (line,) = leaks(polluter, "not is_found()", head=head)

    assert line.startswith("attributes:urls.urlpatterns (")


def test_an_object_is_named_after_the_module_that_defines_it(leaks):
    files = {
        "zettings": "class Api:\n    page = 20\napi = Api()\n",
        "fields": "from zettings import api\n",
    }
    (line,) = leaks(
        "api.page = 3", "api.page == 20", head="import fields\nfrom zettings import api", files=files
    )

    assert line.startswith("attributes:zettings.api.page (unset → 3)")


CLEANED = {
    "a class": """
        from unittest import TestCase
        removed = []
        class TestMade(TestCase):
            made = []
            @classmethod
            def tearDownClass(cls): {undo}
            def test_one(self): type(self).made.append('one')
            def test_two(self): self.made.append('two')
        def test_last(): assert {undone}
        """,
    "a module": """
        import removed
        made = []
        def teardown_module(): {undo}
        def test_one(): made.append('one')
        def test_two(): made.append('two')
        """,
}


@pytest.mark.parametrize(
    ("owner", "undo"), [("a class", "removed.extend(cls.made)"), ("a module", "removed.names.extend(made)")]
)
def test_what_the_teardown_of_its_owner_cleans_up_is_innocent(project, run, owner, undo):
    """A list of what the tests have made: without it, the teardown would clean up nothing."""
    code = CLEANED[owner].format(undo=undo, undone="removed == ['one', 'two']")
    last = "import removed\ndef test_last(): assert removed.names == ['one', 'two']"
    project.makepyfile(removed="names = []", test_a=code, test_b=last)

    result = run(
        "-p",
        "no:randomly",
        "-o",
        "isolation_keep=attributes:removed.names",
        *(["test_a.py"] if owner == "a class" else []),
    )

    assert not {"failed", "errors"} & {*result.parseoutcomes()}, str(result.stdout)


def test_what_no_teardown_cleans_up_is_named(project, run):
    code = CLEANED["a module"].format(undo="pass", undone="True")
    project.makepyfile(removed="names = []", test_a=code)

    assert run().parseoutcomes()["errors"] == 2
