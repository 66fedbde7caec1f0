"""The project's docker-compose.yml as a backend: whether to take it, and what to ask of it."""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

from tools.stack.errors import MissingError, StackError
from tools.stack.folder import REPOSITORY, Folder
from tools.stack.ports import Ports
from tools.stack.process import run_to_end
from tools.stack.progress import Steps
from tools.stack.state import SERVERS, State, asked

IMAGE = re.compile(r"^(?:    image: |FROM )([^$\s]+)", re.MULTILINE)
PORTS = (*SERVERS, "command", "query", "web", "command_ops", "query_ops")  # docker-compose.yml takes NOTES_<NAME>_PORT
PULL_SECONDS = 1800


def choose_backend(last: str | None = None, say: Callable[[str], None] = lambda _: None) -> str:
    """Return `docker` or `native`: as BACKEND says, as it was the last time, else Docker if it is of use.

    `last`: the backend that has the data of the last start. `say` is told what a person may not expect. Raises
    StackError: BACKEND is neither, or Docker must be taken and is of no use.
    """
    backend = asked("BACKEND")
    if {backend, last} == {"docker", "native"}:
        say(f"The notes of the last start are left aside: BACKEND={last} brings them back.")
    if backend == "native":
        return backend
    if "docker" in (backend, last):
        if why := why_not_docker(say):
            which = "BACKEND is docker" if backend == "docker" else "The notes of the last start are in Docker"
            raise StackError(f"{which}, but {why}. Mend that, or begin anew with BACKEND=native.")
        return "docker"
    if not engine_answers():
        return "native"
    if last == "native":
        say("A Docker engine answers, but the notes of the last start are native: native again (else: BACKEND=docker).")
        return last
    if why := why_not_docker(say):
        say(f"Docker is not used: {why}.")
        return "native"
    return "docker"


def why_not_docker(say: Callable[[str], None]) -> str | None:
    """Return why the system cannot run in Docker, None if it can. Images that are missing are pulled."""
    host = urlsplit(ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip())
    if host.scheme in ("tcp", "ssh") and host.hostname not in ("127.0.0.1", "localhost", "::1"):
        return f"its engine is on another machine ({host.hostname}), where we cannot reach the ports"
    if not engine_answers():
        return "`docker info` gets no answer"
    for image in images():
        if ask("image", "inspect", image).returncode:
            say(f"Docker: pulls {image} ...")
            pulled = ask("pull", "--quiet", image, seconds=PULL_SECONDS)
            if pulled.returncode:
                return f"its engine cannot pull {image} ({(pulled.stderr.strip().splitlines() or ['no reason'])[-1]})"
    return None


def images() -> list[str]:
    """Return the images of the servers, and what the services' images are built from."""
    files = [REPOSITORY / "docker-compose.yml", *REPOSITORY.glob("*/deploy/Dockerfile")]
    return list(dict.fromkeys(image for file in files for image in IMAGE.findall(file.read_text(encoding="utf-8"))))


def engine_answers() -> bool:
    """Tell whether a Docker engine runs that we may use."""
    return ask("info").returncode == 0


def ask(*words: str, seconds: float = 10) -> "subprocess.CompletedProcess[str]":
    """Run a docker command; one that takes too long has failed."""
    try:
        return subprocess.run(["docker", *words], capture_output=True, text=True, timeout=seconds, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(words, 1, "", "there is no docker command")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer within {seconds:g} s")


def project(folder: Folder) -> str:
    """Return a project name of this folder's own, so that two checkouts do not meet."""
    return f"notes-{hashlib.sha256(str(folder.root.resolve()).encode()).hexdigest()[:10]}"


def command(folder: Folder, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """Return a compose command line for this project, and its environment, with the ports of the last start."""
    ports = Ports(folder)
    variables = {f"NOTES_{name.upper()}_PORT": str(ports.last(name) or 0) for name in PORTS}
    file = str(REPOSITORY / "docker-compose.yml")
    return ["docker", "compose", "-p", project(folder), "-f", file, *arguments], {**os.environ, **variables}


def compose(folder: Folder, log: str, *arguments: str) -> None:
    """Run a compose command; its own words are in the log. Raises StartError."""
    argv, env = command(folder, *arguments)
    verb = next(word for word in arguments if word in ("up", "down"))
    run_to_end(f"`docker compose {verb}`", argv, folder.log(log), env=env)


def containers(folder: Folder) -> list[dict[str, Any]]:
    """Return what compose knows of the project's containers, running or not."""
    argv, env = command(folder, "ps", "--all", "--format", "json")
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []
    return found[0] if found and isinstance(found[0], list) else found


def running(folder: Folder, state: State | None) -> dict[str, dict[str, Any]]:
    """Return the containers that run, by service; none where the stack is not up in Docker."""
    known = containers(folder) if state and state.backend == "docker" else []
    return {one["Service"]: one for one in known if one["State"] == "running"}


def start_containers(folder: Folder, servers: Sequence[str], steps: Steps) -> dict[str, str]:
    """Bring the project up, or only the named servers if the environment gives some; return addresses.

    Raises MissingError: Docker is there without its compose plugin. Raises StartError.
    """
    if ask("compose", "version").returncode:
        raise MissingError("Docker runs, but `docker compose` is missing. Install its plugin, or use BACKEND=native.")
    ports, runs = Ports(folder), running(folder, State("docker"))
    whole = len(servers) == len(SERVERS)
    names = PORTS if whole else servers
    for name in names:
        if not (runs and ports.last(name)):
            ports.choose(name)
    how = ("--build",) if whole else ("--no-deps", *servers)
    with steps.step("Docker: build and start the containers"):
        compose(folder, "compose", "--progress", "plain", "up", "--detach", "--wait", *how)
    everything = addresses({name: ports.last(name) or 0 for name in PORTS})
    return {name: everything[name] for name in (*names, *(("auth",) if whole else ()))}


def addresses(ports: dict[str, int]) -> dict[str, str]:
    """Return addresses as this machine sees them.

    The replica set knows its member by a name that may only mean something inside; hence a direct connection.
    """
    return {
        "kafka": f"127.0.0.1:{ports['kafka']}",
        "postgres": f"postgresql://notes:notes@127.0.0.1:{ports['postgres']}/notes",
        "mongo": f"mongodb://127.0.0.1:{ports['mongo']}/notes?directConnection=true",
        **{name: f"http://127.0.0.1:{ports[name]}" for name in PORTS if name not in SERVERS},
        "auth": "none",
    }


def stop_containers(folder: Folder, *, purge: bool) -> None:
    """Remove the project's containers, and with `purge` its volumes and the images that were built for it."""
    everything = ("--volumes", "--rmi", "local") if purge else ()
    compose(folder, "compose-down", "down", "--remove-orphans", *everything)
