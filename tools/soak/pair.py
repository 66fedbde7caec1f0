"""The pair under load: its processes, killed one after the other, what topics hold, and the waits for its end."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from notes_contracts.topics import TOPICS
from tools.sandbox import KINDS, Program, Sandbox, administrator, connected, started

MODULES: Final = {
    "command": ("notes_command", "serve"),
    "projector": ("notes_query", "serve", "--only", "projector"),
    "api": ("notes_query", "serve", "--only", "api"),
}
"""What is run for each kind of instance, the APIs when there is something to serve."""
LOOK_S: Final = 0.5
WAITING: Final = "SELECT count(*) FROM outbox"
GROUPS: Final = {"notes-v": "events", "search-v": "events", "outcomes": "outcomes"}
"""How the names of the read side's groups go on, and what they read."""

Ends = Mapping[TopicPartition, int]
Instances = dict[str, list[Program]]


@asynccontextmanager
async def running(made: Sandbox, counts: Mapping[str, int]) -> AsyncIterator[Instances]:
    """Run that many instances of each kind. Raises StackError."""
    instances = {
        kind: [Program(made, f"{kind}-{1 + each}", MODULES[kind]) for each in range(count)]
        for kind, count in counts.items()
    }
    async with (
        started(*(one for kind, each in instances.items() if kind != "api" for one in each)),
        started(*instances.get("api", ())),
    ):
        yield instances


async def kill_in_turn(instances: Instances, every_s: float, done: asyncio.Event, kills: list[float]) -> None:
    """Kill one of each kind, `every_s` after the last ones were ready again, until `done`. Raises StackError.

    `kills`: takes the seconds since the start, of each round of kills.
    """
    began = time.monotonic()
    for victims in zip(*map(itertools.cycle, instances.values()), strict=True):
        try:
            await asyncio.wait_for(done.wait(), every_s)
        except TimeoutError:
            kills.append(time.monotonic() - began)
            await asyncio.gather(*(victim.kill() for victim in victims))
            await asyncio.gather(*(victim.start() for victim in victims))
        else:
            return


async def all_done(made: Sandbox) -> None:
    """Return once the group has committed the end of every partition, and the outbox is empty."""
    ends = await _ends(made, "commands")
    async with administrator(made.kafka) as admin, connected(made.postgres) as connection:
        while not await _reached(admin, [made.group], ends) or await connection.fetchval(WAITING):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


async def caught_up(made: Sandbox) -> None:
    """Return once every group of the read side has committed the present ends of its topic."""
    async with administrator(made.kafka) as admin:
        for name, kind in GROUPS.items():
            prefix, ends, groups = f"{made.query_group}-{name}", await _ends(made, kind), list[str]()
            while not groups or not await _reached(admin, groups, ends):
                await asyncio.sleep(LOOK_S)
                groups = [group for group, *_ in await admin.list_consumer_groups() if group.startswith(prefix)]


async def _reached(admin: AIOKafkaAdminClient, groups: list[str], ends: Ends) -> bool:
    for group in groups:
        found = await admin.list_consumer_group_offsets(group)
        if not all(not end or (place in found and found[place].offset >= end) for place, end in ends.items()):
            return False
    return True


async def arrived(made: Sandbox, kind: str) -> AsyncIterator[Any]:
    """Yield what a topic holds, from its beginning to its present end, each partition in order."""
    ends = await _ends(made, kind)
    async with AIOKafkaConsumer(bootstrap_servers=made.kafka, enable_auto_commit=False) as consumer:
        consumer.assign(list(ends))
        await consumer.seek_to_beginning(*ends)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=1000)).values():
                for record in records:
                    yield record


async def _ends(made: Sandbox, kind: str) -> Ends:
    partitions = dict(zip(KINDS, TOPICS, strict=True))[kind].partitions
    async with AIOKafkaConsumer(bootstrap_servers=made.kafka, enable_auto_commit=False) as consumer:
        return dict(await consumer.end_offsets([TopicPartition(made.topics[kind], one) for one in range(partitions)]))
