"""Procrastinate's command, whose worker goes on after the database was away.

Upstream's stops then, with status 0 if the database is back by that time: many supervisors take it
for done. An app listed before this one in settings.py can replace it.
"""

import asyncio
import logging
import signal
from contextlib import suppress
from typing import Any

from procrastinate import App
from procrastinate.contrib.django.management.commands import procrastinate
from procrastinate.exceptions import ConnectorException

logger = logging.getLogger(__name__)
PAUSE = 5  # Seconds.


class Command(procrastinate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        if options["command"] == "worker":
            options["func"] = work
        super().handle(*args, **options)


async def work(app: App, **options: Any) -> None:
    """Run workers, one after another, until a signal says stop; running jobs may finish."""
    stop = asyncio.Event()
    with suppress(NotImplementedError):  # On Windows, Ctrl-C cancels this function.
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    once = not options.get("wait", True)
    while not stop.is_set():
        worker = asyncio.ensure_future(
            app.run_worker_async(**{**options, "install_signal_handlers": False})
        )
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait([worker, stopping], return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            worker.cancel()
        stopping.cancel()
        try:
            with suppress(asyncio.CancelledError):
                await worker
            if once:
                return
        except ConnectorException as error:
            logger.error("The worker stopped: %s", error)
        if not stop.is_set():
            logger.error("The worker lost its database, and starts again in %s s", PAUSE)
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PAUSE)
