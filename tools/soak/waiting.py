"""The waits until all commands are dealt with, and until the read side has everything."""

import asyncio
from collections.abc import Mapping
from typing import Final

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from notes_contracts.topics import PARTITIONS
from tools.soak.system import System

LOOK_S: Final = 0.5
GROUPS: Final = {"core-": "events", "side-": "events", "outcomes": "outcomes"}
"""How the names of the read side's groups go on, and what they read."""


async def all_done(system: System) -> None:
    """Return once the group has committed the end of every partition, and the outbox is empty."""
    ends = await ends_of(system, "commands")
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    connection = await asyncpg.connect(system.postgres)
    try:
        while True:
            reached = await _reached(admin, system.group, ends)
            if reached and not await connection.fetchval("SELECT count(*) FROM outbox"):
                return
            await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()
        await admin.close()


async def caught_up(system: System) -> None:
    """Return once every group of the read side has committed the present ends of its topic."""
    ends = {kind: await ends_of(system, kind) for kind in set(GROUPS.values())}
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    try:
        while not await _all_reached(admin, system.query_group, ends):  # noqa: ASYNC110 - other processes
            await asyncio.sleep(LOOK_S)
    finally:
        await admin.close()


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


async def ends_of(system: System, kind: str, partitions: int = PARTITIONS) -> dict[TopicPartition, int]:
    """Return where a topic ends, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        topic = system.topics[kind]
        return dict(await consumer.end_offsets([TopicPartition(topic, number) for number in range(partitions)]))
    finally:
        await consumer.stop()
