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

from tools.stack.folder import REPOSITORY, Folder, read_json

KILL_AFTER = 30.0  # seconds for a server to write its files and end


@dataclass(frozen=True)
class Record:
    """A process as it was started; `mark` is its start time as the system gives it."""

    name: str
    address: str
    log: str
    pid: int = 0
    mark: str = ""
    since: float = field(default_factory=time.time)


@dataclass(frozen=True)
class Launch:
    """What to run; `user` is an account to run as, None for the present one."""

    argv: Sequence[str]
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
    path = folder.run / f"{record.name}.json"
    order = {
        "record": asdict(record),
        "path": str(path.resolve()),
        "argv": list(launch.argv),
        "user": launch.user,
        "cwd": str(launch.cwd),
        "env": {**os.environ, **launch.env},
    }
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "tools.stack.launcher"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
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
    (folder.run / f"{record.name}.json").unlink(missing_ok=True)
    return killed
