"""The health endpoint, for load balancers and containers. Another one: put it first in urls.py."""

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse


def database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


async def health(request: HttpRequest) -> JsonResponse:
    """200 while the database answers, else 503; the body says which part is down."""
    healthy = await sync_to_async(database_answers)()
    return JsonResponse({"database": healthy}, status=200 if healthy else 503)
