"""The template's `runserver`: the ASGI application under uvicorn, so websockets work in development.

Checks, options and reloading are Django's. An app listed before this one in settings.py can replace it.
"""

import os
from typing import Any

import uvicorn
from channels.routing import get_default_application
from django.core.management.commands import runserver
from django.db import connections
from django.utils import autoreload


class Command(runserver.Command):
    help = "Starts a development server for HTTP and websockets."
    addr: str
    port: str

    def inner_run(self, *args: Any, **options: Any) -> None:
        autoreload.raise_last_exception()  # Of settings or an app that could not be imported.
        if not options["skip_checks"]:
            self.check(display_num_errors=True)
        self.check_migrations()
        connections.close_all()
        try:
            uvicorn.run(
                get_default_application(),
                host="0.0.0.0" if self.addr == "0" else self.addr,  # noqa: S104  Django's shorthand.
                port=int(self.port),
                lifespan="off",  # Django and Channels have none.
                log_config=None,  # LOGGING in the settings.
            )
        except SystemExit:  # A port that is in use; the reloader's thread would wait on.
            os._exit(1)
