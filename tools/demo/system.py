"""The system the demo runs on: one of its own, brought up and taken down again, or one that is given."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from filelock import FileLock, Timeout

from tools.demo import show
from tools.demo.checks import DemoError

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".stack" / "demo"
NEEDED = ("NOTES_KAFKA", "NOTES_COMMAND_URL", "NOTES_QUERY_URL")


@dataclass(frozen=True)
class System:
    """Where everything is. `environment` is what programs of the system are given."""

    kafka: str
    command_url: str
    query_url: str
    environment: dict[str, str]


@contextmanager
def system() -> Iterator[System]:
    """Yield a system that is up. Raises DemoError.

    What was started is stopped, whatever happens; its logs are kept if the demo failed.
    """
    if all(os.environ.get(name) for name in NEEDED):
        show.say(f"The environment names a system ({', '.join(NEEDED)}): it is used as it is, and nothing is started.")
        yield _system(dict(os.environ))
        return
    STATE.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(STATE.with_name("demo.lock"), timeout=0):
            yield from _own_system()
    except Timeout:
        raise DemoError("Another demo is running in this checkout; wait until it has ended.") from None


def _own_system() -> Iterator[System]:
    _stack("down", "--purge", quiet=True)
    well = False
    try:
        began = perf_counter()
        _stack("up")
        show.right(f"servers and services are up, after {perf_counter() - began:.1f} s")
        lines = (STATE / "env").read_text().splitlines()
        yield _system({**os.environ, **dict(line.split("=", 1) for line in lines)})
        well = True
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
        show.chapter("Shut down")
        _stack("down", *(["--purge"] if well else []))
        if not well:
            show.say(f"The logs are in {STATE / 'logs'}.")


def _system(environment: dict[str, str]) -> System:
    kafka, command_url, query_url = (environment[name].rstrip("/") for name in NEEDED)
    return System(kafka, command_url, query_url, environment)


def _stack(*arguments: str, quiet: bool = False) -> None:
    command = [sys.executable, "-m", "tools.stack", *arguments, "--state", str(STATE)]
    errors = subprocess.PIPE if quiet else None
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
        try:
            _, told = process.communicate()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # a terminal sends it to both of us, `kill` to one only
            process.wait()
            raise
    if process.returncode:
        raise DemoError(f"`tools.stack {arguments[0]}` did not succeed.{f' {told}' if told else ''}")
