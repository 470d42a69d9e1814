"""The template's middleware, for sync and async requests alike. Add yours to MIDDLEWARE in settings.py."""

import uuid
from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware


@sync_and_async_middleware
def request_id(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each response an X-Request-ID: the proxy's, or a new one."""

    def stamp(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response["X-Request-ID"] = request.headers.get("X-Request-ID") or uuid.uuid4().hex
        return response

    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            return stamp(request, await get_response(request))

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponse:
        return stamp(request, get_response(request))

    return middleware
