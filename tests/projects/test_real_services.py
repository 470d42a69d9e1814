"""Generated projects as production runs them (tests/support/sites.py)."""

import json
import signal
import time

import pytest
from processes import free_port, wait_until
from sites import QUEUES, WATCH


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


def test_conn_max_age_is_refused_in_one_sentence(deploy):
    site = deploy(use_procrastinate=True)

    done = site.project.run("python", "manage.py", "check", check=False, CONN_MAX_AGE="60")

    assert done.returncode
    assert "CONN_MAX_AGE keeps a connection for each thread" in done.stdout.splitlines()[-1]


def test_a_query_ends_when_its_time_is_over(deploy):
    site = deploy(use_procrastinate=True)
    query = "from django.db import connection; connection.cursor().execute('SELECT pg_sleep(60)')"

    done = site.project.run(
        "python", "manage.py", "shell", "-c", query, check=False, DATABASE_STATEMENT_TIMEOUT="1"
    )

    assert "canceling statement due to statement timeout" in done.stdout


def test_a_domain_is_preloaded_on_request_only(deploy):
    site = deploy(use_procrastinate=True)
    site.serve()
    sent = [site.request("/")[1]["Strict-Transport-Security"]]
    site.stop("server")
    site.project.env["SECURE_HSTS_PRELOAD"] = "true"
    site.serve()
    sent.append(site.request("/")[1]["Strict-Transport-Security"])

    assert sent == [
        "max-age=31536000; includeSubDomains",
        "max-age=31536000; includeSubDomains; preload",
    ]


@pytest.mark.slow
def test_health_checks_report_each_process(deploy):
    """All processes of compose.yml, in its environment, and what Docker would hold of them."""
    site = deploy(use_celery=True, use_procrastinate=True, use_channels=True, use_drf=True)
    environment = site.compose["web"]["environment"]
    site.project.env |= {name: environment[name] for name in ("ALLOWED_HOSTS", "SECURE_SSL_REDIRECT")}
    # One process of the web server, so that stop() ends it.
    assert environment.keys() - {"SECRET_KEY", "WEB_CONCURRENCY"} <= site.project.env.keys()
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
