"""Where a group is in each partition, and whether the next records are the ones that come next.

A consumer's position moves when records are handed out, not when they are processed. If a batch in between is lost (a
handler that raised, a fetch that dropped what it had drained), the next one starts too late, and its commit would pass
what was never processed. So the next offset of every partition is kept, and a batch that starts beyond it is not
processed: the consumer is sought back, once. If the same later offset comes again there is nothing in between: control
records of a transaction, an aborted transaction, compaction, or retention.

A committed offset is a place in one topic. A topic that was deleted and made anew has the same name and other records:
an offset of the old one would skip some of them, or wait behind its end. So the topic's id is committed with every
offset, and an offset with another id counts as none: the new topic is read from its beginning.

Kafka keeps the offsets, and a store what the records came to. So the store may be told of offsets before they are
committed: one that knows less was emptied or restored from a backup, and the consumer goes back to what it knows.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final, Protocol

import structlog
from aiokafka import TopicPartition

from notes_chassis.kafka.aiokafka_internals import committed as committed_with_metadata
from notes_chassis.kafka.fetches import Stretch
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.topic_state import TopicState

log = structlog.get_logger()
TOPIC_ID: Final = "topic:"


class Verdict(Enum):
    """IN_PLACE: the batch is where it should be, or a repeat. SKIPPED: what is before it has to be read again.

    HOLE: what is before it did not come, twice. It is to be processed.
    """

    IN_PLACE = auto()
    SKIPPED = auto()
    HOLE = auto()


@dataclass(slots=True)
class OffsetGuard:
    """Pure bookkeeping for the partitions that are assigned. `expected`: the next offset, where that is known."""

    expected: dict[TopicPartition, int] = field(default_factory=dict)
    _rewound: dict[TopicPartition, int] = field(default_factory=dict)

    def clear(self) -> None:
        """Forget everything: partitions were assigned anew, and their positions come from the committed offsets."""
        self.expected.clear()
        self._rewound.clear()

    def fetch_failed(self) -> None:
        """Take nothing for a hole that was not read again since: a failed fetch drops what it had drained."""
        self._rewound.clear()

    def check(self, partition: TopicPartition, first: int) -> Verdict:
        """Judge a batch by its first offset in the partition."""
        if first <= self.expected.get(partition, first):
            self._rewound.pop(partition, None)
            return Verdict.IN_PLACE
        if self._rewound.get(partition) != first:
            self._rewound[partition] = first
            return Verdict.SKIPPED
        del self._rewound[partition]
        return Verdict.HOLE


def metadata_of(topic_id: str) -> str:
    """Return what is committed beside an offset; empty where the topic's id is not known."""
    return f"{TOPIC_ID}{topic_id}" if topic_id else ""


def of_another_topic(metadata: str, topic_id: str) -> bool:
    """Return whether an offset was committed for a topic that was there before, under the same name."""
    return bool(topic_id) and metadata.startswith(TOPIC_ID) and metadata != metadata_of(topic_id)


class Marks(Protocol):
    """What a store knows of a group's offsets, by partition. Raises as the store does."""

    async def read(self) -> Mapping[int, int]:
        """Return how far it is; nothing is stored of a partition that is left out."""
        ...

    async def write(self, offsets: Mapping[int, int]) -> None:
        """Keep these."""
        ...


@dataclass(slots=True)
class Positions:
    """Those of one consumer. `name` returns the consumer's; `topic_id` is set before each of its lives.

    `marks` are written before each commit; None: there are none.
    """

    guard: OffsetGuard
    name: Callable[[], str]
    metrics: ConsumerMetrics
    marks: Marks | None = None
    topic_id: str = ""

    def still(self, topic: TopicState) -> bool:
        """Return whether it can be read, and is the one that this life of the consumer began with."""
        return topic.problem is None and topic.id == self.topic_id

    async def mark(self, offsets: Mapping[TopicPartition, int]) -> str:
        """Have the store know of offsets that are about to be committed; return what is committed beside them."""
        if self.marks is not None:
            await self.marks.write({at.partition: offset for at, offset in offsets.items()})
        return metadata_of(self.topic_id)

    async def learn(
        self, consumer: Any, partitions: Collection[TopicPartition], idle: Callable[[], bool] = lambda: False
    ) -> None:
        """Know what comes next in partitions of which that is not known; seek where they begin anew.

        `idle`: no batch is in hand, so a position says what was read before.
        """
        unknown = [at for at in partitions if at not in self.guard.expected]
        if not unknown:
            return
        committed = await committed_with_metadata(consumer, unknown)
        # At once: the broker answers neither before the fetch under way, which it may hold back for a second.
        beginnings, ends = await asyncio.gather(consumer.beginning_offsets(unknown), consumer.end_offsets(unknown))
        stored, begun = await self.marks.read() if self.marks and any(committed.values()) else None, {}
        for at in unknown:
            if at in self.guard.expected:
                continue  # learnt meanwhile, by a batch of its
            found = committed.get(at)
            if found is None:  # a new group begins where the partition does
                self.guard.expected[at] = beginnings[at]
                if beginnings[at] > 0:
                    begun[f"{at.topic}-{at.partition}"] = beginnings[at]
                if idle() and (await consumer.position(at)) > beginnings[at]:
                    consumer.seek(at, beginnings[at])  # what was committed was deleted with the old topic, just now
            elif of_another_topic(found.metadata, self.topic_id) or (not found.metadata and found.offset > ends[at]):
                self.guard.expected[at] = beginnings[at]
                consumer.seek(at, beginnings[at])
                self._begins_anew(at, found.offset, "its topic was made anew")
            elif stored is not None and (known := stored.get(at.partition, beginnings[at])) < found.offset:
                log.warning(
                    "the store knows less, reading again",
                    consumer=self.name(), partition=at, committed=found.offset, stored=known,
                )  # fmt: skip
                self.guard.expected[at] = known
                consumer.seek(at, known)
            else:
                self.guard.expected[at] = found.offset
        if begun:  # no alarm: Kafka does not tell a new group from one that was away for longer than offsets are kept
            log.warning(
                "no offset is committed, and what was before these is gone", consumer=self.name(), beginnings=begun
            )

    async def in_place(self, consumer: Any, at: TopicPartition, first: int, stretch: Stretch | None) -> bool:
        """Return whether a partition's records may be processed; if not, the consumer was sought back.

        `stretch`: what the fetch has read that brought them, if that is known.
        """
        await self.learn(consumer, [at])
        start = first if stretch is None else min(first, stretch.start)
        expected = self.guard.expected[at]
        verdict = self.guard.check(at, start)
        if verdict is Verdict.SKIPPED:
            log.warning("offsets were skipped, reading again", consumer=self.name(), partition=at, offset=expected)
            self._count(self.metrics.rewinds)
            try:
                consumer.seek(at, expected)
            except BaseException:
                self.guard.fetch_failed()  # nothing was read again
                raise
            return False
        if first > expected:
            lost = await self._lost(consumer, at, expected, first)
            if verdict is Verdict.HOLE:
                self._count(self.metrics.holes, first - expected - lost)
            self.guard.expected[at] = first
        elif first < expected:
            self._begins_anew(at, expected, "it lost its end, or its topic was made anew")
        return True

    def begin(self, topic_id: str, left: int) -> None:
        """Begin a life of the consumer. `left`: records that were not read when the topic was looked at last."""
        if self.topic_id and topic_id != self.topic_id:
            self._count(self.metrics.lost, left)
            log.critical("the topic was made anew and is read from its beginning", consumer=self.name(), lost=left)
        self.topic_id = topic_id

    async def _lost(self, consumer: Any, at: TopicPartition, expected: int, first: int) -> int:
        """Return how many records retention has removed: what lies below the partition's beginning."""
        beginning = (await consumer.beginning_offsets([at]))[at]
        lost: int = max(0, min(beginning, first) - expected)
        if lost:
            self._count(self.metrics.lost, lost)
            log.critical("records were lost by retention", consumer=self.name(), partition=at, lost=lost)
        return lost

    def _begins_anew(self, at: TopicPartition, offset: int, reason: str) -> None:
        self._count(self.metrics.resets)
        log.critical(
            "a partition is read from its beginning", consumer=self.name(), partition=at, was=offset, reason=reason
        )

    def _count(self, metric: Any, number: int = 1) -> None:
        self.metrics.of(metric, self.name()).inc(number)
