"""What is blocked on its own line, and what is reset silently."""

import textwrap

import pytest

BLOCKED = [
    ("socket.create_connection(('192.0.2.1', 80), timeout=1)", "A test tried to use socket.socket.connect()"),
    (
        "socket.getaddrinfo('pay.example.com', 443)",
        "A test tried to resolve the host name 'pay.example.com'.",
    ),
    ("socket.getaddrinfo('9pay.example', 443)", "A test tried to resolve the host name '9pay.example'."),
    ("socket.gethostbyname('pay.example.com')", "A test tried to resolve the host name 'pay.example.com'."),
    (
        "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 53))",
        "A test tried to send to 192.0.2.1:53.",
    ),
]


@pytest.mark.parametrize(
    ("line", "message"), BLOCKED, ids=["connect", "resolve", "digit", "by name", "datagram"]
)
def test_the_network_is_blocked(project, run, line, message):
    project.makepyfile(f"import socket\n\ndef test_it():\n    {line}\n")

    result = run("-W", "ignore::ResourceWarning")

    assert "failed" in result.parseoutcomes()
    text = str(result.stdout)
    assert message in text
    assert "@pytest.mark.enable_socket" in text
    assert f">       {line}" in text or f">   {line}" in text


def test_a_marked_test_may_use_the_network(project, run):
    project.makepyfile(
        """
        import socket, pytest

        @pytest.mark.enable_socket
        def test_it():
            with pytest.raises(socket.gaierror):
                socket.getaddrinfo('x.invalid', 443)
        """
    )

    run().assert_outcomes(passed=1)


def test_loopback_is_allowed(project, run):
    project.makepyfile(
        """
        import socket

        def test_it():
            with socket.create_server(('127.0.0.1', 0)) as server:
                socket.create_connection(server.getsockname()).close()
                server.accept()[0].close()
            socket.getaddrinfo('localhost', 80)
            socket.getaddrinfo('127.1', 80)
            with socket.socket(type=socket.SOCK_DGRAM) as metrics:
                metrics.sendto(b'hits:1|c', ('localhost', 8125))
                metrics.sendto(b'hits:1|c', ('', 8125))
        """
    )

    run().assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("polluter", "victim"),
    [
        ("cache.set('a', 1)", "cache.get('a') is None"),
        ("mail.send_mail('a', 'b', 'c@example.com', ['d@example.com'])", "mail.outbox == []"),
        ("default_storage.save('a', ContentFile(b''))", "default_storage.listdir('') == ([], [])"),
        ("shop.expensive('a').append('b')", "shop.expensive('a') == ['a']"),
        ("shop.Service.tariff('de').append('b')", "shop.Service.tariff('de') == ['de']"),
        ("shop.client()", "shop._client is None"),
    ],
    ids=["cache", "mail", "storage", "memoised", "memoised method", "private name"],
)
def test_what_production_code_leaves_is_reset(leaks, polluter, victim):
    head = (
        "from django.core import mail\nfrom django.core.cache import cache\n"
        "from django.core.files.base import ContentFile\n"
        "from django.core.files.storage import default_storage"
    )

    assert leaks(polluter, victim, head=head) == []


@pytest.mark.parametrize("name", ["cache", "caches['default']"])
def test_a_cache_that_production_code_alone_uses_is_reset(leaks, name):
    code = f"""
def count():
    from django.core.cache import cache, caches
    {name}.get_or_set('n', 0)
    return {name}.incr('n')
"""

    assert leaks("prod.count()", "prod.count() == 1", head="import prod", files={"prod": code}) == []


STORED = """
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

def store():
    cache.set('rate', 7)
    default_storage.save('a.txt', ContentFile(b'1'))
    default_storage.save('in/b.txt', ContentFile(b'1'))

def check():
    assert cache.get('rate') == 7
    assert cache.get('other') is None
    assert [default_storage.open(name).read() for name in ('a.txt', 'in/b.txt')] == [b'1', b'1']
    assert default_storage.listdir('in') == ([], ['b.txt'])
    cache.set_many({'rate': 8, 'other': 1})
    default_storage.open('a.txt', 'wb').write(b'2')
    default_storage.delete('in/b.txt')
    default_storage.save('in/c.txt', ContentFile(b'1'))
"""


@pytest.mark.parametrize(
    "tests",
    [
        """
        class StoredTests(TestCase):
            @classmethod
            def setUpTestData(cls): stored.store()
            def test_one(self): stored.check()
            def test_two(self): stored.check()
        """,
        """
        @pytest.fixture(scope='class')
        def early(): stored.cache.set('early', 1)
        @pytest.fixture(scope='module')
        def filled(request): stored.store()
        @pytest.mark.usefixtures('early', 'filled')
        class TestStored:
            def test_one(self): stored.check()
            def test_two(self): stored.check()
        def test_three(filled): stored.check()
        """,
        """
        @pytest.fixture(scope='module')
        def filled(): stored.store()
        def test_one(request):
            stored.cache.set('mine', 1)
            request.getfixturevalue('filled')
            stored.check()
        def test_two():
            stored.check()
            assert stored.cache.get('mine') is None
        """,
    ],
    ids=["setUpTestData", "fixtures", "asked for by a test"],
)
def test_what_a_broader_fixture_stored_stays_until_it_ends(project, run, tests):
    head = "import pytest, stored\nfrom django.test import TestCase\n"
    project.makepyfile(
        stored=STORED,
        test_a=head + textwrap.dedent(tests),
        test_b="""
        from stored import cache, default_storage

        def test_victim():
            assert cache.get('rate') is None
            assert default_storage.listdir('') == ([], [])
        """,
    )

    run("-p", "no:randomly").assert_outcomes(passed=tests.count("def test_") + 1)


def test_the_memory_of_content_types_is_reset(leaks):
    head = (
        "from django.contrib.contenttypes.models import ContentType\n"
        "from django.contrib.auth.models import Group"
    )
    polluter = "ContentType.objects.get_for_model(Group)"

    assert leaks(polluter, "not ContentType.objects._cache", head=head, marks="@pytest.mark.django_db") == []


def test_a_cache_that_others_may_share_is_not_emptied(project, run):
    settings = project.path / "settings.py"
    backend = "'BACKEND': 'django.core.cache.backends.filebased.FileBasedCache', 'LOCATION': 'shared'"
    settings.write_text(f"{settings.read_text()}\nCACHES = {{'default': {{{backend}}}}}\n")
    project.makepyfile(
        """
        from django.core.cache import cache

        def test_one(tmp_path):
            assert cache.get('rate') in (None, 3)

        def test_two():
            assert cache.get('rate') in (None, 3)
        """
    )
    project.makeconftest(
        """
        import os, django
        def pytest_sessionstart():
            from django.core.cache import cache
            cache.set('rate', 3)
        def pytest_sessionfinish():
            from django.core.cache import cache
            assert cache.get('rate') == 3
        """
    )

    run().assert_outcomes(passed=2)
