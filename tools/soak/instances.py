"""The instances of the command-service: real processes, killed one after the other."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tools.soak.system import SoakError, System

STOP_S = 60.0


@dataclass(slots=True)
class Instance:
    """One command-service; its log goes on over its lives."""

    system: System
    name: str
    process: asyncio.subprocess.Process | None = field(default=None, init=False)

    async def start(self) -> None:
        """Start a life."""
        with (self.system.logs / f"{self.name}.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "notes_command", "serve", env=self.system.environment, stdout=log, stderr=log
            )

    async def kill(self) -> None:
        """End it as a crash does (SIGKILL). Raises SoakError if it had ended by itself."""
        assert self.process is not None
        if self.process.returncode is not None:
            raise SoakError(
                f"{self.name} ended by itself, with exit code {self.process.returncode}: {self.system.logs}"
            )
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it gracefully (SIGTERM), or at once if that takes too long."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), STOP_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


@dataclass(slots=True)
class Instances:
    """All of them. `kills`: seconds since the start, of each kill."""

    members: list[Instance]
    kills: list[float] = field(default_factory=list)

    async def kill_in_turn(self, every_s: float) -> None:
        """Kill one every so often and start it again at once, until cancelled. Raises SoakError."""
        began = time.monotonic()
        for member in itertools.cycle(self.members):
            await asyncio.sleep(every_s)
            await member.kill()
            self.kills.append(time.monotonic() - began)
            await member.start()


@asynccontextmanager
async def running(system: System, count: int) -> AsyncIterator[Instances]:
    """Run that many instances."""
    instances = Instances([Instance(system, f"instance-{number}") for number in range(1, count + 1)])
    try:
        for member in instances.members:
            await member.start()
        yield instances
    finally:
        await asyncio.gather(*(member.stop() for member in instances.members))
