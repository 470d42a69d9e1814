"""`manage.py runserver` of a project with Channels: pages, static files and websockets, from `.env`."""

import signal
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from functools import partial

import pytest
from processes import free_port

LAYER = 'CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}\n'
HANDSHAKE = (
    "GET /ws/orders/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture
def project(generate):
    made = generate(use_channels=True)
    with (made.package / "settings.py").open("a") as settings:
        settings.write(LAYER)
    (made.path / ".env").write_text((made.path / ".env.example").read_text())
    made.run("python", "manage.py", "migrate")
    return made


@contextmanager
def runserver(project, port: int, *options: str):
    """The server, once it answers; it ends by Ctrl-C."""
    log = project.path / "runserver.log"
    with log.open("wb") as output:
        command = ["python", "manage.py", "runserver", str(port), *options]
        server = subprocess.Popen(
            command,
            cwd=project.path,
            env=project.environ(),
            stdout=output,
            stderr=subprocess.STDOUT,
            # A shell's background job ignores Ctrl-C, and so would this.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        try:
            yield server, log
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)


def get(port: int, path: str, log) -> str:
    """The body at the path; asked again until the server listens."""
    end = time.monotonic() + 60
    while True:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.read().decode()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.1)


@pytest.mark.parametrize("options", [[], ["--noreload"]], ids=["reloading", "not reloading"])
def test_it_serves_pages_static_files_and_websockets(project, options):
    port = free_port()

    with runserver(project, port, *options) as (server, log):
        assert "<form" in get(port, "/", log)
        assert "WebSocket" in get(port, "/static/orders/live.js", log)
        with socket.create_connection(("127.0.0.1", port), 10) as page:
            page.sendall(HANDSHAKE.format(port=port).encode())
            assert page.recv(1024).startswith(b"HTTP/1.1 101 ")
        if not options:
            with (project.package / "urls.py").open("a") as urls:
                urls.write(
                    "from django.http import HttpResponse\nfrom django.urls import path\n"
                    "urlpatterns += [path('new/', lambda request: HttpResponse('reloaded'))]\n"
                )
            assert get(port, "/new/", log) == "reloaded"

    assert server.returncode == 0, log.read_text()
    assert "Traceback" not in log.read_text()


def test_a_port_in_use_ends_it_in_one_sentence(project):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = project.run("python", "manage.py", "runserver", str(taken.getsockname()[1]), check=False)

    assert done.returncode == 1
    assert "address already in use" in done.stdout
    assert "Traceback" not in done.stdout
