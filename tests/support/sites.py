"""Generated projects as production runs them: real PostgreSQL, brokers, workers and ASGI server; no mocks.

What starts them is what compose.yml and the Dockerfile say, but for the ports and names of a test.

DATABASE_URL, REDIS_URL and CELERY_BROKER_URL (for RabbitMQ) name the servers, by default those of this
machine. Each test has a database, a queue and a key prefix of its own (the fixture `deploy`).
"""

import json
import os
import re
import shlex
import signal
import subprocess
from contextlib import contextmanager
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import shapes
import yaml
from processes import free_port, listening, wait_until

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

    def beat(self, name: str = "beat") -> None:
        """Celery's clock, which here comes round each second."""
        *command, _ = self.command("beat")
        self.start(name, *command, str(self.logs / f"{name}-schedule"), ready="beat: Starting...")

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
