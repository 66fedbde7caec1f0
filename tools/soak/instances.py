"""The instances of both services: real processes, killed one after the other."""

import asyncio
import itertools
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import httpx
import psutil

from tools.soak.system import SoakError, System
from tools.stack.ports import any_port

STOP_S: Final = 60.0
READY_S: Final = 60.0
LOOK_S: Final = 0.1
MEGABYTE: Final = 1 << 20


class Kind(Enum):
    """What an instance is: its module, and what `serve` is told."""

    COMMAND = ("notes_command",)
    PROJECTOR = ("notes_query", "--only", "projector")
    API = ("notes_query", "--only", "api")


@dataclass(slots=True)
class Instance:
    """One process at a time; its address and its log stay over its lives. `ready`: whether it has to answer now."""

    system: System
    kind: Kind
    number: int
    lives: int = 0
    ready: bool = False
    port: int = field(default_factory=any_port)
    process: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        """What it is called in the report and in the logs' folder."""
        return f"{self.kind.name.lower()}-{self.number}"

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def memory_mb(self) -> float:
        """What it holds resident, in MiB. Raises SoakError if it does not run."""
        self._has_to_run()
        assert self.process is not None
        return float(psutil.Process(self.process.pid).memory_info().rss) / MEGABYTE

    async def start(self) -> None:
        """Start a life, and wait until it is ready. Raises SoakError."""
        module, *arguments = self.kind.value
        port = {"NOTES_COMMAND_PORT": str(self.port), "NOTES_QUERY_PORT": str(self.port)}
        with (self.system.logs / f"{self.name}.log").open("ab") as log:
            command = [sys.executable, "-m", module, "serve", *arguments]
            self.process = await asyncio.create_subprocess_exec(
                *command, env={**self.system.environment, **port}, stdout=log, stderr=log
            )
        self.lives += 1
        try:
            async with asyncio.timeout(READY_S), httpx.AsyncClient() as client:
                while not await self._answers(client):  # noqa: ASYNC110 - another process
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise SoakError(f"{self.name} is not ready after {READY_S:g} s: {self.system.logs}") from None
        self.ready = True

    async def _answers(self, client: httpx.AsyncClient) -> bool:
        self._has_to_run()
        try:
            return (await client.get(f"{self.url}/readyz")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    def _has_to_run(self) -> None:
        code = None if self.process is None else self.process.returncode
        if self.process is None or code is not None:
            raise SoakError(f"{self.name} ended by itself, with exit code {code}: {self.system.logs}")

    async def kill(self) -> None:
        """End it as a crash does (SIGKILL). Raises SoakError if it had ended by itself."""
        self._has_to_run()
        assert self.process is not None
        self.ready = False
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """End it gracefully (SIGTERM), or at once if that takes too long."""
        self.ready = False
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
    """All of them. `kills`: seconds since the start, of each round of kills."""

    members: list[Instance]
    kills: list[float] = field(default_factory=list)

    def of(self, kind: Kind) -> list[Instance]:
        """Return those of a kind."""
        return [member for member in self.members if member.kind is kind]

    async def kill_in_turn(self, every_s: float, done: asyncio.Event) -> None:
        """Kill one of each kind, `every_s` after the last ones were ready again, until `done`. Raises SoakError."""
        began = time.monotonic()
        turns = [itertools.cycle(members) for kind in Kind if (members := self.of(kind))]
        while True:
            try:
                await asyncio.wait_for(done.wait(), every_s)
            except TimeoutError:
                victims = [next(turn) for turn in turns]
                self.kills.append(time.monotonic() - began)
                await asyncio.gather(*(victim.kill() for victim in victims))
                await asyncio.gather(*(victim.start() for victim in victims))
            else:
                return


@asynccontextmanager
async def running(system: System, counts: Mapping[Kind, int]) -> AsyncIterator[Instances]:
    """Run that many instances of each kind, the APIs when there is something to serve. Raises SoakError."""
    members = [Instance(system, kind, 1 + each) for kind, count in counts.items() for each in range(count)]
    try:
        await asyncio.gather(*(member.start() for member in members if member.kind is not Kind.API))
        await asyncio.gather(*(member.start() for member in members if member.kind is Kind.API))
        yield Instances(members)
    finally:
        await asyncio.gather(*(member.stop() for member in members))
