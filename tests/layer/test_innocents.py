"""What production code does to a process: reset where it can be, and never blamed on a test."""

import textwrap

import pytest

# name -> (production code, what the test does, what the next test finds)
PATTERNS = {
    "cached_property on a singleton": (
        """
        from functools import cached_property
        class Rates:
            @cached_property
            def table(self): return {'de': 19}
        rates = Rates()
        """,
        "assert prod.rates.table",
        "'table' not in vars(prod.rates)",
    ),
    "an attribute filled on first use": (
        """
        class Api:
            def __getattr__(self, name):
                setattr(self, name, 1)
                return 1
        api = Api()
        """,
        "assert prod.api.version",
        "'version' not in vars(prod.api)",
    ),
    "a memo dict": (
        """
        cache = {}
        def get(key): return cache.setdefault(key, [key])
        """,
        "assert prod.get('a')",
        "prod.cache == {}",
    ),
    "a module's global": (
        """
        client = None
        def get():
            global client
            client = client or object()
            return client
        """,
        "assert prod.get()",
        "prod.client is None",
    ),
    "a singleton on its class": (
        """
        class Pool:
            instance = None
            @classmethod
            def get(cls):
                cls.instance = cls.instance or cls()
                return cls.instance
        """,
        "assert prod.Pool.get()",
        "prod.Pool.instance is None",
    ),
    "a registry with a decorator": (
        """
        handlers = {}
        def register(name):
            def wrap(function):
                handlers[name] = function
                return function
            return wrap
        """,
        "prod.register('a')(print)",
        "prod.handlers == {}",
    ),
    "a list that records": (
        """
        sent = []
        def send(text): sent.append(text)
        """,
        "prod.send('a')",
        "prod.sent == []",
    ),
    "a set of seen keys": (
        """
        seen = set()
        def once(key): seen.add(key)
        """,
        "prod.once('a')",
        "prod.seen == set()",
    ),
    "a counter": (
        """
        requests = 0
        def count():
            global requests
            requests += 1
        """,
        "prod.count()",
        "prod.requests == 0",
    ),
    "a counter on a class": (
        """
        class Field:
            creation_counter = 0
            def __init__(self):
                Field.creation_counter += 1
        """,
        "prod.Field()",
        "prod.Field.creation_counter == 0",
    ),
    "collections.Counter for metrics": (
        """
        from collections import Counter
        metrics = Counter()
        def hit(name): metrics[name] += 1
        """,
        "prod.hit('a')",
        "not prod.metrics",
    ),
    "a warn-once flag": (
        """
        warned = False
        def warn():
            global warned
            warned = True
        """,
        "prod.warn()",
        "not prod.warned",
    ),
    "a current user in a thread-local": (
        """
        import threading
        local = threading.local()
        def middleware(user): local.user = user
        """,
        "prod.middleware('ann')",
        "not hasattr(prod.local, 'user')",
    ),
    "a current tenant in a context variable": (
        """
        from contextvars import ContextVar
        tenant = ContextVar('tenant', default=None)
        def enter(name): tenant.set(name)
        """,
        "prod.enter('acme')",
        "prod.tenant.get() is None",
    ),
    "a frozen object that keeps a value": (
        """
        from dataclasses import dataclass
        from functools import cached_property
        @dataclass(frozen=True)
        class Config:
            name: str = 'x'
            @cached_property
            def url(self): return [self.name]
        config = Config()
        def use(): config.url.append('y')
        """,
        "prod.use()",
        "prod.config.url == ['x']",
    ),
    "feature flags that are loaded once": (
        """
        class Flags:
            loaded = False
            values = {}
            def load(self):
                self.loaded = True
                self.values['new'] = True
        flags = Flags()
        """,
        "prod.flags.load()",
        "not prod.flags.loaded and prod.flags.values == {}",
    ),
    "a token that is renewed": (
        """
        class Client:
            def __init__(self): self.token = 'old'
            def renew(self): self.token = 'new'
        client = Client()
        """,
        "prod.client.renew()",
        "prod.client.token == 'old'",
    ),
    "a shared executor": (
        """
        from concurrent.futures import ThreadPoolExecutor
        pool = ThreadPoolExecutor(1)
        def work(): return pool.submit(int).result()
        """,
        "assert prod.work() == 0",
        "prod.work() == 0",
    ),
    "a background consumer": (
        """
        import threading
        stop = threading.Event()
        def start(): threading.Thread(target=stop.wait, args=[5], daemon=True).start()
        """,
        "prod.start()",
        "prod.stop.set() is None",
    ),
    "a logger that is configured on first use": (
        """
        import logging
        def log():
            logger = logging.getLogger('audit')
            if not logger.handlers:
                logger.addHandler(logging.NullHandler())
            logger.propagate = False
        """,
        "prod.log()",
        "logging.getLogger('audit').propagate",
    ),
    "a logger of an imported name": (
        """
        import logging
        def log(): logging.getLogger('prod').setLevel('INFO')
        """,
        "prod.log()",
        "logging.getLogger('prod').level == 0",
    ),
    "an object that connects its own receiver": (
        """
        from django.core.signals import request_finished
        class Cache:
            def __init__(self): request_finished.connect(self.clear)
            def clear(self, **kwargs): pass
        cache = None
        def get():
            global cache
            cache = cache or Cache()
        """,
        "prod.get()",
        "True",
    ),
    "a library that inserts into sys.path": (
        """
        import os, sys
        def app(): sys.path.insert(0, os.getcwd())
        """,
        "prod.app()",
        "sys.path.count(os.getcwd()) < 2",
    ),
    "a package that replaces its module object": (
        """
        import sys, types
        class Lazy(types.ModuleType): pass
        def replace():
            sys.modules['shop'] = sys.modules['shop']
            sys.modules['lazy_prod'] = Lazy('lazy_prod')
        """,
        "prod.replace()",
        "True",
    ),
    "warnings that an import filters": (
        """
        import warnings
        def load(): warnings.filterwarnings('ignore', 'x')
        """,
        "prod.load()",
        "True",
    ),
    "a lazily imported plugin that registers": (
        """
        plugins = {}
        def load():
            import plugin_prod
        """,
        "prod.load()",
        "'a' in prod.plugins",
    ),
    "a client that is closed, and made again on demand": (
        """
        from io import StringIO
        client = StringIO()
        def get():
            global client
            if client is None:
                client = StringIO()
            return client
        def close():
            global client
            client.close()
            client = None
        """,
        "prod.close()",
        "not prod.get().closed",
    ),
    "a tracer that is stopped, and not made again": (
        """
        class Tracer: pass
        tracer = Tracer()
        def stop():
            global tracer
            tracer = None
        """,
        "prod.stop()",
        "prod.tracer",
    ),
    "a singleton that a fixture resets": (
        """
        class Registry:
            _instance = None
            @classmethod
            def get(cls):
                cls._instance = cls._instance or cls()
                return cls._instance
        first = Registry.get()
        """,
        "prod.Registry._instance = None",
        "prod.Registry.get() is not prod.first",
    ),
    "attributes saved and put back at once": (
        """
        class Config:
            limit = 100
        config = Config()
        config.limit = 50
        """,
        "saved = {**vars(prod.config)}; prod.config.limit = 1; prod.config.__dict__ = saved",
        "prod.config.limit == 50",
    ),
    "a strategy chosen at run time": (
        """
        def slow(): return 1
        def fast(): return 1
        strategy = slow
        def choose():
            global strategy
            strategy = fast
        """,
        "prod.choose()",
        "prod.strategy is prod.slow",
    ),
    "a default that is computed": (
        """
        from functools import lru_cache
        @lru_cache
        def limits(): return {'a': 1}
        """,
        "prod.limits()['b'] = 2",
        "prod.limits() == {'a': 1}",
    ),
    "a circuit breaker": (
        """
        class Breaker:
            failures = 0
            state = 'closed'
            def fail(self):
                self.failures += 1
                self.state = 'open'
        breaker = Breaker()
        """,
        "prod.breaker.fail()",
        "prod.breaker.state == 'closed'",
    ),
    "a nested registry": (
        """
        by_app = {'shop': {}}
        def add(name): by_app['shop'][name] = 1
        """,
        "prod.add('a')",
        "prod.by_app == {'shop': {}}",
    ),
    "an object that fills itself, in a file that sets the same name": (
        """
        class Api:
            defaults = {'page': 3}
            def __getattr__(self, name):
                if name not in self.defaults:
                    raise AttributeError(name)
                setattr(self, name, self.defaults[name])
                return self.defaults[name]
        api = Api()
        """,
        "assert prod.api.page == 3\nif not prod.api: prod.api.page = 4",
        "'page' not in vars(prod.api)",
    ),
    "an inherited method that a test put back": (
        """
        class Base:
            def allowed(self): return True
        class Admin(Base): pass
        """,
        "original = prod.Admin.allowed; prod.Admin.allowed = None; prod.Admin.allowed = original",
        "prod.Admin().allowed()",
    ),
    "a default in the environment": (
        """
        import os
        def client():
            os.environ.setdefault('LIBRARY_HOME', '/nowhere')
        def has_home():
            return 'LIBRARY_HOME' in os.environ
        """,
        "prod.client()",
        "not prod.has_home()",
    ),
    "a library that production patches, in a file that may change any name": (
        """
        import colorsys
        def ready():
            colorsys.hsv_to_rgb = lambda *color: color
        """,
        "exec('pass'); prod.ready()",
        "True",
    ),
    "a class that fills itself, in a file that sets the same name on an instance": (
        """
        class View:
            @classmethod
            def as_view(cls):
                cls.basename = None
        """,
        "view = prod.View(); view.basename = 'orders'; prod.View.as_view()",
        "not hasattr(prod.View, 'basename')",
    ),
    "a signal that production connects, in a file that connects another": (
        """
        from django.db.models.signals import post_save
        def later(**options): pass
        def start(): post_save.connect(later)
        """,
        "from django.core.signals import request_finished as r; r.disconnect(print); prod.start()",
        "True",
    ),
}


@pytest.mark.parametrize(("code", "polluter", "victim"), PATTERNS.values(), ids=PATTERNS)
def test_production_code_is_innocent(leaks, code, polluter, victim):
    files = {"prod": textwrap.dedent(code), "plugin_prod": "import prod\nprod.plugins['a'] = 1"}

    assert leaks(polluter, victim, head="import prod", files=files) == []


@pytest.mark.parametrize(
    "polluter",
    [
        "prod.cache['a'] = 1",
        "prod.cache.update(a=1)",
        "prod.client = object()",
        "setattr(prod, 'client', object())",
        "mock.patch.dict('prod.cache', a=1).start()",
        "prod.Api.timeout = 3",
        "del prod.client",
        "prod.config.__dict__ = {**vars(prod.config)}; prod.config.limit = 1",
        "prod.tracer = None",
    ],
)
def test_the_same_state_changed_by_a_test_is_named(leaks, polluter):
    """Each state of an innocent above, and the test's own hand in it."""
    code = """
        cache = {}
        client = None
        class Api:
            timeout = 5
        class Config: pass
        config = Config()
        config.limit = 50
        tracer = Config()
        """
    files = {"prod": textwrap.dedent(code)}

    (line,) = leaks(
        polluter,
        "prod.cache == {} and prod.client is None and prod.Api.timeout == 5 and prod.config.limit == 50 "
        "and prod.tracer",
        head="import prod",
        files=files,
    )

    assert line.startswith(("attributes:prod.", "patches:"))


RELOADED = """
import os

if "SALE" in os.environ:
    def price(): return 1
    class Rates:
        tax = 0
        def of(self): return self.tax
    registry = {}
else:
    def price(): return 2
    class Rates:
        tax = 19
        def of(self): return self.tax
    registry = {"a": 1}
"""


@pytest.mark.parametrize(
    ("last", "found"), [("", ["attributes:prod (reloaded)"]), ("importlib.reload(prod)", [])]
)
def test_a_reloaded_module_is_named_once(leaks, last, found):
    """A reload that ends with the module as it was is innocent, and its names are put back, too."""
    lines = leaks(
        f"monkeypatch.setenv('SALE', '1'); importlib.reload(prod); monkeypatch.undo(); {last}",
        "prod.price is price and prod.Rates is Rates and prod.registry == {'a': 1}",
        head="import importlib, prod; from prod import Rates, price",
        fixtures="monkeypatch",
        files={"prod": RELOADED},
    )

    assert [line.partition(": ")[0] for line in lines] == found


def test_to_thread_on_a_loop_of_the_module_is_innocent(project, run):
    project.makepyfile(
        """
        import asyncio
        import pytest

        pytestmark = pytest.mark.asyncio(loop_scope="module")

        async def test_one():
            await asyncio.to_thread(int)

        async def test_two():
            await asyncio.to_thread(int)
        """
    )

    run().assert_outcomes(passed=2)


def test_models_and_apps_of_a_test_are_innocent(leaks):
    """@isolate_apps and override_settings(INSTALLED_APPS=…) are Django's own means."""
    polluter = """
    from django.db import models
    from django.test.utils import isolate_apps
    with override_settings(INSTALLED_APPS=["django.contrib.contenttypes"]):
        pass
    with isolate_apps("django.contrib.auth"):
        class Thing(models.Model):
            class Meta:
                app_label = "auth"
    """

    assert leaks(polluter) == []


def test_files_of_tools_are_left_alone(leaks, tmp_path):
    """A tool's log outside of the project is not the test's, and must never be deleted."""
    log = "/var/tmp/hermetic-tool.log"
    polluter = f"Path({log!r}).write_text('x'); Path('.hypothesis').mkdir()"
    victim = f"Path({log!r}).exists() and Path('.hypothesis').exists()"

    assert leaks(polluter, f"({victim}, Path({log!r}).unlink())[0]") == []


# pytest-asyncio 1.3 asks for the thread's loop, which is made for it, and puts it back after the test.
ASYNCIO_1_3 = """
import asyncio, contextlib
import pytest_asyncio.plugin

@contextlib.contextmanager
def policy_and_loop(policy):
    loop = asyncio.new_event_loop()
    yield
    asyncio.set_event_loop(loop)

pytest_asyncio.plugin._temporary_event_loop_policy = policy_and_loop
"""


def test_a_loop_that_pytest_asyncio_keeps_is_not_the_first_async_tests(project, run):
    project.makeconftest(ASYNCIO_1_3)
    project.makepyfile(
        """
        import asyncio, pytest, socket

        pytestmark = pytest.mark.asyncio

        async def test_innocent():
            await asyncio.sleep(0)

        async def test_guilty():
            global left
            left = socket.socketpair()
        """
    )

    result = run("-W", "ignore::ResourceWarning")

    result.assert_outcomes(passed=2, errors=1)
    assert "ERROR test_a_loop_that_pytest_asyncio_keeps_is_not_the_first_async_tests.py::test_guilty" in str(
        result.stdout
    )


def test_a_call_of_monkeypatch_with_one_argument_costs_no_probe(leaks, run):
    """``delattr("module.name")`` is pytest's way to forbid a function; other leaks are still named."""
    head = "import prod\n\ndef no_requests(monkeypatch):\n    monkeypatch.delattr('prod.send')\n"
    files = {"prod": "def send(): pass\nmode = None"}

    (line,) = leaks("prod.mode = 'x'", "prod.mode is None", head=head, files=files)

    assert line.startswith("attributes:prod.mode (None → 'x')")
    assert "is off" not in str(run().stdout)


FILLED = """
from django.core.signals import setting_changed

class Api:
    defaults = {'PAGE': 3, 'HASHER': 'md5'}

    def __init__(self):
        self._cached = set()

    def __getattr__(self, name):
        if name not in self.defaults:
            raise AttributeError(name)
        self._cached.add(name)
        setattr(self, name, self.defaults[name])
        return self.defaults[name]

    def reload(self):
        for name in self._cached:
            delattr(self, name)
        self._cached.clear()

api = Api()
setting_changed.connect(lambda **kwargs: api.reload(), weak=False)
"""
EMPTIED = """
import prod
import pytest
from django.test import TestCase, override_settings

class Wrapper:
    def __setattr__(self, name, value):
        setattr(prod.api, name, value)
        prod.api._cached.add(name)

@pytest.fixture
def api():
    prod.api.reload()
    yield Wrapper()
    prod.api.reload()

@pytest.fixture(autouse=True)
def api_is_consistent():
    yield
    assert prod.api._cached == vars(prod.api).keys() - {'_cached'}

@pytest.mark.usefixtures('api')
class FilledInSetUp(TestCase):
    @classmethod
    def setUpTestData(cls):
        assert prod.api.HASHER == 'md5'

    def test_one(self):
        assert prod.api.PAGE == 3

    def test_two(self):
        assert prod.api.PAGE == 3

@pytest.mark.parametrize('page', [5, 6])
def test_another_page(api, page):
    api.PAGE = page
    assert prod.api.PAGE == page

@override_settings(LANGUAGE_CODE='de')
class FilledUnderOtherSettings(TestCase):
    @classmethod
    def setUpTestData(cls):
        assert prod.api.PAGE == 3

    def test_one(self):
        assert prod.api.PAGE == 3

def test_an_attribute_that_was_not_there():
    assert prod.api.PAGE == 3

def test_after_them(api):
    api.HASHER = 'sha'
"""


def test_settings_that_fill_themselves_and_are_emptied(project, run):
    """As those of django-oauth-toolkit, which its fixture and a receiver of ``setting_changed`` empty."""
    project.makepyfile(prod=FILLED, test_emptied=EMPTIED)

    run("-p", "no:randomly").assert_outcomes(passed=7)
