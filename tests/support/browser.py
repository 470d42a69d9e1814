"""A real browser without a driver: chromium's DevTools protocol over a pair of pipes.

https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import IO, Any

import shapes
from processes import wait_until

# As root, in a container, without a sandbox; and nothing that talks to anyone but the page's server.
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--window-size=900,700",
    "--remote-debugging-pipe",
)


class Browser:
    """The connection: a command goes out, its result comes back, each message ends with a zero byte."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self.requests, self.answers, self.ids = requests, answers, count(1)

    def call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        request = {"id": next(self.ids), "method": method, "params": params}
        if session:
            request["sessionId"] = session
        self.requests.write(json.dumps(request).encode() + b"\0")
        while True:
            message = b""
            while not message.endswith(b"\0"):
                byte = self.answers.read(1)
                assert byte, "chromium ended"
                message += byte
            answer = json.loads(message[:-1])
            if answer.get("id") == request["id"]:
                assert "result" in answer, answer
                return answer["result"]

    def open(self, url: str) -> "Page":
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(partial(self.call, session=session))
        page.goto(url)
        return page


class Page:
    """One tab: evaluate JavaScript, wait until it becomes true, take a screenshot."""

    def __init__(self, call: Callable[..., dict[str, Any]]) -> None:
        self.call = call

    def goto(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait_for(f"location.href.startsWith({json.dumps(url)}) && document.readyState === 'complete'")

    def evaluate(self, script: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, script: str, seconds: float = 20) -> None:
        wait_until(lambda: self.evaluate(script), f"not true: {script}", seconds)

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """Debian's chromium with an empty profile; skips where there is none."""
    binary = shutil.which("chromium") or shutil.which("google-chrome") or shapes.required("no chromium")
    from_us, to_chromium = os.pipe()
    from_chromium, to_us = os.pipe()

    def descriptors_3_and_4() -> None:
        ours = os.dup(from_us), os.dup(to_us)
        os.dup2(ours[0], 3)
        os.dup2(ours[1], 4)

    process = subprocess.Popen(
        [binary, *OPTIONS, f"--user-data-dir={profile}"],
        close_fds=False,
        preexec_fn=descriptors_3_and_4,
        stderr=subprocess.DEVNULL,
    )
    os.close(from_us)
    os.close(to_us)
    try:
        with os.fdopen(to_chromium, "wb", 0) as requests, os.fdopen(from_chromium, "rb") as answers:
            yield Browser(requests, answers)
    finally:
        process.terminate()
        process.wait(20)
