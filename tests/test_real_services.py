"""Generated projects as production runs them: real PostgreSQL, brokers, workers and ASGI server; no mocks.

DATABASE_URL, REDIS_URL and CELERY_BROKER_URL (for RabbitMQ) name the servers, by default those of this
machine. Each test has a database, a queue and a key prefix of its own, removed afterwards.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
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
    """A generated project in production: its processes, and a browser behind its TLS proxy."""

    def __init__(self, project: shapes.Project, logs: Path):
        self.project, self.logs = project, logs
        self.processes: dict[str, subprocess.Popen] = {}
        self.port = free_port()
        self.opener = build_opener(KeepRedirects)

    def start(self, name: str, *command: str, ready: str) -> None:
        """Run a process, in a group of its own, until its log says that it is ready."""
        log = self.logs / f"{name}.log"
        position = log.stat().st_size if log.exists() else 0
        with log.open("a") as file:
            self.processes[name] = subprocess.Popen(
                command,
                cwd=self.project.path,
                env=self.project.environ(),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        wait_until(
            lambda: ready in log.read_text()[position:] or self.processes[name].poll() is not None,
            f"{name} is not ready",
        )
        assert self.processes[name].poll() is None, log.read_text()

    def stop(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        process = self.processes.pop(name)
        if process.poll() is None:
            os.killpg(process.pid, how)
        process.wait(30)

    def log(self, name: str) -> str:
        return (self.logs / f"{name}.log").read_text()

    def serve(self) -> None:
        asgi = f"{self.project.package.name}.asgi:application"
        self.start("server", "uvicorn", asgi, "--port", str(self.port), ready="Uvicorn running on")

    def work(self, queue: str) -> None:
        package = self.project.package.name
        if queue == "procrastinate":
            self.start("worker", "python", "manage.py", "procrastinate", "worker", ready="Starting worker on")
        else:
            celery = ["celery", "-A", package, "worker", "--concurrency", "1", "--loglevel", "INFO"]
            self.start("worker", *celery, "-n", f"{self.project.env['PREFIX']}@%h", ready=" ready.")

    def request(self, path: str, data: dict | None = None, **headers: str):
        """Status, headers and body; the browser speaks HTTPS with a proxy, the proxy HTTP with us."""
        body = urlencode(data).encode() if data is not None else None
        origin = f"https://127.0.0.1:{self.port}"
        headers |= {"X-Forwarded-Proto": "https", "Referer": f"{origin}/", "Origin": origin}
        request = Request(f"http://127.0.0.1:{self.port}{path}", body, headers)
        try:
            response = self.opener.open(request, timeout=60)
        except HTTPError as error:
            response = error
        with response:
            return response.status, response.headers, response.read().decode()

    def place_order(self, product: str = "tea") -> int:
        """Fill in the form on the page as a browser does; return the number of the order."""
        status, headers, _ = self.request("/")
        assert status == 200
        token = SimpleCookie(headers["Set-Cookie"])["csrftoken"].value
        data = {"product": product, "quantity": 1, "csrfmiddlewaretoken": token}
        status, headers, body = self.request("/", data, Cookie=f"csrftoken={token}")
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


def wait_until(condition, problem: str, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{problem} after {seconds} s"
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(2)
        return not probe.connect_ex((parts.hostname, parts.port))


def needs(url: str) -> str:
    if not listening(url):
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
        elif broker and listening(broker):
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
    package = site.project.package.name
    site.project.run(
        "celery",
        "-A",
        package,
        "call",
        f"{package}.orders.tasks.process_waiting_orders",
        "--kwargs",
        '{"minutes": 0}',
    )
    site.wait_until_processed(*orders)


def test_a_database_that_dies_is_told(deploy):
    site = deploy(use_procrastinate=True)
    site.project.env["DATABASE_URL"] = f"postgres://postgres@127.0.0.1:{free_port()}/x"
    site.serve()

    status, _, body = site.request("/health/")

    assert (status, json.loads(body)) == (503, {"database": False})
