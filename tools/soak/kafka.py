"""What topics hold, and the waits until all of it is dealt with."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from notes_contracts.topics import TOPICS
from tools.sandbox import KINDS, Sandbox, administrator, connected

LOOK_S: Final = 0.5
WAITING: Final = "SELECT count(*) FROM outbox"
GROUPS: Final = {"notes-v": "events", "search-v": "events", "outcomes": "outcomes"}
"""How the names of the read side's groups go on, and what they read."""

Ends = Mapping[TopicPartition, int]


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
