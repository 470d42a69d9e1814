"""What runs beside a test: free ports, waiting, and the tools of the tests' own environment."""

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return not probe.connect_ex((host, port))


def wait_until(condition: Callable[[], Any], problem: str | Callable[[], str], seconds: float = 120) -> Any:
    """Wait for the condition and return its result; fail with the problem, which may be worked out then."""
    end = time.monotonic() + seconds  # A busy machine starts a server slowly.
    while not (result := condition()):
        if time.monotonic() > end:
            text = problem if isinstance(problem, str) else problem()
            raise AssertionError(f"{text} (waited {seconds} s)")
        time.sleep(0.02)
    return result


def tool(name: str, *arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment that the tests run in; its errors are part of the output."""
    command = [f"{sys.prefix}/bin/{name}", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
