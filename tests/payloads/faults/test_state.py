import unittest
import urllib.parse
import uuid
from unittest import mock

import django.http
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core import mail
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.signals import request_finished
from django.db.models.signals import post_save
from django.test import TestCase, override_settings
from django.urls import clear_script_prefix, get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from . import shop
from .verdicts import reported, reset

COUNT = 0
ATTRIBUTES = "attributes:"


@reported("attributes:settings.PAGE_SIZE")
class TestSettingAdded:
    def test_polluter(self):
        settings.PAGE_SIZE = 5

    def test_victim(self):
        assert not hasattr(settings, "PAGE_SIZE")

    def test_innocent(self, settings):
        settings.PAGE_SIZE = 5


@reported("attributes:settings.LANGUAGE_CODE")
class TestSettingAssigned:
    def test_polluter(self):
        settings.LANGUAGE_CODE = "de"

    def test_victim(self):
        assert settings.LANGUAGE_CODE == "en-us"

    def test_innocent(self):
        with override_settings(LANGUAGE_CODE="de"):
            assert settings.LANGUAGE_CODE == "de"


@reported("attributes:settings.ALLOWED_HOSTS")
class TestSettingMutated:
    def test_polluter(self):
        settings.ALLOWED_HOSTS.append("evil.example")

    def test_victim(self):
        assert "evil.example" not in settings.ALLOWED_HOSTS

    def test_innocent(self, settings):
        settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "evil.example"]


@reported("attributes:settings.STORAGES")
class TestSettingMutatedDeep:
    def test_polluter(self):
        settings.STORAGES["default"]["OPTIONS"] = {"location": "x"}

    def test_victim(self):
        assert "OPTIONS" not in settings.STORAGES["default"]

    def test_innocent(self, settings):
        settings.STORAGES = {**settings.STORAGES, "extra": {"BACKEND": "x"}}


@reported("attributes:settings.DEFAULT_FROM_EMAIL")
class TestSettingDeleted:
    def test_polluter(self):
        del settings.DEFAULT_FROM_EMAIL

    def test_victim(self):
        assert settings.DEFAULT_FROM_EMAIL

    def test_innocent(self, settings):
        del settings.DEFAULT_FROM_EMAIL


@reported("attributes:settings.ROOT_URLCONF")
class TestUrlconfSetting:
    def test_polluter(self):
        settings.ROOT_URLCONF = "nowhere"

    def test_victim(self, client):
        assert client.get("/nothing-here/").status_code == 404

    def test_innocent(self, settings):
        settings.ROOT_URLCONF = "nowhere"


@reported("attributes:settings (overridden, not undone)")
class TestOverrideNotUndone:
    def test_polluter(self):
        override_settings(LANGUAGE_CODE="fr").enable()

    def test_victim(self):
        assert settings.LANGUAGE_CODE == "en-us"

    @override_settings(LANGUAGE_CODE="fr")
    def test_innocent(self):
        assert settings.LANGUAGE_CODE == "fr"


@reported("patches:tests.faults.shop.new_id")
class TestPatchNotStopped:
    def test_polluter(self):
        mock.patch.object(shop, "new_id", return_value="1").start()

    def test_victim(self):
        assert len(shop.new_id()) == 36

    def test_innocent(self):
        with mock.patch.object(shop, "new_id", return_value="1"):
            assert shop.new_id() == "1"


@reported("patches:")
class TestPatchedDictNotStopped:
    def test_polluter(self):
        mock.patch.dict(shop.REGISTRY, {"cash": 2}).start()

    def test_victim(self):
        assert shop.REGISTRY == {"card": 1}

    def test_innocent(self):
        with mock.patch.dict(shop.REGISTRY, {"cash": 2}):
            assert "cash" in shop.REGISTRY


@reported("shop.new_id")
class TestMonkeyPatchNotUndone:
    def test_polluter(self):
        pytest.MonkeyPatch().setattr(shop, "new_id", lambda: "1")

    def test_victim(self):
        assert len(shop.new_id()) == 36

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop, "new_id", lambda: "1")


@reported("attributes:uuid.uuid4")
class TestLibraryFunctionReplaced:
    def test_polluter(self):
        uuid.uuid4 = lambda: "1"

    def test_victim(self):
        assert len(shop.new_id()) == 36

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(uuid, "uuid4", lambda: "1")


@reported("attributes:django.http.request.QueryDict.urlencode")
class TestLibraryClassAttributeReplaced:
    def test_polluter(self):
        django.http.QueryDict.urlencode = lambda self: "spoilt"

    def test_victim(self):
        assert shop.query("a=1").urlencode() == "a=1"

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(django.http.QueryDict, "urlencode", lambda self: "spoilt")


@reported("attributes:urllib.parse.quote")
class TestStandardLibraryFunctionReplaced:
    def test_polluter(self):
        urllib.parse.quote = str

    def test_victim(self):
        assert urllib.parse.quote(" ") == "%20"

    def test_innocent(self, mocker=None):
        with mock.patch("urllib.parse.quote", str):
            assert urllib.parse.quote(" ") == " "


@reported("shop.Service.timeout")
class TestClassAttribute:
    def test_polluter(self):
        shop.Service.timeout = 99

    def test_victim(self):
        assert shop.Service.timeout == 5

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop.Service, "timeout", 99)


@reported("shop.Service.call")
class TestMethodReplaced:
    def test_polluter(self):
        shop.Service.call = lambda self: "fake"

    def test_victim(self):
        assert shop.Service().call() == "real"

    def test_innocent(self):
        with mock.patch.object(shop.Service, "call", lambda self: "fake"):
            assert shop.Service().call() == "fake"


@reported("shop.Service.handlers")
class TestClassLevelList:
    def test_polluter(self):
        shop.Service.handlers.append(1)

    def test_victim(self):
        assert shop.Service.handlers == []

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop.Service, "handlers", [1])


@reported("shop.Service.options")
class TestClassLevelDict:
    def test_polluter(self):
        shop.Service.options["retries"] = 9

    def test_victim(self):
        assert shop.Service.options == {"retries": 1}

    def test_innocent(self, monkeypatch):
        monkeypatch.setitem(shop.Service.options, "retries", 9)


@reset()
class TestSingleton:
    def test_polluter(self):
        shop.Service.instance().state = "spoilt"

    def test_victim(self):
        assert not hasattr(shop.Service.instance(), "state")

    def test_innocent(self):
        shop.Service.instance()


@reported("shop.clock.offset")
class TestModuleLevelInstance:
    def test_polluter(self):
        shop.clock.offset = 3600

    def test_victim(self):
        assert shop.clock.offset == 0

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop.clock, "offset", 3600)


@reported("shop.RATE")
class TestGlobalRebound:
    def test_polluter(self):
        shop.RATE = 0.5

    def test_victim(self):
        assert shop.RATE == 0.2

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop, "RATE", 0.5)


@reported("shop.DEBUG")
class TestGlobalAdded:
    def test_polluter(self):
        shop.DEBUG = True

    def test_victim(self):
        assert not hasattr(shop, "DEBUG")

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop, "DEBUG", True, raising=False)


@reported("shop.REGISTRY")
class TestModuleDict:
    def test_polluter(self):
        shop.REGISTRY["cash"] = 2

    def test_victim(self):
        assert shop.REGISTRY == {"card": 1}

    def test_innocent(self, monkeypatch):
        monkeypatch.setitem(shop.REGISTRY, "cash", 2)


@reported("shop.NESTED")
class TestNestedDict:
    def test_polluter(self):
        shop.NESTED["eu"]["de"] = 7

    def test_victim(self):
        assert shop.NESTED["eu"]["de"] == 19

    def test_innocent(self, monkeypatch):
        monkeypatch.setitem(shop.NESTED["eu"], "de", 7)


@reported("shop.PLUGINS")
class TestModuleList:
    def test_polluter(self):
        shop.PLUGINS.append("discount")

    def test_victim(self):
        assert shop.PLUGINS == ["tax"]

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop, "PLUGINS", ["tax", "discount"])


@reported("shop.FLAGS")
class TestModuleSet:
    def test_polluter(self):
        shop.FLAGS.clear()

    def test_victim(self):
        assert shop.FLAGS == {"new"}

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop, "FLAGS", set())


@reset()
class TestPrivateGlobal:
    def test_polluter(self):
        shop.client().__class__  # noqa: B018
        shop._client = "spoilt"

    def test_victim(self):
        assert shop.client() != "spoilt"

    def test_innocent(self):
        shop.client()


@reported("test_state.COUNT")
class TestTestModuleGlobal:
    def test_polluter(self):
        global COUNT
        COUNT += 1

    def test_victim(self):
        assert COUNT == 0

    def test_innocent(self):
        count = COUNT + 1
        assert count == 1


@reported("TestUnittestState.order_id")
class TestUnittestState(unittest.TestCase):
    def test_1_polluter(self):
        type(self).order_id = 7

    def test_2_victim(self):
        assert not hasattr(self, "order_id")

    def test_3_innocent(self):
        self.order_id_of_this_test = 7


@reported("shop.local.user")
class TestThreadLocal:
    def test_polluter(self):
        shop.local.user = "alice"

    def test_victim(self):
        assert not hasattr(shop.local, "user")

    def test_innocent(self, monkeypatch):
        monkeypatch.setattr(shop.local, "user", "alice", raising=False)


@reset()
class TestMemoised:
    def test_polluter(self):
        shop.expensive("a").append("spoilt")

    def test_victim(self):
        assert shop.expensive("a") == ["a"]

    def test_innocent(self):
        shop.expensive("b")


@reset()
class TestMemoisedMethod:
    def test_polluter(self):
        shop.Service.tariff("de").append("spoilt")

    def test_victim(self):
        assert shop.Service.tariff("de") == ["de"]

    def test_innocent(self):
        shop.Service.tariff("fr")


@reset()
class TestContextVariable:
    def test_polluter(self):
        shop.tenant.set("acme")

    def test_victim(self):
        assert shop.tenant.get() == "none"

    def test_innocent(self):
        token = shop.tenant.set("acme")
        shop.tenant.reset(token)


@reset()
class TestContextVariableOfFixture:
    @pytest.fixture
    def acme(self):
        shop.tenant.set("acme")

    def test_polluter(self, acme):
        assert shop.tenant.get() == "acme"

    def test_victim(self):
        assert shop.tenant.get() == "none"

    def test_innocent(self):
        token = shop.tenant.set("acme")
        shop.tenant.reset(token)


@reported("context:tests.faults.shop.request_id")
class TestContextVariableWithoutDefaultOfFixture:
    harmless = "it has no default, so the victim cannot be spared, nor judged"

    @pytest.fixture
    def first(self):
        shop.request_id.set(1)

    @pytest.fixture
    def tidy(self):
        token = shop.request_id.set(1)
        yield
        shop.request_id.reset(token)

    def test_polluter(self, first):
        assert shop.request_id.get() == 1

    def test_victim(self):
        """Spoilt: nothing can unset a variable without its token, so it is named only."""

    def test_innocent(self, tidy):
        assert shop.request_id.get() == 1


@reset()
class TestLanguageOfFixture:
    @pytest.fixture
    def german(self):
        translation.activate("de")

    def test_polluter(self, german):
        assert translation.get_language() == "de"

    def test_victim(self):
        assert translation.get_language() == "en-us"

    def test_innocent(self):
        with translation.override("de"):
            assert translation.get_language() == "de"


@reported("receivers:")
class TestReceiverLeft:
    def test_polluter(self):
        TestReceiverLeft.kept = lambda **kwargs: kwargs["seen"].append("polluter")
        shop.order_paid.connect(self.kept, weak=False)

    def test_victim(self):
        seen = []
        shop.order_paid.send(None, seen=seen)
        assert seen == ["paid"]

    def test_innocent(self):
        def receiver(**kwargs):
            pass

        shop.order_paid.connect(receiver)
        shop.order_paid.disconnect(receiver)


@reported("receivers:")
class TestReceiverOfDjangoSignal:
    def test_polluter(self):
        post_save.connect(print, weak=False, dispatch_uid="fault")

    def test_victim(self):
        assert not post_save.disconnect(dispatch_uid="fault")

    def test_innocent(self):
        post_save.connect(print, weak=False, dispatch_uid="fault")
        post_save.disconnect(dispatch_uid="fault")


@reported("receivers:")
class TestReceiverRemoved:
    def test_polluter(self):
        shop.order_paid.disconnect(shop.on_paid)

    def test_victim(self):
        seen = []
        shop.order_paid.send(None, seen=seen)
        assert seen == ["paid"]

    def test_innocent(self):
        shop.order_paid.disconnect(shop.on_paid)
        shop.order_paid.connect(shop.on_paid)


@reported("receivers:")
class TestReceiverOfRequests:
    def test_polluter(self):
        request_finished.connect(shop.on_paid)

    def test_victim(self, client):
        assert client.get("/nothing-here/").status_code == 404

    def test_innocent(self):
        request_finished.connect(shop.on_paid)
        request_finished.disconnect(shop.on_paid)


@reset()
class TestCache:
    def test_polluter(self):
        cache.set("key", 1, 300)

    def test_victim(self):
        assert cache.get("key") is None

    def test_innocent(self):
        cache.set("key", 1)
        cache.clear()


@reset()
class TestLanguage:
    def test_polluter(self):
        translation.activate("de")

    def test_victim(self):
        assert translation.get_language() == "en-us"

    def test_innocent(self):
        with translation.override("de"):
            assert translation.get_language() == "de"


@reset()
class TestLanguageOff:
    def test_polluter(self):
        translation.deactivate_all()

    def test_victim(self):
        assert translation.get_language() == "en-us"

    def test_innocent(self):
        with translation.override(None):
            assert translation.get_language() is None


@reset()
class TestTimeZone:
    def test_polluter(self):
        timezone.activate("Asia/Tokyo")

    def test_victim(self):
        assert timezone.get_current_timezone_name() == "UTC"

    def test_innocent(self):
        with timezone.override("Asia/Tokyo"):
            assert timezone.get_current_timezone_name() == "Asia/Tokyo"


@reset()
class TestUrlconf:
    def test_polluter(self):
        set_urlconf("nowhere")

    def test_victim(self):
        assert get_urlconf() is None

    def test_innocent(self):
        set_urlconf("nowhere")
        set_urlconf(None)


@reset()
class TestScriptPrefix:
    def test_polluter(self):
        set_script_prefix("/shop/")

    def test_victim(self):
        assert get_script_prefix() == "/"

    def test_innocent(self):
        set_script_prefix("/shop/")
        clear_script_prefix()


@reset()
@pytest.mark.django_db
class TestContentTypeCache:
    def test_polluter(self):
        ContentType.objects.get_for_model(apps.get_model("users.User"))

    def test_victim(self, django_assert_num_queries):
        with django_assert_num_queries(1):
            ContentType.objects.get_for_model(apps.get_model("users.User"))

    def test_innocent(self):
        ContentType.objects.get_for_model(apps.get_model("users.User"))
        ContentType.objects.clear_cache()


@reset()
class TestOutbox:
    harmless_without_the_guard = "pytest-django empties it"

    def test_polluter(self):
        mail.send_mail("subject", "text", "a@example.com", ["b@example.com"])
        assert len(mail.outbox) == 1

    def test_victim(self):
        assert mail.outbox == []

    def test_innocent(self, mailoutbox):
        assert mailoutbox == []


@reset()
class TestStoredFile:
    def test_polluter(self):
        default_storage.save("folder/invoice.txt", ContentFile(b"x"))

    def test_victim(self):
        assert default_storage.listdir("") == ([], [])

    def test_innocent(self):
        default_storage.delete(default_storage.save("invoice.txt", ContentFile(b"x")))


@reported("TestDjangoCase.total")
class TestDjangoCase(TestCase):
    @classmethod
    def setUpTestData(cls):
        cls.kept_by_the_class = [1]

    def test_1_polluter(self):
        type(self).total = 7

    def test_2_victim(self):
        assert not hasattr(self, "total")

    def test_3_innocent(self):
        self.kept_by_the_class.append(2)  # Django gives each test a copy.
