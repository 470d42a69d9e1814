"""What production does while a server is cut, hangs or dies, and when a process is killed.

A fault is that of a proxy, or of a server of the test's own: nobody else notices.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from urllib.parse import urlsplit, urlunsplit

import pytest
import shapes
from processes import free_port, wait_until
from sites import QUEUES, WATCH


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


def test_procrastinates_worker_ends_when_told_though_the_database_is_away(deploy, through_proxy):
    site = deploy(use_procrastinate=True)
    proxy, site.project.env["DATABASE_URL"] = through_proxy(site.project.env["DATABASE_URL"])
    site.work("procrastinate")
    worker = site.processes["worker"]
    proxy.cut()
    wait_until(lambda: "starts again" in site.log("worker"), "the worker did not notice")

    site.stop("worker")

    assert worker.returncode == 0


@pytest.mark.parametrize("queue", ["redis", pytest.param("rabbitmq", marks=pytest.mark.slow)])
def test_a_broker_that_hangs_does_not_hold_up_requests(deploy, through_proxy, queue):
    site = deploy(**QUEUES[queue])
    direct = site.project.env["CELERY_BROKER_URL"]
    proxy, site.project.env["CELERY_BROKER_URL"] = through_proxy(direct)
    site.serve()
    orders = [site.place_order()]
    proxy.hang()  # For ever: without a bound, the request would not return.

    orders += [site.place_order("milk"), site.place_order("coffee")]

    site.project.env["CELERY_BROKER_URL"] = direct
    site.work(queue)
    site.beat()
    site.wait_until_processed(*orders)


def test_two_beats_do_each_order_once_and_publish_no_backlog(deploy):
    site = deploy(use_celery=True)
    broker = site.project.env["CELERY_BROKER_URL"]
    site.project.env["CELERY_BROKER_URL"] = f"redis://127.0.0.1:{free_port()}/0"
    site.serve()
    orders = [site.place_order(str(number)) for number in range(5)]  # Nothing was published.
    site.project.env["CELERY_BROKER_URL"] = broker

    site.beat()
    site.beat("another beat")
    sent = "Sending due task process-waiting-orders"
    for beat in ("beat", "another beat"):
        wait_until(lambda beat=beat: site.log(beat).count(sent) > 2, f"{beat} sends nothing")
    site.work("redis")
    site.wait_until_processed(*orders)

    assert "process_order[" not in site.log("worker"), "an order was published again"
    sweeps = r"process_waiting_orders\[\S+\] succeeded in \S+s: (\d+)"
    wait_until(lambda: re.search(sweeps, site.log("worker")), "no sweep ended")
    assert sum(map(int, re.findall(sweeps, site.log("worker")))) == len(orders)


def test_a_hung_database_gives_no_new_connection(deploy, through_proxy):
    site = deploy(use_procrastinate=True)
    proxy, site.project.env["DATABASE_URL"] = through_proxy(site.project.env["DATABASE_URL"])
    proxy.hang()  # For ever: without a bound, the command would not return.
    without_pool = {"DATABASE_POOL_SIZE": "0"}

    done = site.project.run("python", "manage.py", "migrate", "--check", check=False, **without_pool)

    assert "connection timeout expired" in done.stdout


def test_a_hung_database_restarts_no_process(deploy, through_proxy):
    site = deploy(use_procrastinate=True)
    proxy, site.project.env["DATABASE_URL"] = through_proxy(site.project.env["DATABASE_URL"])
    site.serve()
    proxy.hang()

    assert site.request("/health/")[0] == 200


STUCK = """

async def stuck(scope, receive, send):
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        await receive()


from django.urls import path

websocket_urlpatterns = [path("ws/stuck/", stuck)]
"""


def test_a_websocket_that_does_not_end_does_not_keep_the_server(deploy):
    site = deploy(use_procrastinate=True, use_channels=True)
    with (site.project.package / "routing.py").open("a") as routing:
        routing.write(STUCK)
    site.serve()
    page = ["python", "-c", WATCH, f"ws://127.0.0.1:{site.port}/ws/stuck/", f"https://127.0.0.1:{site.port}"]
    site.start("page", *page, "none=", ready="connected")

    site.stop("server")

    assert "Finished server process" in site.log("server")


def test_a_killed_process_of_the_server_is_replaced(deploy):
    site = deploy(use_procrastinate=True)
    site.project.env["WEB_CONCURRENCY"] = "2"
    site.serve()
    started = "Started server process"
    wait_until(lambda: site.log("server").count(started) == 2, "there are not two processes")
    (killed, _) = re.findall(started + r" \[(\d+)\]", site.log("server"))

    os.kill(int(killed), signal.SIGKILL)

    wait_until(lambda: site.log("server").count(started) == 3, "no process took its place")
    assert site.request("/health/")[0] == 200
