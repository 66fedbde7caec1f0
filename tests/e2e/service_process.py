"""A service as a process of its own: started, asked, killed and started again by a test."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

from tests.harness.programs import Running, start
from tools.stack.ports import any_port

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
LOOK_EVERY_S = 0.05
LOG_LINES = 40


class ServiceProcess:
    """`python -m MODULE serve`; its address and its log stay the same over restarts."""

    def __init__(
        self,
        name: str,
        environment: Mapping[str, str],
        log: Path,
        arguments: Sequence[str] = (),
        *,
        deployed: bool | None = None,
        runner: Sequence[str] = (),
    ) -> None:
        """Prepare a `command`, `query` or `web` service with these `NOTES_` settings; `start` runs it.

        `deployed`: by an interpreter of its own, whose command line and environment can be looked at. `runner`: the
        words that run the service's module.
        """
        port = any_port()
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("NOTES_")}
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        self._arguments, self._deployed, self._runner = arguments, deployed, runner
        ours = {"NOTES_AUTH": "none", f"NOTES_{name.upper()}_OPS_PORT": "0"}
        self._environment = {**inherited, **ours, **environment, f"NOTES_{name.upper()}_PORT": str(port)}
        self._process: Running | None = None

    def set(self, **settings: str) -> None:
        """Change settings; they count from the next start on."""
        self._environment |= settings

    @property
    def pid(self) -> int:
        """The process id of the last start."""
        assert self._process is not None, f"{self.name} was never started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start the process and, unless told otherwise, wait until it is ready."""
        assert not self.is_running, f"{self.name} is running"
        with self.log.open("ab") as log:
            self._process = start(
                *(*self._runner, f"notes_{self.name}", "serve", *self._arguments),
                environment=self._environment,
                stdout=log,
                stderr=log,
                deployed=self._deployed,
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, within: float = READY_WITHIN_S) -> None:
        """Return once `/readyz` answers 200; fail with the log's end if that takes too long or the process dies."""
        deadline = monotonic() + within
        while not self._is_ready():
            assert self.is_running, f"{self.name} died:\n{self.log_tail()}"
            assert monotonic() < deadline, f"{self.name} is not ready after {within} s:\n{self.log_tail()}"
            sleep(LOOK_EVERY_S)

    def _is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def kill(self) -> None:
        """Kill it without warning (SIGKILL), as a crash does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def terminate(self) -> int:
        """Ask it to end (SIGTERM) and return its exit code."""
        assert self._process is not None, f"{self.name} was never started"
        self._process.terminate()
        return self._process.wait(STOP_WITHIN_S)

    def pause(self) -> None:
        """Stop it from running (SIGSTOP), as a machine that hangs does."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def restart(self, *, kill: bool = True) -> None:
        """End it one way or the other, and start it again."""
        if kill:
            self.kill()
        else:
            self.terminate()
        self.start()

    def log_tail(self) -> str:
        """Return the last lines it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]) if self.log.exists() else ""
