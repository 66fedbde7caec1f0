"""Processes that outlive the one that started them, known by pid and start time."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from tools.stack.folder import REPOSITORY, Folder, read_json, write_whole
from tools.stack.ports import locks_of

KILL_AFTER = 30.0  # seconds for a server to write its files and end


@dataclass(frozen=True)
class Record:
    """A process as it was started; `mark` is its start time as the system gives it.

    `ports`: those it listens on, that of its address first. `restarts`: how often the keeper started it again.
    """

    name: str
    address: str
    log: str
    pid: int = 0
    mark: str = ""
    since: float = field(default_factory=time.time)
    ports: list[int] = field(default_factory=list)
    restarts: int = 0


@dataclass(frozen=True)
class Launch:
    """What to run; `user` is an account to run as, None for the present one. `ports`: see `Record`."""

    argv: Sequence[str]
    ports: Sequence[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    cwd: Path = Path("/")


def start_mark(pid: int) -> str | None:
    """Return what tells this process from a later one with the same pid, None if it has ended."""
    if Path("/proc/self/stat").exists():
        try:
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # A zombie whose other threads have not ended yet still holds its port and its files.
        state, threads, started = after_name[0], int(after_name[17]), after_name[19]
        return None if state in "ZX" and threads <= 1 else started
    command = ["ps", "-o", "stat=,lstart=", "-p", str(pid)]
    ps = subprocess.run(command, capture_output=True, text=True, check=False)
    shown, _, since = ps.stdout.strip().partition(" ")
    return None if not shown or shown.startswith("Z") else since.strip()


def alive(record: Record) -> bool:
    """Tell whether the recorded process itself still runs."""
    return record.pid > 0 and start_mark(record.pid) == record.mark


def listens(record: Record) -> bool:
    """Tell whether it is the recorded process, and nobody else, who listens on the port of its address."""
    if not alive(record) or not record.ports:
        return alive(record)
    try:
        one = psutil.Process(record.pid)
        found = [each.net_connections("tcp") for each in (one, *one.children(recursive=True))]
    except psutil.AccessDenied:
        return True  # of another account, as PostgreSQL is to root: it would have ended without its port
    except psutil.NoSuchProcess:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN and connection.laddr.port == record.ports[0]
        for connections in found
        for connection in connections
    )


def ended(record: Record) -> bool:
    """Tell whether there is nothing left of it; takes notice of a child's end."""
    if record.pid in _children:
        _children[record.pid].poll()
    return not alive(record)


def load(folder: Folder, name: str) -> Record | None:
    """Return the record of a process that was started, running or not."""
    content = read_json(folder.run / f"{name}.json")
    return Record(**content) if content else None


def spawn(folder: Folder, record: Record, launch: Launch) -> Record:
    """Start a process in a session of its own; its output becomes the log.

    The child writes its record itself before it turns into the server, so that whoever kills us in
    between leaves no server that nobody knows of.
    """
    log = Path(record.log)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    order = {
        "argv": list(launch.argv),
        "user": launch.user,
        "cwd": str(launch.cwd),
        "env": {**os.environ, **launch.env},
    }
    write_whole(order_file(folder, record.name), json.dumps(order), mode=0o600)  # passwords may be in it
    return carry_out(folder, record, order)


def order_file(folder: Folder, name: str) -> Path:
    """Return the file that says how a process was started, for whoever starts it again."""
    return folder.run / f"{name}.order"


def carry_out(folder: Folder, record: Record, order: Mapping[str, object]) -> Record:
    """Start a process as an order says; its output is added to its log."""
    order = {**order, "record": asdict(record), "path": str((folder.run / f"{record.name}.json").resolve())}
    with Path(record.log).open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "tools.stack.launcher"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=locks_of(record.ports),
        )
    assert child.stdin is not None
    with child.stdin as pipe:
        pipe.write(json.dumps(order).encode())
    _children[child.pid] = child
    return Record(**{**asdict(record), "pid": child.pid, "mark": start_mark(child.pid) or "ended"})


_children: dict[int, "subprocess.Popen[bytes]"] = {}  # kept so that none is reported as leaked


def stop(folder: Folder, record: Record, how: signal.Signals = signal.SIGTERM) -> bool:
    """End the recorded process and drop its record; tell whether it had to be killed."""
    killed = False
    if alive(record):
        os.kill(record.pid, how)
        deadline = time.monotonic() + KILL_AFTER
        while alive(record):
            if not killed and time.monotonic() > deadline:
                os.killpg(record.pid, signal.SIGKILL)
                killed = True
            time.sleep(0.02)
    if record.pid in _children:
        _children[record.pid].poll()
    for path in (folder.run / f"{record.name}.json", order_file(folder, record.name)):
        path.unlink(missing_ok=True)
    return killed
