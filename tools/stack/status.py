"""What a person wants to know of the stack."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from tools.stack import docker
from tools.stack.folder import Folder
from tools.stack.health import trouble
from tools.stack.keeper import NAME as KEEPER
from tools.stack.process import Record, alive, listens, load
from tools.stack.state import VARIABLES, State, load_state

TITLES = {
    "kafka": "Kafka",
    "postgres": "PostgreSQL",
    "mongo": "MongoDB",
    "command": "command-service",
    "query": "query-service",
}


@dataclass(frozen=True)
class Row:
    """One line; `trouble` is empty if all is well. `restarts`: how often it ended by itself, in words."""

    name: str
    backend: str
    address: str
    pid: str
    since: str
    trouble: str
    restarts: str = ""


def times(record: Record) -> str:
    """Return how often the keeper has started it again, as words to add."""
    return f", restarts: {record.restarts}" if record.restarts else ""


def rows(folder: Folder, state: State | None) -> list[Row]:
    """Look at every part of the stack, all at the same time."""
    in_docker = docker.running(folder, state)
    keeper = load(folder, KEEPER)
    again = "the keeper starts it again" if keeper and alive(keeper) else "`make up` starts it again"

    def one(name: str) -> Row:
        record = load(folder, name)
        if state and name in state.given:
            return judged(name, "given", state.addresses.get(name, ""), "-", "-")
        if record:
            if not alive(record):
                why = f"has ended; {again}{times(record)}; see {record.log}"
                return Row(name, "native", record.address, str(record.pid), "-", why)
            if not listens(record):
                why = f"the process does not listen there{times(record)}; see {record.log}"
                return Row(name, "native", record.address, str(record.pid), ago(record.since), why)
            row = judged(name, "native", record.address, str(record.pid), ago(record.since))
            return replace(row, restarts=times(record))
        if state and name in state.addresses and in_docker:
            found = in_docker.get(name, {})
            return judged(name, "docker", state.addresses[name], "-", str(found.get("RunningFor", "-")))
        return Row(name, "-", "-", "-", "-", "not started")

    with ThreadPoolExecutor(len(VARIABLES)) as pool:
        return list(pool.map(one, VARIABLES))


def judged(name: str, backend: str, address: str, pid: str, since: str) -> Row:
    """Return a row with the health of what should be running."""
    return Row(name, backend, address, pid, since, trouble(name, address))


def ago(since: float) -> str:
    """Return a start time as a person reads it."""
    seconds = int(time.time() - since)
    lasted = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(since))} ({lasted})"


def show_status(folder: Folder) -> int:
    """Print the table; return 0 if everything is healthy, else 1."""
    found = rows(folder, load_state(folder))
    lines = [("", "backend", "address", "pid", "up since", "health")]
    lines += [
        (TITLES[row.name], row.backend, row.address, row.pid, row.since, (row.trouble or "healthy") + row.restarts)
        for row in found
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    return 1 if any(row.trouble for row in found) else 0
