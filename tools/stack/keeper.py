"""Starts again what has ended by itself: python -m tools.stack.keeper FOLDER. `up` starts it."""

import signal
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from filelock import Timeout

from tools.stack.errors import StackError, in_short
from tools.stack.folder import REPOSITORY, Folder, locked, read_json
from tools.stack.ports import reserve
from tools.stack.process import Launch, Record, alive, carry_out, ended, load, order_file, poll, spawn

NAME = "keeper"
LOOK_EVERY = 0.5  # seconds between two looks
FIRST, LONGEST = 1.0, 60.0  # seconds of the back-off
WELL_AFTER = 60.0  # seconds after which a start counts as good, and the back-off begins anew


def start_keeper(folder: Folder) -> None:
    """Have a keeper at work, if there is anything to keep."""
    record = load(folder, NAME)
    if any(kept(folder)) and not (record and alive(record)):
        argv = [sys.executable, "-m", "tools.stack.keeper", str(folder.root.resolve())]
        until_recorded(folder, spawn(folder, NAME, Launch("-", argv, cwd=str(REPOSITORY))))


def kept(folder: Folder) -> list[Record]:
    """Return the records of what was started, the keeper's excepted."""
    names = sorted(path.stem for path in folder.run.glob("*.order"))
    return [record for name in names if name != NAME and (record := load(folder, name))]


@dataclass
class Wait:
    """How long after a start the next one has to wait, and when the last one was."""

    seconds: float
    since: float


def look(folder: Folder, waits: dict[str, Wait]) -> None:
    """Start what has ended, each after its own back-off; leave everything alone while `up` or `down` is at work."""
    for seen in kept(folder):
        wait = waits.get(seen.name)
        if not ended(seen):
            if wait and time.monotonic() - wait.since > WELL_AFTER:
                del waits[seen.name]
            continue
        for port in seen.ports:
            reserve(port, folder.ports_file.resolve(), seen.name)  # before somebody else takes it
        if wait and time.monotonic() - wait.since < wait.seconds:
            continue
        try:
            with locked(folder, 0):
                record = load(folder, seen.name)
                if record == seen:
                    restart(folder, record)
                    waits[seen.name] = Wait(min(LONGEST, wait.seconds * 2) if wait else FIRST, time.monotonic())
        except Timeout:
            continue


def restart(folder: Folder, record: Record) -> None:
    """Start a process as it was started before, and wait until its record is written."""
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    print(f"{since} {record.name} had ended and is started again: restart {record.restarts + 1}", flush=True)
    order = read_json(order_file(folder, record.name))
    until_recorded(folder, carry_out(folder, replace(record, restarts=record.restarts + 1, since=time.time()), order))


def until_recorded(folder: Folder, new: Record) -> None:
    """Wait until a process has written its record: before that, `down` does not know of it."""

    def written() -> None:
        known = load(folder, new.name)
        if known is None or known.pid != new.pid:
            raise LookupError(new.name)

    poll(written, lambda: alive(new))


def main() -> None:
    """Keep on until told to stop, or until the folder is gone."""
    folder, over = Folder(Path(sys.argv[1])), threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: over.set())
    waits: dict[str, Wait] = {}
    while folder.run.is_dir() and not over.wait(LOOK_EVERY):
        try:
            look(folder, waits)
        except (OSError, ValueError, StackError) as error:  # a full disk, for example; the next look may do
            print(in_short(error), flush=True)


if __name__ == "__main__":
    main()
