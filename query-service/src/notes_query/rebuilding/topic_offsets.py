"""The topic of events: how far it and its groups are, and what is in it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.clients import close, groupless, know, refresh, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.kafka.offsets import of_another_topic
from notes_chassis.kafka.topic_state import TopicState, look_at
from notes_query.errors import TopicUnavailable
from notes_query.projections.read_model import Record

ANSWER_S: Final = 30.0
TAIL: Final = 1
"""Records looked at first, from a partition's end back, for one that can be read; then 16 times as many, and so on."""
POLL_MS: Final = 200
FETCH_WAIT_MS: Final = 10
"""A fetch that is under way for the partition before holds up the next one for so long."""
READ_POLL_MS: Final = 1000
READ_BYTES: Final = 4 * 1024 * 1024
RECORDS: Final = 2000
SILENT_POLLS: Final = 30


class TopicOffsets:
    """Offsets of the topic of events and its groups, and its records. Raises TopicUnavailable while Kafka is away."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._consumer: Any = None
        self._admin: Any = None
        self._reader: Any = None
        self._one_at_a_time = asyncio.Lock()

    async def beginnings(self) -> dict[int, int]:
        """Return the first offset of each partition."""
        async with self._asking():
            return _by_number(await self._consumer.beginning_offsets(await self._partitions()))

    async def ends(self) -> dict[int, int]:
        """Return the offset after the last record of each partition that a group can commit.

        Behind the last record there may be markers of transactions and aborted records: a group commits what it was
        given, so it never comes to the end that Kafka tells. The tail is read to see where the last record is.
        """
        async with self._asking():
            partitions = await self._partitions()
            beginnings = await self._consumer.beginning_offsets(partitions)
            ends = await self._consumer.end_offsets(partitions)
            found = {at: beginnings[at] for at in partitions if ends[at] <= beginnings[at]}
            back = TAIL
            while open_ := [at for at in partitions if at not in found]:
                starts = {at: max(beginnings[at], ends[at] - back) for at in open_}
                last = await self._last_read(starts, ends)
                found |= {at: last.get(at, starts[at]) for at in open_ if at in last or starts[at] == beginnings[at]}
                back *= 16
            return _by_number(found)

    async def committed(self, group: str) -> dict[int, int]:
        """Return what a group has committed; a partition without is left out.

        Every partition is named, so that every one is in the answer, with -1 where nothing is committed. aiokafka does
        not look at the error of the answer as a whole ("the coordinator is loading", "is another one"): such an answer
        names none, and reads as if the group had committed nothing.
        """
        async with self._asking():
            known = self._consumer.partitions_for_topic(self._topic) or ()
            asked = [TopicPartition(self._topic, number) for number in sorted(known)]
            found = await self._admin.list_consumer_group_offsets(group, partitions=asked)
            topic = await self._state()
            if not found.keys() >= {TopicPartition(self._topic, number) for number in range(topic.partitions)}:
                raise TopicUnavailable(f"Kafka does not say what {group} has committed")
        return {
            at.partition: item.offset
            for at, item in found.items()
            if at.topic == self._topic and item.offset >= 0 and not of_another_topic(item.metadata, topic.id)
        }

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Give the records of a partition from offset `start` to before `end`, in order; what is committed alone.

        One partition at a time.
        """
        at, silent = TopicPartition(self._topic, partition), 0
        async with self._connected():
            if self._reader is None:
                self._reader = await started(
                    groupless(self._cluster, fetch_max_wait_ms=FETCH_WAIT_MS, max_partition_fetch_bytes=READ_BYTES)
                )
            reader = self._reader
            reader.assign([at])
            reader.seek(at, start)
            while await reader.position(at) < end:
                found = await reader.getmany(at, timeout_ms=READ_POLL_MS, max_records=RECORDS)
                records = [record for record in found.get(at, ()) if record.offset < end]
                silent = 0 if found else silent + 1
                if silent > SILENT_POLLS:
                    raise TopicUnavailable(f"partition {partition} gives nothing at {await reader.position(at)}")
                if records:
                    yield records

    async def close(self) -> None:
        """Disconnect."""
        clients = self._consumer, self._admin, self._reader
        self._consumer = self._admin = self._reader = None
        await close(*clients)

    async def _partitions(self) -> list[TopicPartition]:
        state = await self._state()
        if len(self._consumer.partitions_for_topic(self._topic) or ()) != state.partitions:
            await refresh(self._consumer)
        return [TopicPartition(self._topic, number) for number in range(state.partitions)]

    async def _state(self) -> TopicState:
        state = await look_at(self._consumer, self._topic)
        if state.problem is not None:
            raise TopicUnavailable(state.problem)
        return state

    async def _last_read(
        self, starts: Mapping[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Return the offset after the last record between start and end, for each partition that has one."""
        consumer, last = self._consumer, {}
        consumer.assign(list(starts))
        for at, start in starts.items():
            consumer.seek(at, start)
        try:
            reading = set(starts)
            while reading:
                for at, records in (await consumer.getmany(*reading, timeout_ms=POLL_MS)).items():
                    if seen := [record.offset + 1 for record in records if record.offset < ends[at]]:
                        last[at] = max(seen)
                reading = {at for at in reading if await consumer.position(at) < ends[at]}
        finally:
            consumer.unsubscribe()
        return last

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        async with self._one_at_a_time, self._connected(), asyncio.timeout(ANSWER_S):
            await self._connect()
            yield

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        """Disconnect after any failure."""
        try:
            yield
        except TopicUnavailable:
            await self.close()
            raise
        except (KafkaError, IllegalStateError, OSError, TimeoutError) as error:
            await self.close()
            raise TopicUnavailable(public_reason(error)) from error

    async def _connect(self) -> None:
        if self._consumer is None:
            self._consumer = await started(groupless(self._cluster, fetch_max_wait_ms=FETCH_WAIT_MS))
        if self._admin is None:
            self._admin = await started(AIOKafkaAdminClient(**self._cluster.client()))
            await self._state()
            await know(self._consumer, self._topic)


def _by_number(offsets: Mapping[TopicPartition, int]) -> dict[int, int]:
    return {at.partition: offset for at, offset in offsets.items()}
