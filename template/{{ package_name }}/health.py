"""What probes ask, by IP and without TLS too. Other answers: put their paths first in urls.py.

`/health/`  does this process live? If not, restart it. A dead database restarts nothing.
`/ready/`   can it serve? If not, send it no request until it can.

middleware.py lets both in with any Host, SECURE_REDIRECT_EXEMPT in base_settings.py without TLS.
"""

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.db.backends.base.base import NO_DB_ALIAS
from django.http import HttpRequest, JsonResponse


def database_state() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        if type(error.__cause__).__name__ == "PoolTimeout" and answers_without_pool():
            return "busy"  # The whole pool is in use: slow, and slower still with a server less.
        return "down"
    return "up"


def answers_without_pool() -> bool:
    direct = connection.copy(NO_DB_ALIAS)
    try:
        direct.ensure_connection()
    except DatabaseError:
        return False
    finally:
        direct.close()
    return True


async def health(request: HttpRequest) -> JsonResponse:
    """200: the process answers."""
    return JsonResponse({"alive": True})


async def ready(request: HttpRequest) -> JsonResponse:
    """200 while the database answers or is busy, else 503; the body says which."""
    state = await sync_to_async(database_state)()
    return JsonResponse({"database": state}, status=503 if state == "down" else 200)
