"""The programs of a sandbox as forks (`tests.harness.programs`): for tests of what a soak finds, not how it starts."""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from typing import IO, Any

import pytest

from tests.harness.programs import Running, ended, start


class Process:
    """What `asyncio.create_subprocess_exec` would have given."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.pid = running.pid
        self.send_signal, self.terminate, self.kill = running.send_signal, running.terminate, running.kill

    @property
    def returncode(self) -> int | None:
        return self._running.poll()

    async def wait(self) -> int:
        return await asyncio.to_thread(self._running.wait)


async def begun(*argv: str, env: Mapping[str, str], stdout: IO[Any], stderr: IO[Any]) -> Process:
    _python, _module, *words = argv
    return Process(await asyncio.to_thread(start, *words, environment=env, stdout=stdout, stderr=stderr))


def run(
    argv: Sequence[str], *, env: Mapping[str, str], stdout: int, stderr: IO[Any], text: bool, check: bool
) -> "subprocess.CompletedProcess[str]":
    done = ended(*argv[2:], environment=env)
    stderr.write(done.err.encode())
    return subprocess.CompletedProcess(argv, done.code, done.out)


@pytest.fixture
def forked_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `tools.sandbox` fork what it starts."""
    monkeypatch.setattr("tools.sandbox.asyncio.create_subprocess_exec", begun)
    monkeypatch.setattr("tools.sandbox.subprocess.run", run)
