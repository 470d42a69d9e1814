"""The probes, one family a file, and the order in which the guard asks them."""

from collections.abc import Callable

import pytest

from .. import compat
from ..audit import Audit
from ..testcode import TestCode
from .attributes import Attributes
from .base import Probe
from .clock import Clock
from .connections import Connections
from .context import ContextVariables
from .environ import Environ
from .files import Files
from .loggers import Loggers
from .modules import Modules
from .patches import Patches
from .places import Places
from .process import Process, Warnings
from .project import Project
from .receivers import Receivers
from .sockets import Sockets
from .subprocesses import Subprocesses
from .threads import Threads


def probes(
    config: pytest.Config, project: Project, audit: Audit, tests: TestCode
) -> dict[str, Callable[[], Probe]]:
    """The name of each probe and what makes it: one that a rename upstream breaks costs no other."""
    found: dict[str, Callable[[], Probe]] = {
        "clock": Clock,
        "patches": Patches,
        "environ": lambda: Environ(tests),
        "threads": lambda: Threads(tests),
        "subprocesses": lambda: Subprocesses(audit),
        "sockets": lambda: Sockets(tests),
        "files": lambda: Files(audit, project.root, compat.base_temporary_folder(config)),
        "process": lambda: Process(tests),
        "loggers": lambda: Loggers(tests),
        "database": lambda: Connections(config),
        "context": lambda: ContextVariables(project),
        "modules": lambda: Modules(project, tests),  # Before those that take in new modules.
        "receivers": lambda: Receivers(project, tests),
        "attributes": lambda: Attributes(project, tests),
        "places": lambda: Places(project, tests),  # After those that watch some of them, too.
    }
    if not config.pluginmanager.has_plugin("warnings"):
        found["warnings"] = lambda: Warnings(tests)
    return found
