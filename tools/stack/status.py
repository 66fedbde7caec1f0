"""What a person wants to know of the stack: what runs, and the ends of the logs."""

import os
import time
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from notes_chassis.terminal import table
from tools.stack import docker
from tools.stack.errors import StackError, last_lines
from tools.stack.folder import Folder
from tools.stack.health import trouble
from tools.stack.keeper import NAME as KEEPER
from tools.stack.keeper import kept
from tools.stack.process import alive, listens, load
from tools.stack.state import TITLES, last_backend, load_state, settings, shown

HEAD = ("", "backend", "address", "pid", "up since", "health")


def rows(folder: Folder) -> list[tuple[str, ...]]:
    """Look at every part of the stack, all at the same time; a row's last cell begins with `healthy` if all is well."""
    state, keeper = load_state(folder), load(folder, KEEPER)
    ours = settings(state.addresses) if state else {}
    in_docker = docker.running(folder, state)
    again = "the keeper starts it again" if keeper and alive(keeper) else "`make up` starts it again"

    def one(name: str) -> tuple[str, ...]:
        record, address = load(folder, name), state.addresses.get(name, "") if state else ""
        if state and name in state.given:
            return "given", shown(address), "-", "-", shown(trouble(name, address)) or "healthy"
        if record:
            times = f", restarts: {record.restarts}" if record.restarts else ""
            row = "native", shown(record.address), str(record.pid)
            if not alive(record):
                return *row, "-", f"has ended; {again}{times}; see {record.log}"
            if not listens(record):
                return *row, ago(record.since), f"the process does not listen there{times}; see {record.log}"
            return *row, ago(record.since), (trouble(name, record.address, ours) or "healthy") + times
        if address and in_docker:
            since = str(in_docker.get(name, {}).get("RunningFor", "-"))
            return "docker", shown(address), "-", since, trouble(name, address, ours) or "healthy"
        return "-", "-", "-", "-", "not started"

    with ThreadPoolExecutor(len(TITLES)) as pool:
        return [(title, *row) for title, row in zip(TITLES.values(), pool.map(one, TITLES), strict=True)]


def ago(since: float) -> str:
    """Return a start time as a person reads it."""
    seconds = int(time.time() - since)
    lasted = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{time.strftime('%Y-%m-%d %H:%M', time.localtime(since))} ({lasted})"


def those_up(folder: Folder) -> list[Folder]:
    """Return what is up: of this folder, and below it of a demo that was kept; the folder itself where nothing is."""
    below = [Folder(run.parent) for run in sorted(folder.root.glob("*/run"))]
    return [one for one in (folder, *below) if load_state(one)] or [folder]


def show_status(folder: Folder) -> int:
    """Print a table for each that is up; return 0 if everything is healthy, else 1."""
    well = True
    for one in those_up(folder):
        found = rows(one)
        if one is not folder:
            print(f"{one.root}:")
        print(table(HEAD, found))
        well = well and all(row[-1].startswith("healthy") for row in found)
    return 0 if well else 1


LINES = 20
ALIASES = {title.lower(): name for name, title in TITLES.items()}


def show_logs(folder: Folder, service: str | None, *, follow: bool) -> int:
    """Print the last lines of one log or of all; with `follow` go on until interrupted.

    Raises StackError: there is no such log, or none at all.
    """
    folder = those_up(folder)[0]
    name = ALIASES.get(service or "", service)
    state = load_state(folder)
    in_docker = {one["Service"] for one in docker.containers(folder)} if state and state.backend == "docker" else set()
    in_docker -= {record.name for record in kept(folder)}
    paths = [path for path in sorted(folder.logs.glob("*.log")) if belongs(path, in_docker, last_backend(folder))]
    known = {path.stem for path in paths} | in_docker
    if not known:
        raise StackError("There are no logs yet.")
    if name and name not in known:
        raise StackError(f"There is no log called {service}. There are: {', '.join(sorted(known))}.")
    paths = [path for path in paths if name in (None, path.stem)]
    for path in paths:
        print(f"==> {path}")
        print("\n".join(last_lines(path, LINES)), flush=True)
    if in_docker and (name is None or name in in_docker):
        arguments = [f"--tail={LINES}", *(["--follow"] if follow else []), *([name] if name else [])]
        argv, env = docker.command(folder, "logs", *arguments)
        os.execvpe("docker", argv, env)  # noqa: S606
    if follow:
        os.execvp("tail", ["tail", "-n", "0", "-F", *map(str, paths)])  # noqa: S606
    return 0


def belongs(log: Path, in_docker: Collection[str], backend: str | None) -> bool:
    """Tell whether a log is of what is up now, or was the last time: not one that another backend left."""
    if in_docker:
        return log.stem not in in_docker and log.stem.partition("-")[0] not in in_docker
    return backend != "docker" or log.stem.startswith("compose")
