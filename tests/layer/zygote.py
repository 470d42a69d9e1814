"""Forks a process for each inner run of pytest, with everything imported that takes time to import.

Reads a line of JSON a run: [folder, arguments, file for the output]; answers with the exit code.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

LAYER = Path(__file__).resolve().parents[2] / "template" / "{{ package_name }}" / "testing"


def hermetic() -> None:
    """Make the layer's files importable as ``hermetic``, also where git made no symbolic link."""
    spec = importlib.util.spec_from_file_location(
        "hermetic", LAYER / "__init__.py", submodule_search_locations=[str(LAYER)]
    )
    sys.modules["hermetic"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


def serve() -> None:
    import asyncio  # noqa: F401

    import django.test  # noqa: F401
    import freezegun  # noqa: F401
    import pytest
    import pytest_asyncio.plugin  # noqa: F401
    import pytest_django.plugin  # noqa: F401
    import pytest_socket  # noqa: F401
    import time_machine  # noqa: F401

    hermetic()
    for line in sys.stdin:
        folder, arguments, output = json.loads(line)
        pid = os.fork()
        if not pid:
            os.chdir(folder)
            log = os.open(output, os.O_WRONLY | os.O_CREAT)
            for descriptor in (1, 2):
                os.dup2(log, descriptor)
            sys.path.insert(0, folder)
            code = pytest.main(arguments)
            sys.stdout.flush()
            os._exit(code)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(status, flush=True)


if __name__ == "__main__":
    serve()
