"""The waits until all commands are dealt with, and until the read side has everything."""

import asyncio
from collections.abc import Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from notes_contracts.topics import PARTITIONS
from tools.sandbox import Sandbox, administrator, connected

LOOK_S: Final = 0.5
_WAITING: Final = "SELECT count(*) FROM outbox"
GROUPS: Final = {"notes-": "events", "background-": "events", "outcomes": "outcomes"}
"""How the names of the read side's groups go on, and what they read."""


async def all_done(made: Sandbox) -> None:
    """Return once the group has committed the end of every partition, and the outbox is empty."""
    ends = await ends_of(made, "commands")
    async with administrator(made.kafka) as admin, connected(made.postgres) as connection:
        while not await _reached(admin, made.group, ends) or await connection.fetchval(_WAITING):  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)


async def caught_up(made: Sandbox) -> None:
    """Return once every group of the read side has committed the present ends of its topic."""
    ends = {kind: await ends_of(made, kind) for kind in set(GROUPS.values())}
    async with administrator(made.kafka) as admin:
        while not await _all_reached(admin, made.query_group, ends):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(LOOK_S)


async def _all_reached(
    admin: AIOKafkaAdminClient, prefix: str, ends: Mapping[str, Mapping[TopicPartition, int]]
) -> bool:
    known = [group for group, *_ in await admin.list_consumer_groups()]
    for name, kind in GROUPS.items():
        groups = [group for group in known if group.startswith(f"{prefix}-{name}")]
        if not groups or not all([await _reached(admin, group, ends[kind]) for group in groups]):
            return False
    return True


async def _reached(admin: AIOKafkaAdminClient, group: str, ends: Mapping[TopicPartition, int]) -> bool:
    found = await admin.list_consumer_group_offsets(group)
    return all(end == 0 or (partition in found and found[partition].offset >= end) for partition, end in ends.items())


async def ends_of(made: Sandbox, kind: str, partitions: int = PARTITIONS) -> dict[TopicPartition, int]:
    """Return where a topic ends, by partition."""
    async with AIOKafkaConsumer(bootstrap_servers=made.kafka, enable_auto_commit=False) as consumer:
        places = [TopicPartition(made.topics[kind], number) for number in range(partitions)]
        return dict(await consumer.end_offsets(places))
