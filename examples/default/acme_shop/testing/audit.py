"""What the interpreter announces (audit events, PEP 578) that the running test is about to do."""

import sys
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

Handlers = dict[str, Callable[..., Any]]


class Audit:
    """Calls the handler of an event while it is ``on``, that is, while a test runs.

    A hook cannot be removed and is called for every event of the process, so it is one look-up, in a
    plain function: the interpreter asks each hook for ``__cantrace__``, which a method answers slowly.
    """

    def __init__(self) -> None:
        self.on = False
        self.handlers: Handlers = {}

    def watch(self, handlers: Handlers) -> None:
        """Begin to call these handlers; there is one for an event."""
        self.handlers = handlers

        def hook(event: str, args: tuple[Any, ...]) -> None:
            __tracebackhide__ = True
            if event in handlers and self.on:
                handlers[event](*args)

        sys.addaudithook(hook)

    @contextmanager
    def switched(self, on: bool) -> Generator[None]:
        """Whether what is done inside counts."""
        before, self.on = self.on, on
        try:
            yield
        finally:
            self.on = before

    def paused(self) -> AbstractContextManager[None]:
        """What is done inside is not the test's doing."""
        return self.switched(on=False)
