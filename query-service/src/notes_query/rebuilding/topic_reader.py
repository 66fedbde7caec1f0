"""Reads a partition from one offset to another, as a consumer without a group."""

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.clients import close, groupless, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_query.errors import TopicUnavailable
from notes_query.projections.recorded_event import Record

POLL_MS: Final = 1000
RECORDS: Final = 2000
FETCH_WAIT_MS: Final = 10
"""A fetch that is under way for the partition before holds up the next one for so long."""
SILENT_POLLS: Final = 30


class KafkaTopicReader:
    """Reads the topic of events without a group; what is not committed is not shown. Raises TopicUnavailable."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._consumer: Any = None

    async def read(self, partition: int, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Return the records of a partition from offset `start` to before `end`, in order. Raises TopicUnavailable."""
        at = TopicPartition(self._topic, partition)
        silent = 0
        try:
            consumer = await self._started()
            consumer.assign([at])
            consumer.seek(at, start)
            while await consumer.position(at) < end:
                found = await consumer.getmany(at, timeout_ms=POLL_MS, max_records=RECORDS)
                records = [record for record in found.get(at, ()) if record.offset < end]
                silent = 0 if found else silent + 1
                if silent > SILENT_POLLS:
                    raise TopicUnavailable(f"partition {partition} gives nothing at {await consumer.position(at)}")
                if records:
                    yield records
        except (KafkaError, IllegalStateError, OSError, TimeoutError) as error:
            await self.close()
            raise TopicUnavailable(public_reason(error)) from error

    async def close(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        await close(consumer)

    async def _started(self) -> Any:
        if self._consumer is None:
            self._consumer = await started(
                groupless(self._cluster, fetch_max_wait_ms=FETCH_WAIT_MS, max_partition_fetch_bytes=4 * 1024 * 1024)
            )
        return self._consumer
