"""What the build of a test database used: code that ran, files that it read, variables that it asked for.

Code is noted by ``sys.monitoring`` (Python 3.11: a profile function), files and folders by audit
events. So is what each module reads when it is imported, which counts if the build used the module.
What cannot be noted, since it happens outside of the process, is said in ``outside``.
"""

import ast
import inspect
import os
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from functools import cache, partial
from importlib import util
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from ..audit import Audit, Handlers
from .key import digest, file_digest

# When the process began to import the project: what has changed since may not be what it runs.
STARTED = time.time()
DAY = 24 * 60 * 60
LIBRARIES = tuple(
    f"{os.path.realpath(sysconfig.get_path(name))}{os.sep}"
    for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
ELSEWHERE = ("/proc/", "/dev/", "/sys/", f"{Path(__file__).resolve().parents[1]}{os.sep}")
CACHED = ("__pycache__", "site-packages", "dist-packages", ".pytest_cache", f"{os.sep}.coverage")
# Variables that say how a terminal or a worker of pytest-xdist looks.
WORKER = ("PYTEST_", "COV_", "COVERAGE_")
TERMINAL = {"COLUMNS", "LINES", "TERM", "ANSICON", "WT_SESSION", "NO_COLOR", "FORCE_COLOR"}
TERMINAL |= {"PYTHON_COLORS", "DJANGO_COLORS"}
Environ = type(os.environ)


@cache
def is_project(file: str) -> bool:
    """Whether a file may change without a package being installed."""
    path = os.path.realpath(file)
    return (
        os.path.isabs(file)
        and not path.startswith((*LIBRARIES, *ELSEWHERE))
        and not any(part in path for part in CACHED)
    )


class Recorder:
    def __init__(self) -> None:
        self.files: set[str] = set()
        self.environ: set[str] = set()
        self.written: set[str] = set()
        # A module of the project -> the files (True) and variables (False) that it asked for.
        self.imports: dict[str, set[tuple[bool, str]]] = {}
        self.outside = ""
        self.builds = False
        self.audit = Audit()
        self.read = Environ.__getitem__

    def start(self) -> None:
        """Begin to note what modules read; ``building()`` notes the rest."""
        if not self.audit.handlers:
            self.audit.watch(self.handlers())
        self.audit.on = True

        def noted_read(environ: Any, name: Any) -> str:
            self.use(name, is_file=False)
            return self.read(environ, name)

        Environ.__getitem__ = noted_read

    def handlers(self) -> Handlers:
        starts = ("subprocess.Popen", "os.system", "os.posix_spawn", "os.fork", "os.exec")
        return {
            "open": self.opened,
            "os.listdir": self.listed,
            "os.scandir": self.listed,
            "socket.connect": partial(self.left, "connected to a server"),
        } | dict.fromkeys(starts, partial(self.left, "started a process"))

    def stop(self) -> None:
        self.audit.on = False
        Environ.__getitem__ = self.read

    @contextmanager
    def building(self) -> Generator[None]:
        with ExitStack() as stack:
            try:
                stack.enter_context(_code_noted(self.note))
            except BlockingIOError:
                self.outside = "profilers run, so it cannot be watched"
            self.builds = True
            self.start()
            stack.callback(self.stop)
            yield

    def note(self, file: str) -> None:
        if is_project(file):
            self.files.add(os.path.realpath(file))

    def use(self, name: Any, *, is_file: bool) -> None:
        if self.builds:
            (self.files if is_file else self.environ).add(name)
        elif file := _importer():
            self.imports.setdefault(file, set()).add((is_file, name))

    def opened(self, path: Any, mode: str | None, flags: int) -> None:
        if isinstance(path, int) or (not self.builds and str(path).endswith((".py", ".pyc"))):
            return
        path = os.path.abspath(os.fsdecode(path))
        if not is_project(path):
            return
        if not flags & (os.O_WRONLY | os.O_RDWR):
            self.use(path, is_file=True)
        elif self.builds and not flags & os.O_APPEND:  # A log file.
            self.written.add(path)

    def listed(self, path: Any = None) -> None:
        hook = inspect.currentframe().f_back
        importer = hook.f_back.f_code.co_filename.startswith("<frozen importlib")
        if not isinstance(path, int) and not importer:
            path = os.path.abspath(os.fsdecode(path or "."))
            if is_project(f"{path}{os.sep}"):
                self.use(path, is_file=True)

    def left(self, what: str, *args: Any) -> None:
        if self.builds:
            self.outside = self.outside or f"a migration {what}"

    def take_over(self, manifest: dict[str, Any]) -> None:
        """What a database was built of may be what the next one's migrations read from it."""
        self.files |= manifest["files"].keys()
        self.environ |= manifest["environ"].keys()

    def manifest(self) -> dict[str, Any]:
        """What valid() compares; ``outside`` says why nothing should be kept, if so."""
        names, environ = _closed(self.files), {*self.environ}
        for is_file, name in {used for file in [*names] for used in self.imports.get(file, ())}:
            (names if is_file else environ).add(name)
        files = {file: file_digest(file) for file in names}
        for file in filter(os.path.isfile, files):
            with suppress(OSError):
                status, now = os.stat(file), time.time()
                if any(STARTED <= moment <= now for moment in (status.st_mtime, status.st_ctime)):
                    self.outside = self.outside or f"{_short(file)} was changed during the run"
        for file in sorted(self.written):
            if os.path.exists(file):
                self.outside = self.outside or f"a migration wrote {_short(file)}"
        asked = {
            name: digest(os.environ.get(name))
            for name in environ - TERMINAL
            if isinstance(name, str) and not name.startswith(WORKER)
        }
        return {"files": files, "environ": asked, "time": time.time()}


def changes(manifest: dict[str, Any], parts: dict[str, str]) -> Generator[str]:
    """The names of what is not as it was when the database was built; none: it is still right."""
    before = manifest["parts"]
    yield from (name for name in {**before, **parts} if before.get(name) != parts.get(name))
    for name, value in manifest["environ"].items():
        if digest(os.environ.get(name)) != value:
            yield f"the variable {name}"
    for file, value in manifest["files"].items():
        if file_digest(file) != value:
            yield _short(file)
    if not 0 <= time.time() - manifest["time"] < DAY:
        yield "a day has passed"


@contextmanager
def _code_noted(note: Callable[[str], None]) -> Generator[None]:
    """BlockingIOError: others take the places for this."""
    if sys.version_info < (3, 12):
        if sys.getprofile() or threading.getprofile():
            raise BlockingIOError

        def called(frame: FrameType, event: str, argument: Any) -> None:
            if event == "call":
                note(frame.f_code.co_filename)

        for profile in (sys.setprofile, threading.setprofile):
            profile(called)
        try:
            yield
        finally:
            for profile in (sys.setprofile, threading.setprofile):
                profile(None)
        return

    def started(code: CodeType, offset: int) -> Any:
        note(code.co_filename)
        return sys.monitoring.DISABLE

    monitoring, start = sys.monitoring, sys.monitoring.events.PY_START
    # The others are for debuggers, coverage, profilers and optimizers.
    tool = next((number for number in (3, 4) if not monitoring.get_tool(number)), None)
    if tool is None:
        raise BlockingIOError
    monitoring.use_tool_id(tool, "test databases")
    monitoring.register_callback(tool, start, started)
    monitoring.set_events(tool, start)
    try:
        yield
    finally:
        monitoring.set_events(tool, 0)
        monitoring.register_callback(tool, start, None)
        monitoring.free_tool_id(tool)


def _importer() -> str | None:
    """The file of the project whose code asks."""
    frame = inspect.currentframe()
    while frame:
        if is_project(frame.f_code.co_filename):
            return os.path.realpath(frame.f_code.co_filename)
        frame = frame.f_back
    return None


def _closed(files: Iterable[str]) -> set[str]:
    """These files, and those of the project that they import, and so on."""
    modules = {
        os.path.realpath(file): module
        for module in [*sys.modules.values()]
        if isinstance(file := getattr(module, "__file__", None), str) and is_project(file)
    }
    found, left = set[str](), [*files]
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += _imported(file, modules.get(file)) if file.endswith(".py") else ()
    return found


def _imported(file: str, module: Any) -> Generator[str]:
    package, names = getattr(module, "__package__", None) or "", set[str]()
    with suppress(OSError, SyntaxError, ValueError):
        for node in ast.walk(ast.parse(Path(file).read_bytes())):
            if isinstance(node, ast.Import):
                names |= {one.name for one in node.names}
            elif isinstance(node, ast.ImportFrom):
                with suppress(ImportError):
                    base = util.resolve_name(f"{'.' * node.level}{node.module or ''}", package)
                    names |= {f"{base}.{one.name}" for one in node.names}
    parents = {name.rsplit(".", n)[0] for name in names for n in range(name.count(".") + 1)}
    for name in names | parents:
        found = getattr(sys.modules.get(name), "__file__", None)
        if isinstance(found, str) and is_project(found):
            yield os.path.realpath(found)


def _short(file: str) -> str:
    with suppress(ValueError):
        return str(Path(file).relative_to(Path.cwd()))
    return file
