"""Generated projects as production runs them: real PostgreSQL, brokers, workers and ASGI server; no mocks.

What starts them is what compose.yml and the Dockerfile say, but for the ports and names of this test.

DATABASE_URL, REDIS_URL and CELERY_BROKER_URL (for RabbitMQ) name the servers, by default those of this
machine. Each test has a database, a queue and a key prefix of its own, removed afterwards.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
import uuid
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import pytest
import shapes
import yaml
from processes import free_port, listening, wait_until
from proxy import Proxy

POSTGRESQL = os.environ.get("DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
RABBITMQ = os.environ.get("CELERY_BROKER_URL", "amqp://guest:guest@127.0.0.1:5672//")
QUEUES = {
    "redis": {"use_celery": True},
    "rabbitmq": {"use_celery": True, "celery_broker": "rabbitmq"},
    "procrastinate": {"use_procrastinate": True},
}
# In the project's own settings: what keeps a test apart from other users of the same server, and short.
SETTINGS = """
import os

CELERY_TASK_DEFAULT_QUEUE = os.environ["PREFIX"]
if os.environ.get("CELERY_BROKER_URL", "").startswith("redis"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        **CELERY_BROKER_TRANSPORT_OPTIONS, "global_keyprefix": os.environ["PREFIX"]
    }
for entry in vars().get("CELERY_BEAT_SCHEDULE", {}).values():
    entry |= {"schedule": 1, "kwargs": {"minutes": 0}}
PROCRASTINATE_WORKER_DEFAULTS = {"update_heartbeat_interval": 0.5, "stalled_worker_timeout": 2}
"""
DATABASE = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    connection.execute(sys.argv[2])
"""
# Holds the row of an order, so that the worker stops in the middle of its task; then says so.
LOCK = """
import sys, time, psycopg
with psycopg.connect(sys.argv[1]) as holder, psycopg.connect(sys.argv[1], autocommit=True) as watcher:
    holder.execute("SELECT FROM orders_order WHERE id = %s FOR UPDATE", [sys.argv[2]])
    print("held", flush=True)
    waiting = '''
        SELECT true FROM pg_locks JOIN pg_stat_activity USING (pid)
        WHERE NOT granted AND datname = current_database()
    '''
    end = time.monotonic() + 60
    while not watcher.execute(waiting).fetchone():
        assert time.monotonic() < end, "no worker came"
        time.sleep(0.02)
    print("a worker waits", flush=True)
    sys.stdin.read()
"""
# A page that is open: prints what its websocket receives, or that it was refused.
WATCH = """
import asyncio, sys, websockets

async def watch():
    cookie = {"Cookie": sys.argv[3], "X-Forwarded-Proto": "https"}
    try:
        async with websockets.connect(sys.argv[1], origin=sys.argv[2], additional_headers=cookie) as page:
            print("connected", flush=True)
            async for message in page:
                print(message, flush=True)
    except websockets.InvalidStatus as refused:
        print("refused", refused.response.status_code, flush=True)

asyncio.run(watch())
"""
CLEAN = """
import sys, redis
client = redis.Redis.from_url(sys.argv[1])
for key in client.scan_iter(sys.argv[2] + "*"):
    client.delete(key)
"""


class KeepRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args, **options):
        return None


class Site:
    """A generated project in production: its processes, and one browser behind its TLS proxy."""

    def __init__(self, project: shapes.Project, logs: Path):
        self.project, self.logs = project, logs
        self.processes: dict[str, subprocess.Popen] = {}
        self.port = free_port()
        self.opener = build_opener(KeepRedirects)
        self.cookies: dict[str, str] = {}
        self.compose = yaml.safe_load((project.path / "compose.yml").read_text())["services"]

    def start(self, name: str, *command: str, ready: str) -> None:
        """Run a process, in a group of its own, until its log says that it is ready."""
        log = self.logs / f"{name}.log"
        position = log.stat().st_size if log.exists() else 0
        with log.open("a") as file, log.with_suffix(".stderr").open("a") as errors:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.project.path,
                env=self.project.environ(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=errors,
                start_new_session=True,
            )
        wait_until(
            lambda: ready in log.read_text()[position:] or self.processes[name].poll() is not None,
            f"{name} is not ready",
        )
        assert self.processes[name].poll() is None, self.log(name)

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, how)
        process.wait(30)

    def log(self, name: str) -> str:
        return "".join((self.logs / f"{name}.{kind}").read_text() for kind in ("log", "stderr"))

    def serve(self) -> None:
        (command,) = re.findall("(?m)^CMD (.*)", (self.project.path / "Dockerfile").read_text())
        command = [str(self.port) if word == "8000" else word for word in json.loads(command)]
        self.start("server", *command, ready="Uvicorn running on")

    def work(self, queue: str) -> None:
        if queue == "procrastinate":
            self.start("worker", *self.command("procrastinate"), ready="Starting worker on")
        else:
            own = ["--concurrency", "1", "-n", f"celery@{self.project.env['PREFIX']}"]
            self.start("worker", *self.command("worker"), *own, ready=" ready.")

    def beat(self) -> None:
        """Celery's clock, which here comes round each second."""
        *command, schedule = self.command("beat")
        self.start("beat", *command, str(self.logs / Path(schedule).name), ready="beat: Starting...")

    def records(self, name: str) -> list[dict]:
        """Standard output, each line of which is a JSON object; but for what Celery prints at its end."""
        lines = (self.logs / f"{name}.log").read_text().replace("\nworker: Warm shutdown (MainProcess)\n", "")
        return [json.loads(line) for line in lines.splitlines()]

    def command(self, service: str) -> list[str]:
        return shlex.split(self.compose[service]["command"])

    def healthy(self, service: str) -> bool:
        """What the health check of compose.yml says."""
        kind, *command = self.compose[service]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            command = ["sh", "-c", command[0].replace("$$", "$")]
        command = [word.replace(":8000/", f":{self.port}/") for word in command]
        return not self.project.run(*command, check=False, HOSTNAME=self.project.env["PREFIX"]).returncode

    def request(self, path: str, data: dict | None = None, **headers: str):
        """Status, headers and body; the browser speaks HTTPS with a proxy, the proxy HTTP with us."""
        body = urlencode(data).encode() if data is not None else None
        origin = f"https://127.0.0.1:{self.port}"
        headers |= {"X-Forwarded-Proto": "https", "Referer": f"{origin}/", "Origin": origin}
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        request = Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            response = self.opener.open(request, timeout=60)
        except HTTPError as error:
            response = error
        with response:
            for cookie in response.headers.get_all("Set-Cookie", []):
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(cookie).items()}
            return response.status, response.headers, response.read().decode()

    def place_order(self, product: str = "tea") -> int:
        """Fill in the form on the page as a browser does; return the number of the order."""
        status, _, _ = self.request("/")
        assert status == 200
        data = {"product": product, "quantity": 1, "csrfmiddlewaretoken": self.cookies["csrftoken"]}
        status, headers, body = self.request("/", data)
        assert (status, headers["Location"]) == (302, "/"), body
        return int(self.request("/")[2].partition('data-id="')[2].partition('"')[0])

    def status(self, order: int) -> str:
        return json.loads(self.request(f"/orders/{order}/")[2])["status"]

    def wait_until_processed(self, *orders: int) -> None:
        wait_until(lambda: {self.status(order) for order in orders} == {"processed"}, f"{orders} wait")

    @contextmanager
    def locked(self, order: int):
        """Until the block ends, whoever processes that order hangs; yields a function that waits for it."""
        url = self.project.env["DATABASE_URL"]
        command = ["python", "-c", LOCK, url, str(order)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with subprocess.Popen(command, env=self.project.environ(), **pipes) as holder:
            assert holder.stdout.readline() == "held\n"

            def until_a_worker_waits():
                assert holder.stdout.readline() == "a worker waits\n"

            try:
                yield until_a_worker_waits
            finally:
                holder.stdin.close()


def reachable(url: str) -> bool:
    parts = urlsplit(url)
    return listening(parts.port, parts.hostname)


def needs(url: str) -> str:
    if not reachable(url):
        shapes.required(f"no server at {urlsplit(url).hostname}:{urlsplit(url).port}")
    return url


@pytest.fixture
def deploy(generate, tmp_path):
    """A function: answers -> a Site, migrated and collected, with its web server running."""
    name = f"hermetic_{uuid.uuid4().hex[:12]}"
    sites = []

    def get(**answers) -> Site:
        admin = needs(POSTGRESQL)
        project = generate(database="postgresql", **answers)
        url = urlunsplit(urlsplit(admin)._replace(path=f"/{name}"))
        project.run("python", "-c", DATABASE, admin, f"CREATE DATABASE {name}")
        project.env |= {"DATABASE_URL": url, "PREFIX": name, "SECRET_KEY": uuid.uuid4().hex * 2}
        project.env |= {"ALLOWED_HOSTS": "127.0.0.1", "BEHIND_TLS_PROXY": "true"}
        if answers.get("use_celery"):
            rabbitmq = answers.get("celery_broker") == "rabbitmq"
            project.env["CELERY_BROKER_URL"] = needs(RABBITMQ if rabbitmq else REDIS)
            project.env["CELERY_VISIBILITY_TIMEOUT"] = "3"
        if answers.get("use_channels"):
            project.env["REDIS_URL"] = needs(REDIS)
        with (project.package / "settings.py").open("a") as settings:
            settings.write(SETTINGS)
        project.run("python", "manage.py", "migrate", "--verbosity", "0")
        project.run("python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
        sites.append(Site(project, tmp_path))
        return sites[-1]

    yield get
    for site in sites:
        for process in [*site.processes]:
            site.stop(process, signal.SIGKILL)
        for log in tmp_path.glob("*.log"):  # Shown by pytest when the test failed.
            print(log.name, log.read_text(), sep="\n")
        project = site.project
        if (broker := project.env.get("CELERY_BROKER_URL", "")).startswith("amqp"):
            project.run("celery", "-A", project.package.name, "amqp", "queue.delete", name, check=False)
        elif broker and reachable(broker):
            project.run("python", "-c", CLEAN, broker, name)
        project.run("python", "-c", DATABASE, POSTGRESQL, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("queue", QUEUES)
def test_orders_are_processed_once_and_none_is_lost(deploy, queue):
    site = deploy(**QUEUES[queue])
    site.serve()
    site.work(queue)

    orders = [site.place_order(product) for product in ("tea", "milk")]
    site.wait_until_processed(*orders)
    site.stop("worker")
    server, worker = [{r["request_id"] for r in site.records(name)} for name in ("server", "worker")]
    assert len(server & worker - {"-"}) == 2, "the tasks do not log the ids of the requests that caused them"
    done = "Success" if queue == "procrastinate" else "succeeded"
    assert len([line for line in site.log("worker").splitlines() if done in line and "True" in line]) == 2

    orders.append(site.place_order("coffee"))
    with site.locked(orders[-1]) as until_a_worker_waits:
        site.work(queue)
        until_a_worker_waits()
        site.stop("worker", signal.SIGKILL)  # In the middle of its task.
    assert site.status(orders[-1]) == "new"

    time.sleep(3)  # The worker's heartbeat, or Redis's visibility timeout, has to run out.
    site.work(queue)
    site.wait_until_processed(*orders)


def test_a_broker_that_dies_does_not_fail_the_request(deploy, tmp_path):
    """Redis goes away under a running site: the page answers, and the order is processed later."""
    if not (redis := shutil.which("redis-server") or shutil.which("valkey-server")):
        shapes.required("redis-server is not installed")
    port = free_port()

    def start_redis():
        command = [redis, "--port", str(port), "--save", "", "--dir", str(tmp_path)]
        site.start("redis", *command, ready="Ready to accept connections")

    site = deploy(use_celery=True, use_channels=True)
    site.project.env |= {"CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
    site.project.env |= {"REDIS_URL": f"redis://127.0.0.1:{port}/1"}
    start_redis()
    site.serve()
    orders = [site.place_order()]
    site.stop("redis")

    started = time.monotonic()
    orders.append(site.place_order("milk"))

    assert time.monotonic() - started < 20
    assert "No broker" in site.log("server")
    assert site.request("/health/")[0] == 200

    start_redis()
    site.work("redis")
    site.beat()
    site.wait_until_processed(*orders)


def test_a_database_that_dies_is_reported(deploy):
    site = deploy(use_procrastinate=True)
    site.project.env["DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{free_port()}/x"
    site.serve()

    status, _, body = site.request("/ready/")

    assert (status, json.loads(body)) == (503, {"database": "down"})
    assert site.request("/health/")[0] == 200


@pytest.mark.parametrize("queue", ["redis", "rabbitmq"])
def test_a_broker_that_is_not_there_does_not_fail_the_request(deploy, queue):
    """Beat, a process of its own, finds the order when the broker is there at last."""
    site = deploy(**QUEUES[queue])
    broker = site.project.env["CELERY_BROKER_URL"]
    site.project.env["CELERY_BROKER_URL"] = urlunsplit(
        urlsplit(broker)._replace(netloc=f"guest:guest@127.0.0.1:{free_port()}")
    )
    site.serve()

    started = time.monotonic()
    order = site.place_order()

    assert time.monotonic() - started < 20
    assert "No broker" in site.log("server")

    site.project.env["CELERY_BROKER_URL"] = broker
    site.work(queue)
    time.sleep(2)
    assert site.status(order) == "new"
    site.beat()
    site.wait_until_processed(order)
    assert "Sending due task process-waiting-orders" in site.log("beat")
    assert site.records("beat")


PICKLE = """
from acme_shop import celery_app
celery_app.send_task("acme_shop.orders.tasks.process_order", (1,), serializer="pickle", ignore_result=True)
"""


def test_a_worker_has_limits(deploy):
    """A task ends when its time is over, and a message that is not JSON is thrown away."""
    site = deploy(use_celery=True)
    site.project.env |= {"CELERY_TASK_SOFT_TIME_LIMIT": "1", "CELERY_TASK_TIME_LIMIT": "30"}
    site.serve()
    order = site.place_order()
    with site.locked(order):
        site.work("redis")
        wait_until(lambda: "SoftTimeLimitExceeded" in site.log("worker"), "the task goes on")

    site.project.run("python", "-c", PICKLE)
    wait_until(lambda: "ContentDisallowed" in site.log("worker"), "pickle was read")

    order = site.place_order("milk")
    site.wait_until_processed(order)


def test_open_pages_are_notified_in_production(deploy):
    site = deploy(use_procrastinate=True, use_channels=True)  # Celery would bring an older redis-py.
    site.serve()
    url, origin = f"ws://127.0.0.1:{site.port}/ws/orders/", f"https://127.0.0.1:{site.port}"
    watch = ["python", "-c", WATCH, url]
    order = site.place_order()
    cookie = f"sessionid={site.cookies['sessionid']}"
    for foreign in (
        "https://evil.example",
        origin.replace("https", "http"),
        f"https://127.0.0.1:{free_port()}",
    ):
        assert site.project.run(*watch, foreign, cookie).stdout == "refused 403\n"
    site.start("page", *watch, origin, cookie, ready="connected")
    time.sleep(17)  # Idle for longer than redis-py 8 waits for an answer by default, with its retries.

    site.work("procrastinate")
    site.wait_until_processed(order)

    wait_until(lambda: "changed" in site.log("page"), "the page was not notified")
    assert [json.loads(line) for line in (site.logs / "page.log").read_text().splitlines()[1:]] == [
        {"changed": "orders"}
    ]


@pytest.fixture
def through_proxy():
    """A function: URL -> a Proxy, and the URL through it. Faults are the proxy's, not the server's."""
    proxies = []

    def get(url: str) -> tuple[Proxy, str]:
        parts = urlsplit(url)
        proxies.append(Proxy(parts.hostname, parts.port))
        user, at, _ = parts.netloc.rpartition("@")
        return proxies[-1], urlunsplit(parts._replace(netloc=f"{user}{at}127.0.0.1:{proxies[-1].port}"))

    yield get
    for proxy in proxies:
        proxy.close()


def test_procrastinates_worker_goes_on_after_the_database_was_away(deploy, through_proxy):
    site = deploy(use_procrastinate=True)
    site.serve()
    proxy, url = through_proxy(site.project.env["DATABASE_URL"])
    direct = site.project.env["DATABASE_URL"]
    site.project.env["DATABASE_URL"] = url
    site.work("procrastinate")
    site.project.env["DATABASE_URL"] = direct

    proxy.cut()
    order = site.place_order()
    wait_until(lambda: "starts again" in site.log("worker"), "the worker did not notice")
    proxy.heal()

    site.wait_until_processed(order)
    worker = site.processes["worker"]
    site.stop("worker")
    assert worker.returncode == 0


HOLD = """
import sys, psycopg
with psycopg.connect(sys.argv[1]) as holder:
    holder.execute("LOCK TABLE orders_order")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_used_up_pool_is_busy_and_not_down(deploy):
    site = deploy(use_procrastinate=True)
    site.project.env |= {"DATABASE_POOL_SIZE": "1"}
    site.serve()
    site.place_order()
    command = ["python", "-c", HOLD, site.project.env["DATABASE_URL"]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=site.project.environ(), **pipes) as holder:
        assert holder.stdout.readline() == "held\n"
        waiting = threading.Thread(target=site.request, args=["/"])
        waiting.start()
        time.sleep(1)  # The page has the only connection, and waits for the table.
        answer = site.request("/ready/")
        alive = site.request("/health/")
        holder.stdin.close()
    waiting.join()

    assert (answer[0], json.loads(answer[2])) == (200, {"database": "busy"})
    assert alive[0] == 200
    assert json.loads(site.request("/ready/")[2]) == {"database": "up"}


def test_a_redis_that_hangs_does_not_hold_up_requests(deploy, through_proxy):
    site = deploy(use_procrastinate=True, use_channels=True)
    proxy, site.project.env["REDIS_URL"] = through_proxy(site.project.env["REDIS_URL"])
    site.serve()
    site.place_order()
    proxy.hang()  # For ever: without a bound, the request would not return.

    started = time.monotonic()
    site.place_order()

    assert time.monotonic() - started < 20
    assert "open pages were not notified" in site.log("server")


def test_conn_max_age_is_refused_in_one_sentence(deploy):
    site = deploy(use_procrastinate=True)

    done = site.project.run("python", "manage.py", "check", check=False, CONN_MAX_AGE="60")

    assert done.returncode
    assert "CONN_MAX_AGE keeps a connection for each thread" in done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_health_checks_report_each_process(deploy):
    """All processes of compose.yml, in its environment, and what Docker would hold of them."""
    site = deploy(use_celery=True, use_procrastinate=True, use_channels=True, use_drf=True)
    environment = site.compose["web"]["environment"]
    site.project.env |= {name: environment[name] for name in ("ALLOWED_HOSTS", "SECURE_SSL_REDIRECT")}
    assert environment.keys() - {"SECRET_KEY"} <= site.project.env.keys()
    site.project.run(*site.command("migrate"))
    assert not site.healthy("web")
    assert not site.healthy("worker")

    site.serve()
    site.work("redis")
    site.processes["celery"] = site.processes.pop("worker")
    site.work("procrastinate")
    assert [name for name in ("web", "worker", "procrastinate") if not site.healthy(name)] == []

    site.stop("celery")
    site.stop("server")
    assert not site.healthy("web")
    assert not site.healthy("worker")
    site.project.env["DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{free_port()}/x"
    assert not site.healthy("procrastinate")
