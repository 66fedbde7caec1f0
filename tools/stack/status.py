"""What a person wants to know of the stack."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from tools.stack import docker
from tools.stack.errors import in_short
from tools.stack.folder import Folder
from tools.stack.health import CHECKS
from tools.stack.process import alive, load
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
    """One line; `trouble` is empty if all is well."""

    name: str
    backend: str
    address: str
    pid: str
    since: str
    trouble: str


def rows(folder: Folder, state: State | None) -> list[Row]:
    """Look at every part of the stack, all at the same time."""
    in_docker = running(folder) if uses_docker(state) else {}

    def one(name: str) -> Row:
        record = load(folder, name)
        if state and name in state.given:
            return judged(name, "given", state.addresses.get(name, ""), "-", "-")
        if record:
            if not alive(record):
                return Row(name, "native", record.address, str(record.pid), "-", f"has ended; see {record.log}")
            return judged(name, "native", record.address, str(record.pid), ago(record.since))
        if state and name in state.addresses and in_docker:
            found = in_docker.get(name, {})
            return judged(name, "docker", state.addresses[name], "-", str(found.get("RunningFor", "-")))
        return Row(name, "-", "-", "-", "-", "not started")

    with ThreadPoolExecutor(len(VARIABLES)) as pool:
        return list(pool.map(one, VARIABLES))


def running(folder: Folder) -> dict[str, dict[str, Any]]:
    """Return the containers that run, by service."""
    return {one["Service"]: one for one in docker.containers(folder) if one["State"] == "running"}


def uses_docker(state: State | None) -> bool:
    """Tell whether there may be containers."""
    return state is not None and state.backend == "docker"


def judged(name: str, backend: str, address: str, pid: str, since: str) -> Row:
    """Return a row with the health of what should be running."""
    return Row(name, backend, address, pid, since, trouble(CHECKS[name], address))


def trouble(check: Callable[[str], None], address: str) -> str:
    """Return why the check fails, empty if it does not."""
    try:
        check(address)
    except Exception as error:  # noqa: BLE001 - any failure is what the table is there to show
        return in_short(error)
    return ""


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
        (TITLES[row.name], row.backend, row.address, row.pid, row.since, row.trouble or "healthy") for row in found
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    return 1 if any(row.trouble for row in found) else 0
