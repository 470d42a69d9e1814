"""Context variables that a fixture set; the test itself runs in a copy of the context."""

from collections.abc import Callable, Iterable
from contextvars import ContextVar, copy_context
from typing import Any, ClassVar

from django.urls import get_script_prefix, get_urlconf, set_script_prefix, set_urlconf
from django.utils import timezone, translation

from ..leaks import ABSENT, Leak, change
from .base import Snapshot
from .project import Project


class ContextVariables(Snapshot):
    """Watches the project's context variables, and language, time zone, URLconf and script prefix.

    Ignores other packages' variables. Costs one comparison of two pointers. Reverts silently, since
    production code sets them, too. But a variable that had no value and has no default cannot be unset
    from outside: that is reported.
    """

    name, remedy = "context", "reset() it with its token after the fixture's yield"
    # asgiref keeps these in its context variables.
    django: ClassVar[dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]]] = {
        "language": (
            translation.get_language,
            lambda code: translation.activate(code) if code else translation.deactivate_all(),
        ),
        "time zone": (timezone.get_current_timezone, timezone.activate),
        "URLconf": (get_urlconf, set_urlconf),
        "script prefix": (get_script_prefix, set_script_prefix),
    }

    def __init__(self, project: Project) -> None:
        super().__init__()
        self.project = project

    def now(self) -> dict[str, Any]:
        return {name: get() for name, (get, put) in self.django.items()} | {
            name: value(variable) for name, variable in self.project.variables.items()
        }

    def note(self) -> None:
        self.project.scan()  # Else the first test would be blamed for every variable that it finds.
        super().note()
        self.context = copy_context()

    def leaks(self) -> Iterable[Leak]:
        if copy_context() == self.context:
            return []
        found = [*super().leaks()]
        if not found:  # Other packages' variables.
            self.context = copy_context()
        return found

    def compared(self, part: str, before: Any, after: Any) -> Leak:
        return self.differing(
            part, before, change(part, before, after), silent=before is not ABSENT
        )

    def put(self, part: str, value: Any) -> None:
        if part in self.django:
            self.django[part][1](value)
        elif value is not ABSENT:
            self.project.variables[part].set(value)


def value(variable: ContextVar[Any]) -> Any:
    try:
        return variable.get()  # A default given here would win over the variable's.
    except LookupError:
        return ABSENT
