"""Docker or native: which of the two."""

import os
import shutil
import subprocess

from tools.stack.errors import RefusedError

BACKENDS = ("docker", "native", "auto")


def choose_backend(wanted: str | None = None) -> str:
    """Return `docker` or `native`: as asked, as BACKEND says, else Docker if an engine answers.

    Raises:
        RefusedError: neither name, or Docker was asked for and no engine answers.

    """
    backend = wanted or os.environ.get("BACKEND") or "auto"
    if backend not in BACKENDS:
        raise RefusedError(f"BACKEND is {backend!r}; it can be {', '.join(BACKENDS)}.")
    if backend == "docker" and not engine_answers():
        raise RefusedError("BACKEND is docker, but `docker info` gets no answer. Start Docker, or use BACKEND=native.")
    if backend == "auto":
        return "docker" if engine_answers() else "native"
    return backend


def engine_answers() -> bool:
    """Tell whether a Docker engine runs that we may use."""
    if not shutil.which("docker"):
        return False
    try:
        answer = subprocess.run(["docker", "info"], capture_output=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return False
    return answer.returncode == 0
