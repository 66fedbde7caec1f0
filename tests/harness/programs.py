"""Programs that tests run as processes of their own, without importing everything anew: `tests.harness.nursery`.

Some are run as they are deployed, by `python -m`: see `start`.
"""

import asyncio
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

WITHIN_S: Final = 90.0
_ROOT: Final = Path(__file__).parents[2]
"""Where `tests` can be imported, wherever pytest was started."""


class Program:
    """A fork of the nursery; it is used as a `Popen` is."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._lines = connection, connection.makefile("rb")
        self._reading = threading.Lock()
        self.pid = int(self._lines.readline())
        self.returncode: int | None = None
        with contextlib.ExitStack() as files:
            files.enter_context(connection)
            files.enter_context(self._lines)
            self._process: int | None = None
            with contextlib.suppress(ProcessLookupError):  # it has ended by now
                self._process = os.pidfd_open(self.pid)
                files.callback(os.close, self._process)
            self._files = files.pop_all()

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""
        return self._ended(0)

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        if (code := self._ended(timeout)) is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        return code

    def _ended(self, timeout: float | None) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], timeout)[0]:
            with self._reading:
                if self.returncode is None:
                    self.returncode = int(self._lines.readline())
                    self._files.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, if it still runs."""
        if self.poll() is None and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


Running = Program | subprocess.Popen[bytes]


class Nursery:
    """What forks; it ends with this process, and all that it has started with it."""

    def __init__(self) -> None:
        self.orders, theirs = socket.socketpair()
        with theirs:
            argv = [sys.executable, "-m", "tests.harness.nursery", str(theirs.fileno())]
            # No terminal: what a program imports may look at its output, and each fork has another one.
            none = subprocess.DEVNULL
            self._process = subprocess.Popen(argv, cwd=_ROOT, stdin=none, stdout=none, pass_fds=[theirs.fileno()])
        atexit.register(self.close)

    def close(self) -> None:
        self.orders.close()
        self._process.wait()

    def start(self, words: tuple[str, ...], environment: Mapping[str, str], stdout: int, stderr: int) -> Program:
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self.orders, [b"1"], [theirs.fileno(), stdout, stderr])
            ours.sendall(json.dumps({"words": words, "environment": dict(environment)}).encode() + b"\n")
            return Program(ours)


_NURSERIES: list[Nursery] = []
_STARTING = threading.Lock()


def start(
    *words: str,
    environment: Mapping[str, str],
    stdout: IO[Any] | None = None,
    stderr: IO[Any] | None = None,
    deployed: bool | None = None,
) -> Running:
    """Run a module or a file with arguments; without files, what it says goes where the test's goes.

    `deployed`: by an interpreter of its own. So is by default what has another PYTHONPATH, which counts for nothing in
    a fork itself, and all where forks are not Linux's.
    """
    if deployed is None:
        deployed = environment.get("PYTHONPATH") != os.environ.get("PYTHONPATH")
    if deployed or sys.platform != "linux":
        argv = words if os.sep in words[0] else ("-m", *words)
        return subprocess.Popen([sys.executable, *argv], cwd=_ROOT, env=environment, stdout=stdout, stderr=stderr)
    with _STARTING:
        if not _NURSERIES:
            _NURSERIES.append(Nursery())
    out, err = (given.fileno() if given else at for at, given in ((1, stdout), (2, stderr)))
    return _NURSERIES[0].start(words, environment, out, err)


@dataclass(frozen=True)
class Ended:
    """What a program left behind."""

    code: int
    out: str
    err: str


def ended(*words: str, environment: Mapping[str, str], deployed: bool | None = None) -> Ended:
    """Run a module or a file to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        program = start(*words, environment=environment, stdout=out, stderr=err, deployed=deployed)
        try:
            code = program.wait(WITHIN_S)
        finally:
            program.kill()
            program.wait()
        return Ended(code, *(file.seek(0) or file.read().decode() for file in (out, err)))


async def until_ended(*words: str, environment: Mapping[str, str], deployed: bool | None = None) -> Ended:
    """Run a module or a file to its end, beside what else is to be done."""
    return await asyncio.to_thread(ended, *words, environment=environment, deployed=deployed)
