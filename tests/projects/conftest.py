"""Fixtures that run generated projects in production."""

import signal
import uuid
from urllib.parse import urlsplit, urlunsplit

import pytest
from proxy import Proxy
from sites import CLEAN, DATABASE, POSTGRESQL, RABBITMQ, REDIS, SETTINGS, Site, needs, reachable


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
