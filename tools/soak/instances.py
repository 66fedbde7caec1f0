"""The instances of both services: real processes, killed one after the other."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum

from tools.sandbox import Program, Sandbox


class Kind(Enum):
    """What an instance is: the module that is run, and its arguments."""

    COMMAND = ("notes_command", "serve")
    PROJECTOR = ("notes_query", "serve", "--only", "projector")
    API = ("notes_query", "serve", "--only", "api")


@dataclass(slots=True)
class Instances:
    """All of them. `kills`: seconds since the start, of each round of kills."""

    by_kind: dict[Kind, list[Program]]
    kills: list[float] = field(default_factory=list)

    @property
    def members(self) -> list[Program]:
        """Return all of them."""
        return [member for members in self.by_kind.values() for member in members]

    async def kill_in_turn(self, every_s: float, done: asyncio.Event) -> None:
        """Kill one of each kind, `every_s` after the last ones were ready again, until `done`. Raises RunError."""
        began = time.monotonic()
        turns = [itertools.cycle(members) for members in self.by_kind.values()]
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
async def running(made: Sandbox, counts: Mapping[Kind, int]) -> AsyncIterator[Instances]:
    """Run that many instances of each kind, the APIs when there is something to serve. Raises RunError."""
    instances = Instances(
        {
            kind: [Program(made, f"{kind.name.lower()}-{1 + each}", kind.value) for each in range(count)]
            for kind, count in counts.items()
        }
    )
    apis = instances.by_kind.get(Kind.API, [])
    try:
        await asyncio.gather(*(member.start() for member in instances.members if member not in apis))
        await asyncio.gather(*(api.start() for api in apis))
        yield instances
    finally:
        await asyncio.gather(*(member.stop() for member in instances.members))
