"""The instances of both services: real processes, killed one after the other."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import Enum

from tools.sandbox import Program, Sandbox, started


class Kind(Enum):
    """What an instance is: the module that is run, and its arguments."""

    COMMAND = ("notes_command", "serve")
    PROJECTOR = ("notes_query", "serve", "--only", "projector")
    API = ("notes_query", "serve", "--only", "api")


Instances = dict[Kind, list[Program]]


def members(instances: Instances) -> list[Program]:
    """Return all of them."""
    return list(itertools.chain(*instances.values()))


async def kill_in_turn(instances: Instances, every_s: float, done: asyncio.Event, kills: list[float]) -> None:
    """Kill one of each kind, `every_s` after the last ones were ready again, until `done`. Raises RunError.

    `kills`: takes the seconds since the start, of each round of kills.
    """
    began = time.monotonic()
    turns = [itertools.cycle(each) for each in instances.values()]
    while True:
        try:
            await asyncio.wait_for(done.wait(), every_s)
        except TimeoutError:
            victims = [next(turn) for turn in turns]
            kills.append(time.monotonic() - began)
            await asyncio.gather(*(victim.kill() for victim in victims))
            await asyncio.gather(*(victim.start() for victim in victims))
        else:
            return


@asynccontextmanager
async def running(made: Sandbox, counts: Mapping[Kind, int]) -> AsyncIterator[Instances]:
    """Run that many instances of each kind, the APIs when there is something to serve. Raises RunError."""
    instances = {
        kind: [Program(made, f"{kind.name.lower()}-{1 + each}", kind.value) for each in range(count)]
        for kind, count in counts.items()
    }
    apis = instances.get(Kind.API, [])
    async with started(*(one for one in members(instances) if one not in apis)), started(*apis):
        yield instances
