"""A private PostgreSQL from a wheel, as a Django database engine; started by the first connection.

    DATABASES = {"default": {"ENGINE": "<package>.postgresql", "NAME": "postgres",
                             "HOST": "<folder of the data>", "DURABLE": True}}

DURABLE (the default) is for development: the data stay, every process shares them. Without it, for
tests, nothing waits for the disk and every test run has the server for itself.
This module is the pytest plugin, base.py the engine, server.py starts and stops the server.
The template's: a database of yours is named in settings.py or DATABASE_URL.
"""

from typing import Any

from . import server


def pytest_configure(config: Any) -> None:
    """The workers of one pytest-xdist run share its server."""
    if hasattr(config, "workerinput"):
        server.run_id = config.workerinput["testrunuid"]
