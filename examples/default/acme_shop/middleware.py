"""Middleware of the template, sync and async alike. Add yours to MIDDLEWARE in settings.py."""

from collections.abc import Callable
from inspect import iscoroutinefunction
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware

from .logs import accept

PROBES = ("/health/", "/ready/")


@sync_and_async_middleware
def request_id(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Give each request and its log records an id, the proxy's or a new one: X-Request-ID."""

    def begin(request: HttpRequest) -> str:
        if request.path_info in PROBES:
            # A probe asks by IP, which no list of hosts can hold; the answer does not use the host.
            request.get_host = lambda: "probe"  # type: ignore[method-assign]
        return accept(request.headers.get("X-Request-ID"))

    def end(response: HttpResponse, given: str) -> HttpResponse:
        response["X-Request-ID"] = given
        return response

    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            given = begin(request)
            return end(await get_response(request), given)

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponse:
        given = begin(request)
        return end(get_response(request), given)

    return middleware


@sync_and_async_middleware
def content_security_policy(
    get_response: Callable[[HttpRequest], Any],
) -> Callable[[HttpRequest], Any]:
    """Send CONTENT_SECURITY_POLICY with each page, since Django 5.2 has no setting for it."""

    def add(response: HttpResponse) -> HttpResponse:
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        return response

    if iscoroutinefunction(get_response):

        async def async_middleware(request: HttpRequest) -> HttpResponse:
            return add(await get_response(request))

        return async_middleware

    def middleware(request: HttpRequest) -> HttpResponse:
        return add(get_response(request))

    return middleware
