"""Docker or native: which of the two."""

import os
import re
import subprocess
from collections.abc import Callable
from urllib.parse import urlsplit

from tools.stack.errors import RefusedError
from tools.stack.folder import REPOSITORY

BACKENDS = ("docker", "native", "auto")
IMAGE = re.compile(r"^(?:    image: |FROM )([^$\s]+)", re.MULTILINE)
PULL_SECONDS = 1800


def choose_backend(
    wanted: str | None = None, *, last: str | None = None, say: Callable[[str], None] = lambda _: None
) -> str:
    """Return `docker` or `native`: as asked, as BACKEND says, as it was the last time, else Docker if it is of use.

    Args:
        wanted: overrides BACKEND.
        last: the backend that has the data of the last start.
        say: is told what a person may not expect.

    Raises:
        RefusedError: neither name, or Docker must be taken and is of no use.

    """
    backend = wanted or os.environ.get("BACKEND") or "auto"
    if backend not in BACKENDS:
        raise RefusedError(f"BACKEND is {backend!r}; it can be {', '.join(BACKENDS)}.")
    if backend != "auto":
        if last and last != backend:
            say(f"The notes of the last start are left aside: BACKEND={last} brings them back.")
        if backend == "docker" and (why := why_not_docker(say)):
            raise RefusedError(f"BACKEND is docker, but {why}. Mend that, or use BACKEND=native.")
        return backend
    if last == "docker":
        if why := why_not_docker(say):
            raise RefusedError(
                f"The notes of the last start are in Docker, but {why}. Mend that, or begin anew with BACKEND=native."
            )
        return last
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
    host = ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}").stdout.strip()
    if urlsplit(host).scheme in ("tcp", "ssh") and urlsplit(host).hostname not in ("127.0.0.1", "localhost", "::1"):
        return f"its engine is on another machine ({urlsplit(host).hostname}), where we cannot reach the ports"
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
    files = [REPOSITORY / "docker-compose.yml", *REPOSITORY.glob("*-service/deploy/Dockerfile")]
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
