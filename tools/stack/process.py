"""Processes that outlive the one that started them, known by pid and start time."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import psutil

from tools.stack.errors import BuildingError, StackError, StartError, in_short
from tools.stack.folder import REPOSITORY, Folder, read_json, write_whole
from tools.stack.launcher import start_mark
from tools.stack.ports import locks_of

KILL_AFTER = 30.0  # seconds for a server to write its files and end
LOOK_EVERY = 0.02  # seconds
BUILDING_EVERY = 0.2  # seconds
DEADLINE = 120.0  # seconds to be of use; a busy machine takes ten times what a quiet one does


@dataclass(frozen=True)
class Record:
    """A process as it was started; `mark` is its start time as the system gives it.

    `ports`: those it listens on, that of its address first. `restarts`: how often the keeper started it again.
    """

    name: str
    address: str
    log: str
    ports: Sequence[int] = ()
    pid: int = 0
    mark: str = ""
    since: float = field(default_factory=time.time)
    restarts: int = 0


@dataclass(frozen=True)
class Launch:
    """What to run; `user` is an account to run as, None for the present one. `address`, `ports`: see `Record`."""

    address: str
    argv: Sequence[str]
    ports: Sequence[int] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    cwd: str = "/"


def run_to_end(what: str, argv: Sequence[str], log: Path, seconds: float | None = None, **options: Any) -> None:
    """Run a program to its end; its output is in the log. Raises StartError: it failed, or took too long."""
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, timeout=seconds, check=False, **options
            )
        except subprocess.TimeoutExpired:
            raise StartError(f"{what} was not done after {seconds:g} s", log) from None
    if done.returncode:
        raise StartError(f"{what} ended with exit code {done.returncode}", log)


def alive(record: Record) -> bool:
    """Tell whether the recorded process itself still runs."""
    return record.pid > 0 and start_mark(record.pid) == record.mark


def listens(record: Record) -> bool:
    """Tell whether it is the recorded process, and nobody else, who listens on the port of its address."""
    if not alive(record) or not record.ports:
        return alive(record)
    found = list[Any]()
    try:
        one = psutil.Process(record.pid)
        for process in (one, *one.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # of a child that ended meanwhile, as PostgreSQL's do all the time
                found += process.net_connections("tcp")
    except psutil.AccessDenied:
        return True  # of another account, as PostgreSQL is to root: it would have ended without its port
    except psutil.NoSuchProcess:
        return False
    return any(each.status == psutil.CONN_LISTEN and each.laddr.port == record.ports[0] for each in found)


def ended(record: Record) -> bool:
    """Tell whether there is nothing left of it; takes notice of a child's end."""
    if record.pid in _children:
        _children[record.pid].poll()
    return not alive(record)


def load(folder: Folder, name: str) -> Record | None:
    """Return the record of a process that was started, running or not."""
    content = read_json(folder.run / f"{name}.json")
    return Record(**content) if content else None


def order_file(folder: Folder, name: str) -> Path:
    """Return the file that says how a process was started, for whoever starts it again."""
    return folder.run / f"{name}.order"


def spawn(folder: Folder, name: str, launch: Launch) -> Record:
    """Start a process in a session of its own; its output becomes the log."""
    log = folder.log(name)
    if log.exists():
        log.replace(log.with_name(f"{log.name}.1"))
    order = asdict(launch) | {"env": {**os.environ, **launch.env}}
    write_whole(order_file(folder, name), json.dumps(order), mode=0o600)  # passwords may be in it
    return carry_out(folder, Record(name, launch.address, str(log), list(launch.ports)), order)


def carry_out(folder: Folder, record: Record, order: Mapping[str, object]) -> Record:
    """Start a process as an order says; its output is added to its log.

    The child writes its record itself before it turns into the server, so that whoever kills us in between leaves no
    server that nobody knows of.
    """
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
    return replace(record, pid=child.pid, mark=start_mark(child.pid) or "ended")


_children: dict[int, "subprocess.Popen[bytes]"] = {}  # kept so that none is reported as leaked


def stop(folder: Folder, record: Record, how: signal.Signals = signal.SIGTERM) -> bool:
    """End the recorded process and drop its record; tell whether it had to be killed."""
    killed = False
    if alive(record):
        with suppress(ProcessLookupError):  # it ended just now
            os.kill(record.pid, how)
        deadline = time.monotonic() + KILL_AFTER
        while not ended(record):
            if not killed and time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.killpg(record.pid, signal.SIGKILL)
                killed = True
            time.sleep(0.02)
    for path in (folder.run / f"{record.name}.json", order_file(folder, record.name)):
        path.unlink(missing_ok=True)
    return killed


def poll(check: Callable[[], object], keep_on: Callable[[], bool] = lambda: True) -> None:
    """Repeat the check until it raises nothing. Raises TimeoutError: the deadline has passed, or it is no use.

    While it raises BuildingError there is no deadline.
    """
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            check()
        except StackError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is "not yet", with this reason
            why, building = in_short(error), isinstance(error, BuildingError)
        else:
            return
        if not keep_on():
            raise TimeoutError("the process has ended")
        if building:
            deadline = time.monotonic() + DEADLINE
        if time.monotonic() > deadline:
            raise TimeoutError(f"no good answer within {DEADLINE:.0f} s; the last one: {why}")
        time.sleep(BUILDING_EVERY if building else LOOK_EVERY)


def taken(port: int) -> bool:
    """Tell whether anybody listens on the port; so it may be where the system does not say."""
    tables = [table for table in map(Path, ("/proc/net/tcp", "/proc/net/tcp6")) if table.exists()]
    listening = re.compile(rf"^\s*\d+: \w+:{port:04X} \w+:0000 0A ", re.MULTILINE)
    return not tables or any(listening.search(table.read_text(encoding="ascii")) for table in tables)


def wait_until(title: str, record: Record, check: Callable[[], object]) -> None:
    """Wait for a process of ours to be of use: it is the one who listens, and what it answers is right.

    Raises StartError: it has ended, or the deadline has passed.
    """
    known = False

    def ours() -> None:
        nonlocal known
        # Whose port it is takes longer to find out, and mostly nobody has it yet.
        known = known or (all(map(taken, record.ports[:1])) and listens(record))
        if not known:
            raise ConnectionError(f"the process {record.pid} does not listen at {record.address}")
        check()

    try:
        poll(ours, lambda: alive(record))
    except TimeoutError as error:
        raise StartError(f"{title} did not start: {error}", Path(record.log)) from None
