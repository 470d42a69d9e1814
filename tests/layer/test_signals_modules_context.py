"""Receivers, ``sys.modules``, context variables, and what a rollback leaves of a connection."""

import pytest

SIGNALS = "from django.core.signals import request_finished\ndef listen(**kwargs): pass"


def test_a_receiver(leaks):
    polluter = "request_finished.connect(listen)"

    assert leaks(polluter, "not request_finished.disconnect(listen)", head=SIGNALS) == [
        "receivers:django.core.signals.request_finished (connected listen): "
        "disconnect it, or connect it in a fixture that disconnects it"
    ]


def test_a_receiver_that_was_disconnected(leaks):
    polluter = "shop.order_paid.disconnect(shop.on_paid)"

    (line,) = leaks(polluter, "shop.order_paid.has_listeners()")

    assert line.startswith("receivers:shop.order_paid (disconnected on_paid)")


def test_what_an_import_connects_is_innocent(leaks):
    files = {"late": "import shop\ndef hear(**kwargs): pass\nshop.order_paid.connect(hear)"}

    assert leaks("import late", files=files) == []


@pytest.mark.parametrize(
    ("polluter", "victim", "line"),
    [
        (
            "import types; sys.modules['stripe'] = types.ModuleType('stripe')",
            "'stripe' not in sys.modules",
            "modules:stripe (added)",
        ),
        (
            "sys.modules['uuid'] = mock.Mock(__spec__=None)",
            "not isinstance(sys.modules['uuid'], mock.Mock)",
            "modules:uuid (replaced)",
        ),
        ("del sys.modules['uuid']", "'uuid' in sys.modules", "modules:uuid (removed)"),
    ],
    ids=["added", "replaced", "removed"],
)
def test_modules(leaks, polluter, victim, line):
    (found,) = leaks(polluter, victim)

    assert found == f"{line}: use monkeypatch.setitem(sys.modules, ...)"


def test_a_context_variable_of_a_test_ends_with_it(leaks):
    assert leaks("shop.tenant.set('acme')", "shop.tenant.get() == 'none'") == []


@pytest.mark.parametrize(
    "reset",
    ["for token in tokens: shop.tenant.reset(token)", "[*map(partial(shop.tenant.reset), tokens)]"],
    ids=["by a call", "by a function"],
)
def test_a_factory_fixture_resets_the_variables_that_the_test_set_through_it(leaks, reset):
    head = f"""
    from functools import partial
    @pytest.fixture
    def as_tenant():
        tokens = []
        yield lambda name: tokens.append(shop.tenant.set(name))
        {reset}
    """

    assert leaks("as_tenant('a')", "shop.tenant.get() == 'none'", head=head, fixtures="as_tenant") == []


def test_without_a_factory_a_variable_of_such_a_file_is_reset_silently(leaks):
    head = "def as_tenant(token): shop.tenant.reset(token)"

    assert leaks("shop.tenant.set('acme')", "shop.tenant.get() == 'none'", head=head) == []


def test_a_context_variable_of_a_fixture_is_reset(leaks):
    head = "@pytest.fixture\ndef acme():\n    shop.tenant.set('acme')"

    assert leaks("pass", "shop.tenant.get() == 'none'", head=head, fixtures="acme") == []


def test_a_context_variable_without_a_default_is_named(leaks):
    head = "@pytest.fixture\ndef acme():\n    shop.request_id.set('1')"

    assert leaks("pass", head=head, fixtures="acme") == [
        "context:shop.request_id (unset → '1'): reset() it with its token after the fixture's yield"
    ]


def test_language_and_time_zone_are_reset(leaks):
    head = (
        "from django.utils import timezone, translation\n@pytest.fixture\ndef german():\n"
        "    translation.activate('de'); timezone.activate('Asia/Tokyo')"
    )
    victim = "translation.get_language() == 'en-us' and timezone.get_current_timezone_name() != 'Asia/Tokyo'"

    assert leaks("pass", victim, head=head, fixtures="german") == []


@pytest.mark.parametrize(
    ("polluter", "line"),
    [
        ("connection.force_debug_cursor = True", "database:default.force_debug_cursor (unset → True)"),
        (
            "connection.execute_wrappers.append(lambda execute, *rest: execute(*rest))",
            "database:default.execute_wrappers",
        ),
    ],
)
def test_connections(leaks, polluter, line):
    head = "from django.db import connection"
    victim = "not connection.force_debug_cursor and not connection.execute_wrappers"

    (found,) = leaks(polluter, victim, head=head, marks="@pytest.mark.django_db")

    assert found.startswith(line)
