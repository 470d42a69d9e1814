"""The probes, one family a file, and the order in which the guard asks them."""

from ..audit import Audit
from ..test_code import TestCode
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
from .process import Process, Warnings
from .project import Project
from .receivers import Receivers
from .sockets import Sockets
from .subprocesses import Subprocesses
from .threads import Threads


def probes(project: Project, audit: Audit, tests: TestCode, temporary: str) -> list[Probe]:
    """New probes for a run; ``temporary`` is the folder in which tests may write."""
    return [
        Clock(),
        Patches(),
        Environ(),
        Threads(tests),
        Subprocesses(audit),
        Sockets(),
        Files(audit, project.root, temporary),
        Process(tests),
        Warnings(tests),
        Loggers(tests),
        Connections(),
        ContextVariables(project),
        Modules(project, tests),  # Before those that take in new modules.
        Receivers(project, tests),
        Attributes(project, tests),
    ]
