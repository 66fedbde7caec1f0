"""Reads the topic of events outside of consumer groups: each reader keeps its own position, nothing is committed."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from notes_chassis.kafka.aiokafka_internals import client_of
from notes_chassis.kafka.clients import close, groupless, know, refresh
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.kafka.topic_state import look_at
from notes_query.errors import TopicUnavailable, Truncated
from notes_query.projections.read_model import Record

log = structlog.get_logger()

START_S: Final = 10.0
BOUNDS_S: Final = 5.0
CHECK_S: Final = 2.0
"""Seconds between two checks whether the topic is still the same."""
KIB: Final = 1024


class Bounds(NamedTuple):
    """By partition: the offset of the first record that the topic holds, and the offset of the next record to come."""

    first: tuple[int, ...]
    end: tuple[int, ...]

    def hold(self, offsets: Sequence[int]) -> bool:
        """Return whether the topic holds everything from these offsets on, and has ever come so far."""
        return len(offsets) == len(self.end) and all(
            first <= offset <= end for offset, first, end in zip(offsets, *self, strict=True)
        )


def behind(offsets: Sequence[int], end: Sequence[int]) -> bool:
    """Return whether there is something to read from these offsets."""
    return any(offset < last for offset, last in zip(offsets, end, strict=True))


class Read(NamedTuple):
    """Records in order, and the offset to go on from by partition: markers may follow the last record."""

    records: Sequence[Record]
    next: tuple[int, ...]


class EventTopic:
    """The topic of events. `identity` changes when the topic is made anew: its offsets mean other records then."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self._cluster = cluster
        self.name = self.identity = name
        self._known: dict[tuple[str, int], int] = {}

    async def tail(self) -> "EventTail":
        """Return a new reader. Raises TopicUnavailable."""
        consumer: Any = groupless(
            self._cluster,
            client_id="notes-query-tail",
            auto_offset_reset="none",  # the reader has to learn that records are gone
            fetch_max_wait_ms=200,
            # Each client that catches up costs the memory of what the fetcher holds ahead.
            fetch_max_bytes=2 * KIB * KIB,
            max_partition_fetch_bytes=512 * KIB,
        )
        tail = EventTail(consumer, self.name, self._known)
        try:
            async with asyncio.timeout(START_S):
                with kafka_errors():
                    await consumer.start()
                    await tail.begin()
        except BaseException as error:
            await tail.close()
            if isinstance(error, TimeoutError):
                raise TopicUnavailable(f"Kafka: no answer within {START_S:g} s") from error
            raise
        self.identity = f"{self.name}:{tail.topic_id}"
        return tail


class EventTail:
    """A reader of all partitions, in no group. Its methods raise TopicUnavailable while Kafka is away.

    `known`: an offset that each partition is known to have reached, by topic id and partition. All readers of the topic
    share it.
    """

    def __init__(self, consumer: Any, topic: str, known: dict[tuple[str, int], int]) -> None:
        self._consumer = consumer
        self._topic = topic
        self._known = known
        self._partitions: list[TopicPartition] = []
        self._next: list[int] = []
        self.topic_id = ""
        self._checked_at = time.monotonic()

    async def begin(self) -> None:
        """Read the metadata of the topic before it is assigned."""
        await know(self._consumer, self._topic)
        state = await look_at(self._consumer, self._topic)
        if state.problem is not None:
            raise TopicUnavailable(state.problem)
        self.topic_id = state.id

    async def _check_topic(self) -> None:
        """Raise TopicUnavailable if the topic was made anew: the offsets mean other records then."""
        if time.monotonic() - self._checked_at < CHECK_S:
            return
        self._checked_at = time.monotonic()
        state = await look_at(self._consumer, self._topic)
        if state.problem is not None or state.id != self.topic_id:
            raise TopicUnavailable(state.problem or f"topic {self._topic} was made anew")

    async def bounds(self) -> Bounds:
        """Return what the topic holds now.

        A partition without a leader is taken to end where it was read to. aiokafka would ask for its end so long that
        nothing was read of the others. Raises TopicUnavailable if nothing is known of it.
        """
        with kafka_errors():
            async with asyncio.timeout(BOUNDS_S):
                await refresh(self._consumer)  # partitions may have been added
                partitions = self._numbered(len(self._consumer.partitions_for_topic(self._topic) or ()))
                if not partitions:
                    raise TopicUnavailable(f"there is no topic {self._topic}")
                led = client_of(self._consumer).cluster.available_partitions_for_topic(self._topic) or ()
                asked = [tp for tp in partitions if tp.partition in led]
                first = await self._consumer.beginning_offsets(asked)
                end = await self._consumer.end_offsets(asked)
        for tp in partitions:
            if tp in end:
                self._remember(tp.partition, end[tp])
            else:
                first[tp] = 0
                end[tp] = self._read_to(tp.partition)
        return Bounds(tuple(first[tp] for tp in partitions), tuple(end[tp] for tp in partitions))

    def _remember(self, number: int, offset: int) -> None:
        key = self.topic_id, number
        self._known[key] = max(offset, self._known.get(key, 0))  # another reader may have read further

    def _read_to(self, number: int) -> int:
        if number < len(self._next):
            return self._next[number]
        known = self._known.get((self.topic_id, number))
        if known is None:
            raise TopicUnavailable(f"partition {number} of topic {self._topic} has no leader")
        return known

    def _numbered(self, partitions: int) -> list[TopicPartition]:
        return [TopicPartition(self._topic, number) for number in range(partitions)]

    def seek(self, starts: Sequence[int]) -> None:
        """Go on reading at these offsets, by partition."""
        self._partitions = self._numbered(len(starts))
        # Assigned only now: a partition that is assigned without a position fails sooner or later.
        self._consumer.assign(self._partitions)
        for tp, start in zip(self._partitions, starts, strict=True):
            self._consumer.seek(tp, start)
        self._next = list(starts)

    async def read(self, at_most: int, wait_s: float) -> Read:
        """Return the next records as soon as there are some, after `wait_s` seconds at the latest.

        Raises Truncated if the topic no longer holds what comes next.
        """
        with kafka_errors():
            await self._check_topic()
            found = await self._consumer.getmany(timeout_ms=int(wait_s * 1000), max_records=at_most)
            for number, tp in enumerate(self._partitions):
                self._next[number] = await self._consumer.position(tp)
                self._remember(number, self._next[number])
        return Read([record for records in found.values() for record in records], tuple(self._next))

    async def close(self) -> None:
        """Close the connections. It never raises and never takes long."""
        await close(self._consumer)


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Turn errors of aiokafka into TopicUnavailable, or into Truncated if records are gone."""
    try:
        yield
    except OffsetOutOfRangeError as error:
        raise Truncated("the topic does not hold what comes next") from error
    except (KafkaError, OSError) as error:
        raise TopicUnavailable(public_reason(error)) from error  # its text names hosts
