"""Ways for a test to end, each with and without a leak; run by test_failure_paths.py of the template.

The docstring of each test says what pytest must report of it, for each of its parameters; ``leaks`` where
the guard must name the environment variable that it leaves.
"""

import asyncio
import os
import time
import unittest

import pytest
from django.test import TestCase
from django.utils import translation


@pytest.fixture(autouse=True)
def nobody_suffers():
    assert not [name for name in os.environ if name.startswith("LEAK")]


def leak():
    os.environ["LEAK"] = "left"


@pytest.fixture
def leaking():
    leak()


@pytest.fixture
def leaking_then_broken():
    leak()
    raise ValueError("set-up")


@pytest.fixture
def broken(tidy_async):
    raise ValueError("set-up")


@pytest.fixture
def broken_after_tidying(monkeypatch):
    monkeypatch.setenv("LEAK", "put back")
    yield
    raise ValueError("teardown")


@pytest.fixture
def broken_before_tidying():
    leak()
    yield
    raise ValueError("teardown")


@pytest.fixture
def leaking_in_teardown():
    yield
    leak()


@pytest.fixture
async def leaking_async():
    leak()
    yield


@pytest.fixture
async def tidy_async():
    leak()
    yield
    del os.environ["LEAK"]


def held(scope):
    @pytest.fixture(scope=scope, name=f"held_by_{scope}", params=["one", "two"])
    def fixture(request):
        os.environ[f"HELD_BY_{scope}"] = request.param
        yield
        del os.environ[f"HELD_BY_{scope}"]

    return fixture


held_by_class, held_by_module, held_by_session = map(held, ("class", "module", "session"))


def test_fails():
    """failed, leaks"""
    leak()
    raise AssertionError


def test_fails_tidily(monkeypatch):
    """failed"""
    monkeypatch.setenv("LEAK", "put back")
    raise AssertionError


def test_set_up_fails(leaking_then_broken):
    """error, leaks"""


def test_set_up_leaks(leaking):
    """passed, leaks"""


def test_set_up_of_another_fixture_fails(tidy_async, broken):
    """error"""


def test_skips():
    """skipped, leaks"""
    leak()
    pytest.skip("after the leak")


@pytest.mark.skip(reason="before anything")
def test_is_skipped(leaking):
    """skipped"""


@pytest.mark.timeout(1, method="signal")
def test_times_out():
    """failed, leaks"""
    leak()
    time.sleep(60)


@pytest.mark.timeout(1, method="signal")
def test_times_out_tidily(monkeypatch):
    """failed"""
    monkeypatch.setenv("LEAK", "put back")
    time.sleep(60)


@pytest.mark.timeout(1, method="signal")
async def test_times_out_async(tidy_async):
    """failed"""
    await asyncio.sleep(60)


def test_teardown_fails(broken_before_tidying):
    """passed, error, leaks"""


def test_teardown_fails_tidily(broken_after_tidying):
    """passed, error"""


def test_teardown_leaks(leaking_in_teardown):
    """passed, leaks"""


@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure():
    """xfailed, leaks"""
    leak()
    raise AssertionError


@pytest.mark.xfail(reason="known", strict=True)
def test_expected_failure_tidily(monkeypatch):
    """xfailed"""
    monkeypatch.setenv("LEAK", "put back")
    raise AssertionError


@pytest.mark.xfail(reason="known", strict=False)
def test_unexpected_success():
    """xpassed, leaks"""
    leak()


async def test_async_fails(leaking_async):
    """failed, leaks"""
    raise AssertionError


async def test_async_is_cancelled(tidy_async):
    """failed"""
    asyncio.current_task().cancel()
    await asyncio.sleep(1)


def test_subtests(subtests):
    """passed, failed, leaks"""
    with subtests.test("leaks"):
        leak()
    with subtests.test("fails"):
        raise AssertionError


class TestClassScope:
    @classmethod
    def setup_class(cls):
        os.environ["BY_SETUP_CLASS"] = "held"

    @classmethod
    def teardown_class(cls):
        del os.environ["BY_SETUP_CLASS"]

    def setup_method(self):
        os.environ["BY_SETUP_METHOD"] = "held"

    def teardown_method(self):
        del os.environ["BY_SETUP_METHOD"]

    def test_nothing(self):
        """passed"""

    def test_uses(self, held_by_class):
        """passed"""

    def test_leaks(self, held_by_class):
        """passed, leaks"""
        leak()


def test_module_scope(held_by_module):
    """passed"""


def test_session_scope(held_by_session):
    """passed"""


def test_module_scope_leaks(held_by_module):
    """passed, leaks"""
    leak()


@pytest.fixture(scope="module")
def german():
    with translation.override("de"):
        yield


@pytest.mark.parametrize("turn", ["first", "second"])
def test_language_of_the_module(german, turn):
    """passed"""
    assert translation.get_language() == "de"


@pytest.fixture(scope="module")
def asked_for_late():
    os.environ["LATE"] = "held"
    yield
    del os.environ["LATE"]


def test_asks_late(request):
    """passed"""
    request.getfixturevalue("asked_for_late")


def test_leaks_and_asks_late(request):
    """passed, leaks"""
    leak()
    request.getfixturevalue("asked_for_late")


class TestCases(TestCase):
    @classmethod
    def setUpTestData(cls):
        os.environ["BY_TEST_DATA"] = "held"
        cls.addClassCleanup(os.environ.pop, "BY_TEST_DATA")

    def setUp(self):
        os.environ["BY_SETUP"] = "held"
        self.addCleanup(os.environ.pop, "BY_SETUP")

    def test_nothing(self):
        """passed"""

    async def test_async(self):
        """passed, leaks"""
        leak()

    def test_leaks(self):
        """passed, leaks"""
        leak()

    def test_fails(self):
        """failed, leaks"""
        leak()
        self.fail()

    def test_skips(self):
        """skipped, leaks"""
        leak()
        self.skipTest("after the leak")

    @unittest.expectedFailure
    def test_expected_failure(self):
        """xfailed, leaks"""
        leak()
        self.fail()

    def test_subtests(self):
        """passed, failed, leaks"""
        with self.subTest("leaks"):
            leak()
        with self.subTest("fails"):
            self.fail()


class TestWithoutDatabase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.environ["BY_SET_UP_CLASS"] = "held"

    @classmethod
    def tearDownClass(cls):
        del os.environ["BY_SET_UP_CLASS"]

    def test_nothing(self):
        """passed"""

    def test_leaks(self):
        """passed, leaks"""
        leak()


class TestAsyncCase(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self):
        os.environ["BY_ASYNC_SETUP"] = "held"

    async def asyncTearDown(self):
        del os.environ["BY_ASYNC_SETUP"]

    async def test_nothing(self):
        """passed"""

    async def test_leaks(self):
        """passed, leaks"""
        leak()
