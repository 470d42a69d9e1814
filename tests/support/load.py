"""Visitors who place orders on a generated project's server, many at once."""

import http.client
import json
import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import shapes
from processes import free_port, listening, wait_until

TOKEN = "t" * 32
COUNT = """
from acme_shop.orders.models import Order
print(Order.objects.count(), Order.objects.filter(status="new").count())
"""
PRODUCTION = {"SECRET_KEY": "a" * 50, "ALLOWED_HOSTS": "127.0.0.1", "SECURE_SSL_REDIRECT": "false"}


@dataclass
class Load:
    """What became of the requests: how many per status, and seconds in all."""

    statuses: Counter
    seconds: float

    @property
    def rate(self) -> float:
        return sum(self.statuses.values()) / self.seconds


@contextmanager
def serving(project: shapes.Project, log: Path, *options: str, **environ: str) -> Iterator[int]:
    """The port of the project's server, in production's settings, with static files and tables."""
    project.env |= PRODUCTION
    project.run("python", "manage.py", "migrate", "--verbosity", "0")
    project.run("python", "manage.py", "collectstatic", "--no-input", "--verbosity", "0")
    port = free_port()
    (command,) = re.findall("(?m)^CMD (.*)", (project.path / "Dockerfile").read_text())
    command = [str(port) if word == "8000" else word for word in [*json.loads(command), *options]]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command,
            cwd=project.path,
            env=project.environ(**environ),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until(
                lambda: b" startup complete" in log.read_bytes() or server.poll() is not None, "no server"
            )
            assert server.poll() is None, log.read_text()
            # A single process of uvicorn starts the application first, and binds its port then.
            wait_until(lambda: listening(port), "the server does not listen")
            yield port
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, 15)
            server.wait(30)


def place_orders(port: int, number: int, at_once: int) -> Load:
    """`number` orders by as many visitors at once, each on a connection of its own; -1: no answer."""
    body = urlencode({"product": "tea", "quantity": 1, "csrfmiddlewaretoken": TOKEN})
    headers = {"Cookie": f"csrftoken={TOKEN}", "Content-Type": "application/x-www-form-urlencoded"}

    def visitor(orders: int) -> Counter:
        statuses: Counter = Counter()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        for _ in range(orders):
            try:
                connection.request("POST", "/", body, headers)
                response = connection.getresponse()
                response.read()
                statuses[response.status] += 1
            except (OSError, http.client.HTTPException):
                connection.close()
                statuses[-1] += 1
        connection.close()
        return statuses

    started = time.monotonic()
    with ThreadPoolExecutor(at_once) as visitors:
        statuses = sum(visitors.map(visitor, [number // at_once] * at_once), Counter())
    return Load(statuses, time.monotonic() - started)


def counted(project: shapes.Project) -> tuple[int, int]:
    """Orders in the database, and those among them that still are new."""
    numbers = project.run("python", "manage.py", "shell", "-v0", "-c", COUNT).stdout.split()[-2:]
    return int(numbers[0]), int(numbers[1])
