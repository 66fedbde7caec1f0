"""The ends of the logs."""

import os
import time
from pathlib import Path

from tools.stack import docker
from tools.stack.errors import RefusedError, last_lines
from tools.stack.folder import Folder
from tools.stack.state import load_state
from tools.stack.status import uses_docker

LOOK_EVERY = 0.3  # seconds between two looks at a log that is followed
ALIASES = {
    "command-service": "command",
    "query-service": "query",
    "postgresql": "postgres",
    "mongodb": "mongo",
}


def show_logs(folder: Folder, service: str | None, *, follow: bool, lines: int) -> int:
    """Print the last lines of one log or of all; with `follow` go on until interrupted.

    Raises:
        RefusedError: there is no such log.

    """
    name = ALIASES.get(service or "", service)
    paths = sorted(folder.logs.glob("*.log")) if name is None else [folder.log(name)]
    if name is None or paths[0].exists():
        for path in paths:
            print(f"==> {path}")
            print("\n".join(last_lines(path, lines)))
    if uses_docker(load_state(folder)) and (name is None or not paths[0].exists()):
        arguments = ["logs", f"--tail={lines}", *(["--follow"] if follow else []), *([name] if name else [])]
        os.execvpe("docker", docker.command(folder, *arguments), docker.environment(folder))  # noqa: S606
    if name and not paths[0].exists():
        known = ", ".join(sorted(path.stem for path in folder.logs.glob("*.log"))) or "none yet"
        raise RefusedError(f"There is no log called {service}. There are: {known}.")
    if follow:
        follow_all(paths)
    return 0


def follow_all(paths: list[Path]) -> None:
    """Print what is added to the files, for ever."""
    places = {path: path.stat().st_size for path in paths}
    while True:
        for path, place in places.items():
            size = path.stat().st_size if path.exists() else 0
            if size > place:
                with path.open("rb") as file:
                    file.seek(place)
                    print(file.read().decode(errors="replace"), end="", flush=True)
            places[path] = size  # a log that was begun anew is read from its beginning
        time.sleep(LOOK_EVERY)
