"""aiokafka's fetch, as FastStream's loop calls it, with four things changed.

FastStream has no place for a consumer of one's own, nor for a look at a fetch that failed or brought nothing. So the
consuming task carries its Fetches in its context, and aiokafka_patches.py asks there.
"""

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from notes_chassis.kafka.aiokafka_internals import assignment_of, fetch_within, forget_errors, positions_of
from notes_chassis.kafka.cluster import TokenUnavailable
from notes_chassis.kafka.pacing import Pace, Patience, impatient, moments
from notes_chassis.kafka.record_portions import Records

WAIT_MS: Final = 1000
"""How long an idle fetch waits for records; it returns with the first. FastStream sleeps after one without any:
waiting long here and sleeping shortly there costs next to nothing, and nearly always records are seen at once."""
REST_POLL_MS: Final = 5000
"""The same of a consumer that rests."""
REST_S: Final = 5.0
"""Seconds without a record after which a consumer rests: it asks less often, and gets the next record at once."""
FETCH_WAIT_MS: Final = 100
REST_WAIT_MS: Final = 1000
"""How long the broker holds a request for a first record, of one that rests too. Other requests wait behind it."""
FULL_BYTES: Final = 256 * 1024
"""What a patient consumer does not wait any longer for."""

Places = dict[TopicPartition, int]


def public_reason(error: Exception) -> str:
    """Return what may be said in public of an error of Kafka: its kind, what is forbidden, which issuer gave no token.

    The text of any other may hold the cluster's addresses.
    """
    if isinstance(error, TokenUnavailable):
        return f"Kafka: {error.args[0]}"
    kind = f"Kafka: {type(error).__name__}"
    if isinstance(error, (TopicAuthorizationFailedError, GroupAuthorizationFailedError)) and error.args:
        (names, *_) = error.args
        return f"{kind}: {names if isinstance(names, str) else ', '.join(sorted(names))} may not be read"
    return kind


class Stretch(NamedTuple):
    """What one fetch has read of a partition: from the position before it to the position after it.

    Markers of transactions and aborted records in between are not handed out, and are no loss.
    """

    start: int
    end: int


@dataclass(slots=True)
class Fetches:
    """Lets fetches wait, and rest, notes what the last one has read, and tells how it went.

    `told` gets the error of a fetch that raised, which drops what it had drained from other partitions, and None after
    one that did not. `corrupt` gets a partition and the offset from which it cannot be read on: it has to pause it.
    """

    told: Callable[[Exception | None], None]
    corrupt: Callable[[TopicPartition, int], None]
    last: dict[TopicPartition, Stretch] = field(default_factory=dict)
    resting: bool = False
    _pace: Pace = field(default_factory=Pace)
    _skipped: dict[TopicPartition, Stretch] = field(default_factory=dict)
    _consumer: Callable[[], Any] = lambda: None
    _patience: Patience = impatient

    @contextmanager
    def watching(self, consumer: Callable[[], Any], patience: Patience = impatient) -> Iterator[None]:
        """Watch every fetch of the consumer whose tasks are begun in this block; `patience` is asked after each."""
        self.last, self._skipped, self._consumer, self._patience = {}, {}, consumer, patience
        self.resting = False
        self._pace.begin(time.monotonic())
        token = watching.set(self)  # a task has the context of whoever began it
        try:
            yield
        finally:
            watching.reset(token)

    @property
    def wait_ms(self) -> int:
        """How long the next fetch waits for records."""
        return REST_POLL_MS if self.resting else WAIT_MS

    def positions(self) -> Places:
        """Return from where the consumer reads on, as far as that is known."""
        consumer = self._consumer()
        return {} if consumer is None else positions_of(assignment_of(consumer))

    def of(self, consumer: Any) -> bool:
        """Return whether this consumer is the one: what processes a batch may read with another one."""
        return self._consumer() is consumer

    def owns(self, assignment: Any) -> bool:
        """Return whether this assignment is the consumer's."""
        consumer = self._consumer()
        return consumer is not None and assignment_of(consumer) is assignment

    async def fetch(self, consumer: Any, poll: Callable[[], Awaitable[Records]]) -> Records:
        """Do a fetch of a consumer that is watched."""
        assignment = assignment_of(consumer)
        before = positions_of(assignment)
        try:
            found = await poll()
        except Exception as error:
            forget_errors(consumer)
            self.resting = False  # that it goes on is to be seen soon
            self.told(error)
            raise
        now = assignment_of(consumer)
        # Positions of another assignment say nothing of this one.
        self._note(found, before if now is assignment else {}, positions_of(now))
        now_s = time.monotonic()
        self._pace.found(moments(found.values()), now_s)
        self.resting = self._pace.silent_s(now_s) >= REST_S
        if (patience_ms := 0 if self.resting else self._patience(self._pace.apart_s(now_s))) > 0:
            fetch_within(consumer, patience_ms, FULL_BYTES)
        else:
            fetch_within(consumer, REST_WAIT_MS if self.resting else FETCH_WAIT_MS, 1)
        self.told(None)
        return found

    def _note(self, found: Mapping[TopicPartition, Sequence[Any]], before: Places, after: Places) -> None:
        skipped = {}
        # The first fetch of an assignment begins before it has positions: what it has read begins with its records.
        self.last = {at: Stretch(found[at][0].offset, after[at]) for at in found if found[at] and at in after}
        for at in before.keys() & after.keys():
            known = self._skipped.get(at)
            start = known.start if known is not None and known.end == before[at] else before[at]
            if at in self.last:
                self.last[at] = Stretch(start, after[at])
            elif after[at] > start:  # nothing but markers: they belong to the records that follow
                skipped[at] = Stretch(start, after[at])
        self._skipped = skipped


watching: Final = ContextVar[Fetches | None]("watching", default=None)
