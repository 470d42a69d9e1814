"""Everything private of other packages that this layer uses, once, with the versions it was seen in.

Each function looks one thing up when it is called: a rename upstream costs the probe or fixture that
needs it, with a sentence, and not the start of pytest.
"""

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from importlib import import_module
from importlib.util import find_spec
from inspect import getattr_static
from types import ModuleType
from typing import Any, NoReturn, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Renamed(RuntimeError):
    """Something private is not where it was: a newer version of its package renamed it."""


private: list[Callable[..., Any]] = []


def seen_in(versions: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Register a function of this module, and give its lookup errors a sentence."""

    def register(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def look_up(*args: P.args, **kwargs: P.kwargs) -> T:
            try:
                return function(*args, **kwargs)
            except (AttributeError, ImportError) as error:
                raise Renamed(
                    f"{function.__name__} was seen in {versions} and is not here ({error}): "
                    "upgrade the testing layer, or pin that package to those versions."
                ) from error

        private.append(look_up)
        return look_up

    return register


@seen_in("Python 3.11 to 3.15")
def started_patches() -> list[Any]:
    """What ``mock.patch.stopall()`` goes through: the patches that ``start()`` started."""
    return import_module("unittest.mock")._patch._active_patches


@seen_in("Python 3.11 to 3.15")
def encoded_environ() -> dict[bytes, bytes]:
    """The environment as bytes: ``os.environ.copy()`` decodes every variable, which is slow."""
    return os.environ._data


@seen_in("Python 3.11 to 3.15")
def signal_handler() -> Callable[[int], Any]:
    """``signal.getsignal`` without the enum that it makes of each handler."""
    return import_module("_signal").getsignal


@seen_in("pytest 9.0 to 9.2")
def base_temporary_folder(config: Any) -> str:
    """The folder that holds every ``tmp_path`` of this run."""
    return str(config._tmp_path_factory.getbasetemp())


@seen_in("pytest 9.0 to 9.2")
def fixture_function(item: Any, name: str) -> Any:
    """The function behind the fixture that a test gets under that name, None when there is none."""
    definitions = item._fixtureinfo.name2fixturedefs.get(name)
    return definitions[-1].func if definitions else None


@seen_in("pytest-django 4.9 to 4.14")
def transaction_fixture() -> str:
    """The name of the fixture that opens a test's transaction and rolls it back."""
    return import_module("pytest_django.fixtures")._django_db_helper.__name__


@seen_in("pytest-django 4.9 to 4.14")
def django_db_options(mark: Any) -> tuple[Any, ...]:
    """The arguments of a ``django_db`` mark: (transaction, reset_sequences, databases, …)."""
    return import_module("pytest_django.fixtures").validate_django_db(mark)


@seen_in("asgiref 3.8 to 3.13")
def thread_sensitive_executor() -> Any:
    """The executor of one thread in which asgiref runs thread-sensitive work."""
    return import_module("asgiref.sync").SyncToAsync.single_thread_executor


@seen_in("asgiref 3.8 to 3.13")
def async_to_sync_code() -> Any:
    """The code object of ``async_to_sync``'s call, whose frames hold an executor."""
    return import_module("asgiref.sync").AsyncToSync.__call__.__code__


@seen_in("Django 4.2 to 6.1")
def connection_storage() -> Any:
    """Where ``connections`` keeps those of each thread: the attribute ``_connections``."""
    return import_module("django.db").connections._connections


@seen_in("Django 5.2 to 6.1")
def thread_of(connection: Any) -> int:
    """The ident of the thread that made a connection."""
    return connection._thread_ident


@seen_in("Django 4.2 to 6.1")
def mark_of_a_test() -> str:
    """The attribute of an ``atomic()`` that is a test's: a durable one may begin inside."""
    getattr(import_module("django.db.transaction").atomic(), "_from_testcase")  # noqa: B009
    return "_from_testcase"


@seen_in("Django 4.2 to 6.1")
def server_cursor(connection: Any) -> Any:
    """A cursor on the server, but on none of the project's databases: test databases are made with it."""
    return connection.creation._nodb_cursor()


@seen_in("Django 4.2 to 6.1")
def committing_case_hooks() -> dict[str, Any]:
    """How a TransactionTestCase leaves its databases and begins numbering anew, as its class has it."""
    case = import_module("django.test").TransactionTestCase
    return {
        name: getattr_static(case, name)
        for name in ("_fixture_setup", "_fixture_teardown", "_reset_sequences")
    }


@seen_in("Django 4.2 to 6.1")
def databases_of(case: Any) -> list[str]:
    """The databases that a TransactionTestCase may write to."""
    return case._databases_names(include_mirrors=False)


@seen_in("Django 4.2 to 6.1")
def keep_connections(case: Any) -> None:
    """Have a TransactionTestCase leave the connections open after its test."""
    case._should_reload_connections = lambda: False


@seen_in("Django 5.2 to 6.1")
def asgi_thread_switches() -> list[tuple[Any, str]]:
    """Where Django's request handlers choose a thread: one for each request, and for error pages."""
    handlers = "django.core.handlers"
    places = [("asgi", "ThreadSensitiveContext"), ("exception", "sync_to_async")]
    places += [("base", "sync_to_async")]
    found = [(import_module(f"{handlers}.{module}"), name) for module, name in places]
    for module, name in found:
        getattr(module, name)
    return found


@seen_in("Django 5.2 to 6.1")
def stored_files(storage: Any) -> dict[str, Any]:
    """The files of an InMemoryStorage; ``listdir()`` takes ten times as long to find none."""
    return storage._root._children


@seen_in("Django 5.2 to 6.1")
def files_of_folder(node: Any) -> dict[str, Any] | None:
    """What a folder of an InMemoryStorage holds; None of anything else."""
    return getattr(node, "_children", None)


@seen_in("Django 5.2 to 6.1")
def memory_caches() -> list[dict[str, Any]]:
    """What all caches of the backend LocMemCache hold, whichever instance filled them, and until when."""
    backend = import_module("django.core.cache.backends.locmem")
    return [*backend._caches.values(), *backend._expire_info.values()]


@seen_in("Django 5.2 to 6.1")
def settings_object() -> Any:
    """The object that ``settings`` reads from; ``override_settings`` puts another in its place."""
    return import_module("django.conf").settings._wrapped


@seen_in("Django 5.2 to 6.1")
def deleted_settings(holder: Any) -> set[str]:
    """The names that were deleted inside of ``override_settings``, which answers none of them."""
    found: set[str] = holder._deleted
    return found


@seen_in("Django 5.2 to 6.1")
def set_settings_object(value: Any) -> None:
    """Put back the object that ``settings`` reads from, and forget the values it has cached."""
    settings = import_module("django.conf").settings
    settings._wrapped = value
    settings.__dict__.clear()
    settings.__dict__["_wrapped"] = value


@seen_in("Django 5.2 to 6.1")
def clear_class_lookups(cls: Any) -> None:
    """Forget which look-ups a field and its subclasses have: they are cached."""
    cls._clear_cached_class_lookups()


@seen_in("freezegun 1.5")
def frozen_clocks() -> list[Any]:
    """The clocks that freezegun has frozen, last one last."""
    return import_module("freezegun.api").freeze_factories


@seen_in("freezegun 1.5")
def stop_freezegun() -> None:
    """Stop the clock that was frozen last: often its freezer is gone, since only its factory is kept.

    So a new freezer does it, which looks for each fake in all modules.
    """
    api = vars(import_module("freezegun.api"))
    reals = {name: f"real_{name.removeprefix('fake_')}" for name in api if name.startswith("fake_")}
    reals |= {"FakeDate": "real_date", "FakeDatetime": "real_datetime"}
    reals = {fake: real for fake, real in reals.items() if real in api}
    freezer = api["freeze_time"]("2020-01-01")
    freezer.fake_names = tuple(reals)
    freezer.reals = {id(api[fake]): api[real] for fake, real in reals.items()}
    freezer.stop()


@seen_in("Celery 5.5 to 5.7")
def celery_shared_tasks() -> set[Any]:
    """What ``shared_task`` keeps for each app that is made later."""
    return import_module("celery._state")._on_app_finalizers


@seen_in("Celery 5.5 to 5.7")
def celery_apps() -> Iterable[Any]:
    """Every living app: ``shared_task`` registers a task in each at once."""
    return import_module("celery._state")._get_active_apps()


@seen_in("Celery 5.5 to 5.7")
def celery_current_app() -> Any:
    """The current app itself, not the proxy."""
    return import_module("celery").current_app._get_current_object()


@seen_in("Celery 5.5 to 5.7")
def celery_memory_results() -> dict[str, Any]:
    """Where the backend ``cache+memory://`` keeps all results of the process."""
    return import_module("celery.backends.cache")._DUMMY_CLIENT_CACHE


@seen_in("Channels 4.2 to 4.3")
def websocket_communicator() -> Any:
    """The class of ``channels.testing``, which imports daphne for ChannelsLiveServerTestCase alone."""

    def missing(*args: Any, **options: Any) -> NoReturn:
        raise RuntimeError("ChannelsLiveServerTestCase needs daphne: uv add --group test daphne")

    if find_spec("daphne"):
        return import_module("channels.testing").WebsocketCommunicator
    sys.modules["daphne.testing"] = stub = ModuleType("daphne.testing")
    stub.DaphneProcess = missing
    try:
        return import_module("channels.testing").WebsocketCommunicator
    finally:
        del sys.modules["daphne.testing"]


@seen_in("Procrastinate 3.5 to 3.10")
def procrastinate_thread_switch() -> tuple[Any, str]:
    """Where a worker chooses the thread of a sync task."""
    utils = import_module("procrastinate.utils")
    getattr(utils, "sync_to_async")  # noqa: B009, a rename is noticed here.
    return utils, "sync_to_async"


@seen_in("Procrastinate 3.5 to 3.10")
def readable_django_connector(connector: Any, decode: Callable[[str], Any]) -> Any:
    """A DjangoConnector through which a worker can read jobs, where jsonb arrives as text."""
    base = type(connector)
    fetch = base._dictfetch

    class Readable(base):
        def _dictfetch(self, cursor: Any) -> Iterable[dict[str, Any]]:
            for row in fetch(self, cursor):
                if isinstance(row.get("args"), str):
                    row["args"] = decode(row["args"])
                yield row

    return Readable(connector.alias)


@seen_in("pytest-django 4.9 to 4.14")
def database_blocker(config: Any) -> Any:
    """What the fixture ``django_db_blocker`` returns."""
    return config.stash[import_module("pytest_django.plugin").blocking_manager_key]
