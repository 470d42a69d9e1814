"""The promises, proved in this very project: any order, any seed, and each test finds a clean process.

Template file: write your tests beside it, and their fixtures in conftest.py.
Each test runs twice. It first looks for what its twin leaves behind, then leaves it: whichever comes
second is the victim. A leak that would fail a test is tolerated here by ``@pytest.mark.leaks``, which
puts it back all the same; the last test shows that such a leak fails by name.
"""

import logging
import os
import random
import socket
import subprocess
import sys
import tempfile
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from unittest import mock

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core import mail
from django.core.cache import cache as django_cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.signals import request_finished
from django.urls import get_urlconf, set_urlconf
from django.utils import timezone, translation

from acme_shop import celery_app

twice = pytest.mark.parametrize("twin", ["one", "other"])
tenant: ContextVar[str] = ContextVar("tenant", default="nobody")
REGISTRY: dict[str, int] = {}


@cache
def memo() -> list[str]:
    return []


def test_the_testing_layer_is_on(pytestconfig):
    """A pytest.ini replaces [tool.pytest] of pyproject.toml, and `-p no:…` or an option a part of it."""
    on = pytestconfig.pluginmanager.has_plugin
    parts = ["clients", "development", "guard", "report", "restore"]
    parts += ["rollback", "seeds", "tasks"]
    parts.append("celery")
    parts.append("channels")
    parts.append("procrastinate")
    names = [f"hermetic-{part}" for part in parts]
    off = [name for name in names if not on(name)]
    assert not off, f"{off} are off: see [tool.pytest] in pyproject.toml"
    assert pytestconfig.getoption("--disable-socket"), "the network is open: add --disable-socket"


@twice
@pytest.mark.django_db
class TestRowsRollBack:
    def test_sync(self, twin):
        assert not get_user_model().objects.exists()
        get_user_model().objects.create(username="leak")

    async def test_async(self, twin):
        assert not await get_user_model().objects.aexists()
        await get_user_model().objects.acreate(username="leak")

    async def test_sync_to_async(self, twin):
        assert not await get_user_model().objects.aexists()
        await sync_to_async(get_user_model().objects.create)(username="leak")

    async def test_another_thread_is_refused(self, twin):
        with pytest.raises(RuntimeError, match="not rolled back with the test"):
            await sync_to_async(get_user_model().objects.count, thread_sensitive=False)()


@twice
@pytest.mark.django_db(transaction=True)
async def test_committed_rows_are_undone(twin):
    assert not await get_user_model().objects.aexists()
    await get_user_model().objects.acreate(username="leak")


@twice
class TestWhatProductionLeavesIsReset:
    def test_cache(self, twin):
        assert django_cache.get("leak") is None
        django_cache.set("leak", twin)

    def test_language(self, twin):
        assert translation.get_language() == settings.LANGUAGE_CODE
        translation.activate("de")

    def test_time_zone(self, twin):
        assert timezone.get_current_timezone_name() == settings.TIME_ZONE
        timezone.activate("Asia/Tokyo")

    def test_urlconf(self, twin):
        assert get_urlconf() is None
        set_urlconf("nowhere")

    def test_context_variable(self, twin):
        assert tenant.get() == "nobody"
        tenant.set(twin)

    def test_memoised_function(self, twin):
        assert memo() == []
        memo().append(twin)

    def test_mail(self, twin):
        assert mail.outbox == []
        mail.send_mail("leak", "text", "from@example.com", ["to@example.com"])

    def test_stored_file(self, twin):
        assert default_storage.listdir("") == ([], [])
        default_storage.save("leak.txt", ContentFile(b"leak"))

    @pytest.mark.skipif(
        "not config.pluginmanager.has_plugin('randomly')", reason="pytest-randomly resets them"
    )
    def test_random_numbers(self, twin):
        assert random.random() != random.Random(1).random()
        random.seed(1)

    async def test_channel_layer(self, twin):
        layer = get_channel_layer()
        assert not layer.groups
        await layer.group_add("leak", "channel")
        await layer.send("channel", {"type": "leak"})


@twice
class TestWhatOnlyATestLeavesIsPutBack:
    @pytest.mark.leaks("environ:LEAK")
    def test_environment(self, twin):
        assert "LEAK" not in os.environ
        os.environ["LEAK"] = twin

    @pytest.mark.leaks("process:cwd")
    def test_working_directory(self, twin, tmp_path):
        assert Path("manage.py").exists()
        os.chdir(tmp_path)

    @pytest.mark.leaks("loggers:leak")
    def test_logger(self, twin):
        assert logging.getLogger("leak").level == logging.NOTSET
        logging.getLogger("leak").setLevel(logging.CRITICAL)

    @pytest.mark.leaks("attributes:settings.LANGUAGE_CODE")
    def test_setting(self, twin):
        assert settings.LANGUAGE_CODE != "leak"
        settings.LANGUAGE_CODE = "leak"

    @pytest.mark.leaks("attributes:*.REGISTRY")
    def test_module(self, twin):
        assert REGISTRY == {}
        REGISTRY[twin] = 1

    @pytest.mark.leaks("patches:*")
    def test_patch(self, twin):
        assert os.getcwd() != "leak"
        mock.patch("os.getcwd", return_value="leak").start()

    @pytest.mark.leaks("receivers:*")
    def test_signal_receiver(self, twin):
        assert not request_finished.disconnect(dispatch_uid="leak")
        request_finished.connect(print, weak=False, dispatch_uid="leak")

    @pytest.mark.leaks("files:*")
    def test_file(self, twin):
        leak = Path(tempfile.gettempdir(), f"leak-{os.getpid()}")
        assert not leak.exists()
        leak.write_text(twin)


class TestNothingReachesOutside:
    @pytest.mark.filterwarnings("ignore:A test tried to use socket")  # Also under -W error.
    def test_the_network_is_blocked(self):
        with pytest.raises(RuntimeError, match="A test tried to"):
            socket.create_connection(("192.0.2.1", 80), timeout=1)

    def test_host_names_are_not_looked_up(self):
        with pytest.raises(RuntimeError, match="A test tried to resolve"):
            socket.getaddrinfo("payments.example.com", 443)

    def test_settings_are_isolated(self):
        assert settings.DISABLE_AUTO_WORKER_SPAWN
        assert not settings.DEBUG
        assert all("locmem" in one["BACKEND"] for one in settings.CACHES.values())
        assert settings.STORAGES["default"]["BACKEND"].endswith(".InMemoryStorage")
        assert settings.PASSWORD_HASHERS[0].endswith(".MD5PasswordHasher")
        assert settings.CELERY_TASK_ALWAYS_EAGER
        assert settings.CELERY_TASK_EAGER_PROPAGATES
        assert celery_app.conf.broker_read_url == celery_app.conf.broker_write_url == "memory://"
        assert celery_app.conf.result_backend == "cache+memory://"
        assert "InMemory" in settings.CHANNEL_LAYERS["default"]["BACKEND"]


def test_a_leak_fails_by_name(tmp_path, pytestconfig):
    """In a separate run, with this project's configuration."""
    polluter = tmp_path / "test_polluter.py"
    polluter.write_text("import os\n\ndef test_polluter():\n    os.environ['LEAK'] = 'yes'\n")
    options = ["-q", "-c", "pyproject.toml", "--rootdir=.", "-p", "no:cacheprovider"]

    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(polluter)],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "1 passed, 1 error" in run.stdout
    assert "1 leak: environ:LEAK (unset → 'yes'): use monkeypatch.setenv()" in run.stdout
