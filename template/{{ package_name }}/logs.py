"""The id of the request in each log record, here and in the tasks that the request caused.

LOGGING in base_settings.py uses it; middleware.py and the queues set the id. Yours: a filter of
your own in LOGGING, in settings.py.
"""

import logging
import re
import uuid
from contextvars import ContextVar

# "-" where no request is: in commands, and in tasks that a clock started.
request_id: ContextVar[str] = ContextVar("request_id", default="-")


def accept(sent: str | None) -> str:
    """This request's id: the proxy's, if it is harmless in logs and headers, or a new one."""
    if sent is None or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent):
        sent = uuid.uuid4().hex
    request_id.set(sent)
    return sent


class RequestId(logging.Filter):
    """Gives each record the attribute `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not hasattr(record, "request_id"):
            record.request_id = request_id.get()
        record.__dict__.pop("color_message", None)  # uvicorn's message again, for terminals.
        return True
