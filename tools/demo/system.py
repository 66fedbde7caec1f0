"""The system the demo runs on: one of its own, brought up and taken down again, or one that is given."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from filelock import FileLock, Timeout

from tools.demo.client import RIGHT, DemoError, chapter, say

ROOT = Path(__file__).resolve().parents[2]
STATE = ROOT / ".stack" / "demo"
NEEDED = ("NOTES_KAFKA", "NOTES_COMMAND_URL", "NOTES_QUERY_URL")


@contextmanager
def system(*, keep: bool = False) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a system that is up. Raises DemoError.

    What was started is stopped, whatever happens; with `keep` it is not if every step was right.
    """
    if all(os.environ.get(name) for name in NEEDED):
        say(f"The environment names a system ({', '.join(NEEDED)}): it is used as it is, and nothing is started.")
        yield os.environ
        return
    STATE.mkdir(parents=True, exist_ok=True)
    lock = FileLock(STATE.with_name("demo.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise DemoError("Another demo is running in this checkout; wait until it has ended.") from None
    purge: tuple[str, ...] = ()
    kept = STATE / "kept"
    kept.unlink(missing_ok=True)
    _stack("down", "--purge", errors=subprocess.DEVNULL)
    try:
        began = perf_counter()
        _stack("up")
        say(f"servers and services are up, after {perf_counter() - began:.1f} s", *RIGHT)
        yield os.environ | dict(line.split("=", 1) for line in (STATE / "env").read_text().splitlines())
        purge = ("--purge",)
    finally:
        if keep and purge:
            kept.touch()  # so that `make down` knows of it
        else:
            _shut_down(purge)


def _shut_down(purge: tuple[str, ...]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
    chapter("Shut down")
    _stack("down", *purge)
    if not purge:
        say(f"The logs are in {STATE / 'logs'}.")


def _stack(*arguments: str, errors: int | None = None) -> None:
    command = [sys.executable, "-m", "tools.stack", *arguments, "--state", str(STATE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # a terminal sends it to both of us, `kill` to one only
            process.wait()
            raise
    if process.returncode:
        raise DemoError(f"`tools.stack {arguments[0]}` did not succeed.")
