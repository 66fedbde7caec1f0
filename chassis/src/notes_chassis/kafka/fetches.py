"""aiokafka's fetch, as FastStream's loop calls it, with four things changed.

The four: how long it waits, what it has read, how it went, and how long the broker holds it. FastStream takes no other
consumer class, and tells nobody of a fetch that failed or brought nothing. So the consuming task carries its Fetches in
its context, and aiokafka_patches.py finds them there.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from notes_chassis.kafka.aiokafka_internals import (
    Consumer,
    Offsets,
    assignment_of,
    forget_errors,
    positions_of,
    set_fetch_wait,
)
from notes_chassis.kafka.cluster import TokenUnavailable
from notes_chassis.kafka.pacing import Pace, Patience, distinct_times, impatient
from notes_chassis.kafka.record_portions import RecordsByPartition

POLL_MS: Final = 1000
"""How long a poll waits for a first record. FastStream sleeps after a poll without records: a long wait here and a
short sleep there cost next to nothing, and records are nearly always seen at once."""
REST_POLL_MS: Final = 5000
"""The same of a consumer that rests."""
REST_S: Final = 5.0
"""Seconds without a record after which a consumer rests: it asks less often, and gets the next record at once."""
FETCH_WAIT_MS: Final = 100
"""How long the broker holds a fetch request for a first record. Other requests of the consumer wait behind it."""
REST_FETCH_WAIT_MS: Final = 1000
"""The same of a consumer that rests."""
FULL_BYTES: Final = 256 * 1024
"""Bytes for which a patient consumer waits at most: with so many the broker answers at once."""


def public_reason(error: Exception) -> str:
    """Return the public text of Kafka's error: its kind, the topic or group that is forbidden, the issuer that failed.

    The text of any other error may hold the cluster's addresses.
    """
    if isinstance(error, TokenUnavailable):
        return f"Kafka: {error.args[0]}"
    kind = f"Kafka: {type(error).__name__}"
    if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)) and error.args:
        (names, *_) = error.args
        return f"{kind}: {names if isinstance(names, str) else ', '.join(sorted(names))} may not be read"
    return kind


class OffsetRange(NamedTuple):
    """The offsets that one fetch has read of a partition, from `start` up to, and without, `end`.

    Markers of transactions and aborted records in between are not handed out, and are no loss.
    """

    start: int
    end: int


def offset_after(records: Sequence[Any], read: OffsetRange | None) -> int:
    """Return the offset after a partition's records, and after the markers that the same fetch has read behind them."""
    after_records: int = records[-1].offset + 1
    return after_records if read is None else max(after_records, read.end)


@dataclass(slots=True)
class Fetches:
    """Sets how long the fetches of one consumer wait, and notes which offsets the last one has read.

    `on_fetch` is called after every fetch: with its error if it raised, which drops what it had drained from other
    partitions, else with None. `on_corrupt` is called with a partition, which it has to pause, and the offset from
    which it cannot be read on.
    """

    on_fetch: Callable[[Exception | None], None]
    on_corrupt: Callable[[TopicPartition, int], None]
    last: dict[TopicPartition, OffsetRange] = field(default_factory=dict)
    resting: bool = False
    _pace: Pace = field(default_factory=Pace)
    _without_records: dict[TopicPartition, OffsetRange] = field(default_factory=dict)
    """What was read since the last record of a partition: nothing but markers and aborted records."""
    _consumer: Callable[[], Consumer | None] = lambda: None
    _patience: Patience = impatient

    @contextmanager
    def watching(self, consumer: Callable[[], Consumer | None], patience: Patience = impatient) -> Iterator[None]:
        """Watch every fetch of the consumer whose tasks are begun in this block; `patience` is asked after each."""
        self.last = {}
        self.resting = False
        self._without_records = {}
        self._consumer = consumer
        self._patience = patience
        self._pace.begin(time.monotonic())
        token = watching.set(self)  # a task gets the context in which it is created
        try:
            yield
        finally:
            watching.reset(token)

    @property
    def poll_ms(self) -> int:
        """Return how long the next poll waits for records."""
        return REST_POLL_MS if self.resting else POLL_MS

    def positions(self) -> Offsets:
        """Return the offsets from which the consumer reads on, where they are known."""
        consumer = self._consumer()
        return {} if consumer is None else positions_of(assignment_of(consumer))

    def watches(self, consumer: Any) -> bool:
        """Return whether this consumer is the watched one: whoever processes a batch may read with another consumer."""
        return self._consumer() is consumer

    def owns(self, assignment: Any) -> bool:
        """Return whether this assignment is the watched consumer's."""
        consumer = self._consumer()
        return consumer is not None and assignment_of(consumer) is assignment

    async def fetch(self, consumer: Any, poll: Callable[[], Awaitable[RecordsByPartition]]) -> RecordsByPartition:
        """Return what `poll` returns, a fetch of the watched consumer; note how it went and set the next one's wait."""
        assignment = assignment_of(consumer)
        before = positions_of(assignment)
        try:
            records = await poll()
        except Exception as error:
            forget_errors(consumer)
            self.resting = False  # so that the end of the trouble is seen soon
            self.on_fetch(error)
            raise
        assignment_now = assignment_of(consumer)
        # Positions of another assignment say nothing of this one.
        self._note_ranges(records, before if assignment_now is assignment else {}, positions_of(assignment_now))
        self._set_next_wait(consumer, records)
        self.on_fetch(None)
        return records

    def _set_next_wait(self, consumer: Any, records: RecordsByPartition) -> None:
        now = time.monotonic()
        self._pace.note(distinct_times(records.values()), now)
        self.resting = self._pace.silent_s(now) >= REST_S
        if self.resting:
            set_fetch_wait(consumer, REST_FETCH_WAIT_MS, 1)
            return
        patience_ms = self._patience(self._pace.apart_s(now))
        if patience_ms > 0:
            set_fetch_wait(consumer, patience_ms, FULL_BYTES)
        else:
            set_fetch_wait(consumer, FETCH_WAIT_MS, 1)

    def _note_ranges(self, records: Mapping[TopicPartition, Sequence[Any]], before: Offsets, after: Offsets) -> None:
        # The first fetch of an assignment begins before it has positions: its ranges begin with its records.
        self.last = {
            tp: OffsetRange(group[0].offset, after[tp]) for tp, group in records.items() if group and tp in after
        }
        without_records = {}
        for tp in before.keys() & after.keys():
            earlier = self._without_records.get(tp)
            start = earlier.start if earlier is not None and earlier.end == before[tp] else before[tp]
            if tp in self.last:
                self.last[tp] = OffsetRange(start, after[tp])
            elif after[tp] > start:  # nothing but markers: they belong to the range of the records that follow
                without_records[tp] = OffsetRange(start, after[tp])
        self._without_records = without_records


watching: Final = ContextVar[Fetches | None]("watching", default=None)
