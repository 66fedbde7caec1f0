"""What a person wants to know of the stack."""

import time
from concurrent.futures import ThreadPoolExecutor

from tools.stack import docker
from tools.stack.folder import Folder
from tools.stack.health import trouble
from tools.stack.keeper import NAME as KEEPER
from tools.stack.process import alive, listens, load
from tools.stack.state import VARIABLES, load_state

TITLES = ("Kafka", "PostgreSQL", "MongoDB", "command-service", "query-service")
HEAD = ("", "backend", "address", "pid", "up since", "health")


def rows(folder: Folder) -> list[tuple[str, ...]]:
    """Look at every part of the stack, all at the same time; a row's last cell begins with `healthy` if all is well."""
    state, keeper = load_state(folder), load(folder, KEEPER)
    in_docker = docker.running(folder, state)
    again = "the keeper starts it again" if keeper and alive(keeper) else "`make up` starts it again"

    def one(name: str) -> tuple[str, ...]:
        record, address = load(folder, name), state.addresses.get(name, "") if state else ""
        if state and name in state.given:
            return "given", address, "-", "-", trouble(name, address) or "healthy"
        if record:
            times = f", restarts: {record.restarts}" if record.restarts else ""
            row = "native", record.address, str(record.pid)
            if not alive(record):
                return *row, "-", f"has ended; {again}{times}; see {record.log}"
            if not listens(record):
                return *row, ago(record.since), f"the process does not listen there{times}; see {record.log}"
            return *row, ago(record.since), (trouble(name, record.address) or "healthy") + times
        if address and in_docker:
            since = str(in_docker.get(name, {}).get("RunningFor", "-"))
            return "docker", address, "-", since, trouble(name, address) or "healthy"
        return "-", "-", "-", "-", "not started"

    with ThreadPoolExecutor(len(VARIABLES)) as pool:
        return [(title, *row) for title, row in zip(TITLES, pool.map(one, VARIABLES), strict=True)]


def ago(since: float) -> str:
    """Return a start time as a person reads it."""
    seconds = int(time.time() - since)
    lasted = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(since))} ({lasted})"


def show_status(folder: Folder) -> int:
    """Print the table; return 0 if everything is healthy, else 1."""
    found = rows(folder)
    lines = [HEAD, *found]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0 if all(row[-1].startswith("healthy") for row in found) else 1
