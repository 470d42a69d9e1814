"""Production code with every kind of state that tests spoil."""

import json
import os
import threading
import uuid
from contextvars import ContextVar
from functools import cache, lru_cache

from django.dispatch import Signal
from django.http import QueryDict

RATE = 0.2
REGISTRY = {"card": 1}
NESTED = {"eu": {"de": 19}}
PLUGINS = ["tax"]
FLAGS = {"new"}
tenant = ContextVar("tenant", default="none")
request_id = ContextVar("request_id")
order_paid = Signal()
_client = None


def new_id() -> str:
    return str(uuid.uuid4())


def parse(text: str) -> object:
    return json.loads(text)


def where() -> str:
    return os.getcwd()


def query(text: str) -> QueryDict:
    return QueryDict(text)


def client() -> object:
    global _client
    if _client is None:
        _client = object()
    return _client


@cache
def expensive(key: str) -> list:
    return [key]


class Service:
    timeout = 5
    handlers: list = []
    options: dict = {"retries": 1}
    _instance = None

    def call(self) -> str:
        return "real"

    @classmethod
    def instance(cls) -> "Service":
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance

    @staticmethod
    @lru_cache
    def tariff(country: str) -> list:
        return [country]


class Clock:
    def __init__(self) -> None:
        self.offset = 0


clock = Clock()
local = threading.local()


def on_paid(sender: object, **kwargs: object) -> None:
    kwargs["seen"].append("paid")


order_paid.connect(on_paid)
