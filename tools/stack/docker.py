"""The project's docker-compose.yml as a backend."""

import hashlib
import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from tools.stack.errors import MissingError, StartError
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.ports import Ports
from tools.stack.progress import Steps
from tools.stack.state import State

PORTS = ("kafka", "postgres", "mongo", "command", "query")  # docker-compose.yml takes NOTES_<NAME>_PORT
SERVICES = {"kafka": "kafka", "postgres": "postgres", "mongo": "mongo"}


def project(folder: Folder) -> str:
    """Return a project name of this folder's own, so that two checkouts do not meet."""
    return f"notes-{hashlib.sha256(str(folder.root.resolve()).encode()).hexdigest()[:10]}"


def command(folder: Folder, *arguments: str) -> list[str]:
    """Return a compose command line for this project."""
    return [
        "docker",
        "compose",
        "-p",
        project(folder),
        "-f",
        str(REPOSITORY / "docker-compose.yml"),
        *arguments,
    ]


def environment(folder: Folder) -> dict[str, str]:
    """Return the variables that docker-compose.yml reads, with the ports of the last start."""
    ports = Ports(folder)
    return {**os.environ, **{f"NOTES_{name.upper()}_PORT": str(ports.last(name) or 0) for name in PORTS}}


def compose(folder: Folder, *arguments: str) -> str:
    """Run a compose command and return its output, empty if it fails."""
    done = subprocess.run(
        command(folder, *arguments), env=environment(folder), capture_output=True, text=True, check=False
    )
    return done.stdout if done.returncode == 0 else ""


def containers(folder: Folder) -> list[dict[str, Any]]:
    """Return what compose knows of the project's containers, running or not."""
    lines = compose(folder, "ps", "--all", "--format", "json").splitlines()
    found = [json.loads(line) for line in lines if line.strip()]
    return found[0] if found and isinstance(found[0], list) else found


def running(folder: Folder, state: State | None) -> dict[str, dict[str, Any]]:
    """Return the containers that run, by service; none where the stack is not up in Docker."""
    if state is None or state.backend != "docker":
        return {}
    return {one["Service"]: one for one in containers(folder) if one["State"] == "running"}


def start_containers(folder: Folder, servers: Sequence[str], steps: Steps) -> dict[str, str]:
    """Bring the project up, or only the named servers if the environment gives some; return addresses.

    Raises:
        MissingError: Docker is there without its compose plugin.
        StartError: compose's own words are in its log.

    """
    if subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        raise MissingError("Docker runs, but `docker compose` is missing. Install its plugin, or use BACKEND=native.")
    ports, running = (
        Ports(folder),
        {one["Service"] for one in containers(folder) if one["State"] == "running"},
    )
    whole = len(servers) == len(SERVICES)
    for name in PORTS if whole else servers:
        if not (running and ports.last(name)):
            ports.choose(name)
    log = folder.log("compose")
    only = () if whole else ("--no-deps", *(SERVICES[name] for name in servers))
    build = ("--build",) if whole else ()
    with steps.step("Docker: build and start the containers"), log.open("wb") as output:
        done = subprocess.run(
            command(folder, "--progress", "plain", "up", "--detach", "--wait", *build, *only),
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise StartError("`docker compose up` failed", log)
    everything = addresses({name: ports.last(name) or 0 for name in PORTS})
    return everything if whole else {name: everything[name] for name in servers}


def addresses(ports: dict[str, int]) -> dict[str, str]:
    """Return addresses as this machine sees them.

    The replica set knows its member by a name that may only mean something inside; hence a direct connection.
    """
    return {
        "kafka": f"127.0.0.1:{ports['kafka']}",
        "postgres": f"postgresql://notes:notes@127.0.0.1:{ports['postgres']}/notes",
        "mongo": f"mongodb://127.0.0.1:{ports['mongo']}/notes?directConnection=true",
        "command": f"http://127.0.0.1:{ports['command']}",
        "query": f"http://127.0.0.1:{ports['query']}",
    }


def left_something(folder: Folder) -> bool:
    """Tell whether there may be volumes and images, up or not: a start leaves a log, which a purge removes."""
    return folder.log("compose").exists()


def stop_containers(folder: Folder, *, purge: bool) -> None:
    """Remove the project's containers, and with `purge` its volumes and the images that were built for it."""
    log = folder.log("compose-down")
    with log.open("wb") as output:
        done = subprocess.run(
            command(folder, "down", "--remove-orphans", *(["--volumes", "--rmi", "local"] if purge else [])),
            env=environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        raise StartError("`docker compose down` failed", log)
