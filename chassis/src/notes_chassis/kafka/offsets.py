"""Where a group is in each partition, and whether the next records are the ones that come next: `OffsetGuard`.

A committed offset belongs to one topic. A topic that was deleted and made anew has the same name and other records: an
offset of the old one would skip some of them, or wait behind its end. So the topic's id is committed with every offset,
and an offset with another id counts as none: the new topic is read from its beginning.

Kafka keeps the offsets, and a store what the records came to. So the store may be told of offsets before they are
committed: one that knows less was emptied or restored from a backup, and the consumer goes back to what it knows. It
is told at once where a partition is read from, too: nothing else would be told of one without records.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Protocol

import structlog
from aiokafka import TopicPartition

from notes_chassis.kafka.aiokafka_internals import Consumer
from notes_chassis.kafka.aiokafka_internals import committed as committed_with_metadata
from notes_chassis.kafka.fetches import OffsetRange
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.offset_guard import OffsetGuard, Verdict
from notes_chassis.kafka.topic_state import TopicState

log = structlog.get_logger()
TOPIC_ID: Final = "topic:"


def metadata_of(topic_id: str) -> str:
    """Return what is committed beside an offset; empty where the topic's id is not known."""
    return f"{TOPIC_ID}{topic_id}" if topic_id else ""


def of_another_topic(metadata: str, topic_id: str) -> bool:
    """Return whether an offset was committed for a topic that was there before, under the same name."""
    return bool(topic_id) and metadata.startswith(TOPIC_ID) and metadata != metadata_of(topic_id)


class Start(Enum):
    """Why a partition is read from an offset."""

    COMMITTED = auto()
    NEW_GROUP = auto()
    NEW_TOPIC = auto()
    STORED = auto()


def first_offset(
    committed: Any, topic_id: str, beginning: int, end: int, stored: int | None = None
) -> tuple[int, Start]:
    """Return the offset from which a partition is read, and why.

    `committed`: offset and metadata of the group, None if it has committed nothing. `end`: the partition's. Without an
    id only an offset behind the end shows that the topic was made anew. `stored`: up to where the store knows the
    records, if it says so. It does not overrule an offset that a person has set, to pass over a corrupt batch: Kafka's
    tools write no metadata.
    """
    if committed is None:
        return beginning, Start.NEW_GROUP
    if of_another_topic(committed.metadata, topic_id):
        return beginning, Start.NEW_TOPIC
    if not committed.metadata and committed.offset > end:
        return beginning, Start.NEW_TOPIC
    is_own = committed.metadata == metadata_of(topic_id)
    if is_own and stored is not None and stored < committed.offset:
        return stored, Start.STORED
    return committed.offset, Start.COMMITTED


class Marks(Protocol):
    """What a store knows of a group's offsets in one topic, by partition. Raises as the store does."""

    async def read(self, topic_id: str) -> Mapping[int, int]:
        """Return how far it is; nothing is stored of a partition that is left out."""
        ...

    async def write(self, offsets: Mapping[int, int], topic_id: str) -> None:
        """Keep these."""
        ...


@dataclass(slots=True)
class Positions:
    """The positions of one consumer, whose name `name` returns. `topic_id` is set before each of its lives.

    `marks` are written before a partition is read, and before each commit; None: there are none.
    """

    guard: OffsetGuard
    name: Callable[[], str]
    metrics: ConsumerMetrics
    marks: Marks | None = None
    topic_id: str = ""

    def begin(self, topic_id: str, left: int) -> None:
        """Begin a life of the consumer. `left`: records that were not read when the topic was looked at last."""
        if self.topic_id and topic_id != self.topic_id:
            self._count(self.metrics.lost, left)
            log.critical("the topic was made anew and is read from its beginning", consumer=self.name(), lost=left)
        self.topic_id = topic_id

    def is_same_topic(self, topic: TopicState) -> bool:
        """Return whether the topic can be read, and is the one that this life of the consumer began with."""
        return topic.problem is None and topic.id == self.topic_id

    async def mark(self, offsets: Mapping[TopicPartition, int]) -> str:
        """Have the store know of offsets that are about to be committed; return what is committed beside them."""
        if self.marks is not None and offsets:
            await self.marks.write({tp.partition: offset for tp, offset in offsets.items()}, self.topic_id)
        return metadata_of(self.topic_id)

    async def _stored(
        self, committed: Mapping[TopicPartition, Any], beginnings: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        if self.marks is None or not any(committed.values()):
            return {}
        told = await self.marks.read(self.topic_id)
        return {tp: told.get(tp.partition, beginnings[tp]) for tp in committed}

    async def learn(
        self, consumer: Consumer, partitions: Collection[TopicPartition], idle: Callable[[], bool] = lambda: False
    ) -> None:
        """Ask for the next offset of partitions where it is not known; seek where they are read from the beginning.

        `idle` returns whether no batch is in hand, so that a position says what was read before.
        """
        unknown = [tp for tp in partitions if tp not in self.guard.expected]
        if not unknown:
            return
        committed = await committed_with_metadata(consumer, unknown)
        # Together: the broker answers neither before the fetch under way, which it may hold back for a second.
        beginnings, ends = await asyncio.gather(consumer.beginning_offsets(unknown), consumer.end_offsets(unknown))
        stored = await self._stored(committed, beginnings)
        starts = {
            tp: first_offset(committed.get(tp), self.topic_id, beginnings[tp], ends[tp], stored.get(tp))
            for tp in unknown
        }
        await self.mark({tp: offset for tp, (offset, _) in starts.items() if tp not in self.guard.expected})
        beginnings_above_zero = {}
        for tp, (offset, start) in starts.items():
            if tp in self.guard.expected:
                continue  # a batch of this partition has learnt it meanwhile
            self.guard.expected[tp] = offset
            if start is Start.NEW_TOPIC:
                consumer.seek(tp, offset)
                self._reset(tp, committed[tp].offset, "its topic was made anew")
            elif start is Start.STORED:
                consumer.seek(tp, offset)
                said = {"committed": committed[tp].offset, "stored": offset}
                log.warning("the store knows less, reading again", consumer=self.name(), partition=tp, **said)
            elif start is Start.NEW_GROUP:
                if offset > 0:
                    beginnings_above_zero[f"{tp.topic}-{tp.partition}"] = offset
                if idle() and await consumer.position(tp) > offset:
                    consumer.seek(tp, offset)  # the committed offset was deleted with the old topic, just now
        # No alarm: Kafka does not tell a new group from one that was away for longer than offsets are kept.
        if beginnings_above_zero:
            log.warning(
                "no offset is committed, and what was before these is gone",
                consumer=self.name(),
                beginnings=beginnings_above_zero,
            )

    async def in_place(self, consumer: Consumer, tp: TopicPartition, first: int, read: OffsetRange | None) -> bool:
        """Return whether a partition's records may be processed; if not, the consumer has been sought back.

        `first`: the offset of the first record. `read`: the offsets that the same fetch has read, if that is known.
        """
        await self.learn(consumer, [tp])
        expected = self.guard.expected[tp]
        verdict = self.guard.check(tp, first if read is None else min(first, read.start))
        if verdict is Verdict.SKIPPED:
            self._read_again(consumer, tp, expected)
            return False
        if first > expected:
            lost = await self._lost(consumer, tp, expected, first)
            if verdict is Verdict.HOLE:
                self._count(self.metrics.holes, first - expected - lost)
            self.guard.expected[tp] = first
        elif first < expected:
            self._reset(tp, expected, "it lost its end, or its topic was made anew")
        return True

    def _read_again(self, consumer: Consumer, tp: TopicPartition, expected: int) -> None:
        log.warning("offsets were skipped, reading again", consumer=self.name(), partition=tp, offset=expected)
        self._count(self.metrics.rewinds)
        try:
            consumer.seek(tp, expected)
        except BaseException:
            self.guard.fetch_failed()  # nothing is read again, so the next jump proves nothing
            raise

    async def _lost(self, consumer: Consumer, tp: TopicPartition, expected: int, first: int) -> int:
        """Return how many records retention has removed: those below the partition's beginning."""
        beginning = (await consumer.beginning_offsets([tp]))[tp]
        lost: int = max(0, min(beginning, first) - expected)
        if lost:
            self._count(self.metrics.lost, lost)
            log.critical("records were lost by retention", consumer=self.name(), partition=tp, lost=lost)
        return lost

    def _reset(self, tp: TopicPartition, offset: int, reason: str) -> None:
        self._count(self.metrics.resets)
        log.critical(
            "a partition is read from its beginning", consumer=self.name(), partition=tp, was=offset, reason=reason
        )

    def _count(self, metric: Any, number: int = 1) -> None:
        self.metrics.of(metric, self.name()).inc(number)
