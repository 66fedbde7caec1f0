"""Reads events and returns them once their documents are stored: for all clients, or for one that catches up."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import structlog

from notes_contracts import format_time
from notes_query.errors import Building, StoreUnavailable, TopicUnavailable, Undecodable
from notes_query.live.pending_changes import ASIDE_AFTER_S, PendingChanges, Sent
from notes_query.live.set_aside import Change
from notes_query.live.tail import EventTail, behind
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.waiters import Level
from notes_query.projections.read_model import Record

log = structlog.get_logger()

NOTES_PER_QUERY: Final = 1_000
"""Notes whose documents one query looks for."""
MAX_WAITING: Final = 10_000
"""Events that may wait for their documents. No more are read until some have left."""
CROWDED: Final = 1_000
"""Waiting events from which on those that will not come are set aside sooner, so that the others go on."""
FIRST_PAUSE_S: Final = 0.005
"""Seconds until documents are looked for again; they grow to LONGEST_PAUSE_S."""
LONGEST_PAUSE_S: Final = 0.5
CROWDED_PAUSE_S: Final = 0.1
"""The longest pause while CROWDED events wait."""
GAP_S: Final = 0.01
"""Seconds between two queries for documents, at least."""
IDLE_S: Final = 1.0
"""Seconds that a read waits for records while nothing is pending."""
PASSED_WITHIN_S: Final = 2.0
"""Seconds within which the projector's offsets have to be known."""
CHECK_S: Final = 10.0
"""Seconds between two checks whether the reader still reads."""

Levels = Callable[[Collection[str]], Awaitable[list[Level]]]
"""Returns the levels of these notes' documents, by one query. Raises StoreUnavailable."""
Passed = Callable[[], Awaitable[Mapping[int, int]]]
"""Returns, by partition, the offset below which the projector has passed every event.

Raises TopicUnavailable, StoreUnavailable.
"""


class Pace(NamedTuple):
    """How much is read at once, how often the projector's offsets are read, and how long an event waits after it.

    That wait has to be longer than it takes to look for the documents of all waiting events.
    """

    read_at_once: int
    passed_every_s: float
    aside_after_s: float


LIVE: Final = Pace(500, 5.0, ASIDE_AFTER_S)
CATCHING_UP: Final = Pace(100, 1.0, 1.0)
"""Few events are held for a client that may not take them. An old event without a document will not get one soon."""
CROWDED_PACE: Final = Pace(500, 1.0, 3.0)


@dataclass(slots=True)
class Follower:
    """A reader of the topic, with the events that it holds. `clock` returns seconds.

    While something is pending, its documents are looked for again: soon at first, then every LONGEST_PAUSE_S, but never
    more often than every GAP_S, however fast events come.
    """

    tail: EventTail
    pending: PendingChanges
    levels: Levels
    passed: Passed
    clock: Callable[[], float]
    pace: Pace = LIVE
    _pause_s: float = FIRST_PAUSE_S
    _rests_until: float = 0.0
    _asked_passed: float | None = None
    _read: list[int] = field(init=False)
    _moved_at: float = field(init=False)
    _checked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._read = list(self.pending.read)
        self._moved_at = self._checked_at = self.clock()

    async def step(self) -> list[Sent]:
        """Read the next records, or wait a moment if there are none, and return what may be sent.

        Neither an error nor a cancellation loses anything. Raises TopicUnavailable, Truncated, StoreUnavailable,
        Building.
        """
        rest_s = self._rests_until - self.clock()
        if rest_s > 0:
            await asyncio.sleep(rest_s)
        pending = self.pending
        wait_s = min(self._pause_s, self._longest_pause_s) if pending.waits else IDLE_S
        room = MAX_WAITING - pending.waiting
        if room > 0:
            records, next_ = await self.tail.read(min(room, self.pace.read_at_once), wait_s)
            pending.add(map(change_of, records), next_)
            if records:
                self._pause_s = FIRST_PAUSE_S
        else:
            await asyncio.sleep(wait_s)
        if not pending.waits:
            return []
        try:
            levels = await self.levels(pending.asked(NOTES_PER_QUERY))
        except (StoreUnavailable, Building):
            # This time does not count as waiting: nobody could see whether the documents are stored.
            self._asked_passed = None
            pending.forget_since()
            raise
        # Read before any change leaves: a cancellation here would lose changes that have left.
        passed = await self._passed_now() if pending.waiting else None
        sent = list(pending.reached(levels))
        if passed is not None:
            pace = self._pace
            pending.set_aside(passed, self.clock(), min(pace.aside_after_s, self.pace.aside_after_s))
        self._pause_s = FIRST_PAUSE_S if sent else min(self._longest_pause_s, self._pause_s * 1.5)
        self._rests_until = self.clock() + GAP_S
        return sent

    @property
    def reading(self) -> bool:
        """Whether more is read: not while MAX_WAITING events wait."""
        return self.pending.waiting < MAX_WAITING

    @property
    def _crowded(self) -> bool:
        return self.pending.waiting >= CROWDED

    @property
    def _longest_pause_s(self) -> float:
        return CROWDED_PAUSE_S if self._crowded else LONGEST_PAUSE_S

    @property
    def _pace(self) -> Pace:
        return CROWDED_PACE if self._crowded else self.pace

    async def _passed_now(self) -> Mapping[int, int] | None:
        """Return the projector's offsets every `passed_every_s`; None in between, or if they are not known."""
        now = self.clock()
        if self._asked_passed is None:
            self._asked_passed = now
        if now - self._asked_passed < self._pace.passed_every_s:
            return None
        self._asked_passed = now
        try:
            async with asyncio.timeout(PASSED_WITHIN_S):
                return await self.passed()
        except (TopicUnavailable, StoreUnavailable, Building, TimeoutError):
            return None  # nothing is known to be passed, so the position waits

    async def check(self) -> None:
        """Compare with the topic every CHECK_S. Raises TopicUnavailable if the reader has to be made anew.

        A reader that has died inside raises nothing, and one with assigned partitions does not learn of new ones.
        """
        read = self.pending.read
        now = self.clock()
        if read != self._read:
            self._read = list(read)
            self._moved_at = now
        if now - self._checked_at < CHECK_S:
            return
        bounds = await self.tail.bounds()
        self._checked_at = now
        if len(bounds.end) != len(read):
            raise TopicUnavailable(f"the topic has {len(bounds.end)} partitions, and had {len(read)}")
        stands = now - self._moved_at >= CHECK_S and self.reading
        if stands and (behind(read, bounds.end) or not bounds.hold(read)):
            raise TopicUnavailable("the reader stands still though there are records")


def change_of(record: Record) -> Change | None:
    """Return the change that an event is for clients; None for a record that is not an event."""
    try:
        event = decode_event(record)
        occurred_at = None if event.occurred_at is None else format_time(event.occurred_at)
    except Undecodable:
        return None
    except Exception:  # no error may hold up all clients; the projector gives up such a record, too
        log.exception(
            "a record cannot be told of", topic=record.topic, partition=record.partition, offset=record.offset
        )
        return None
    return Change(event.note_id, event.version, event.type, occurred_at, record.partition, record.offset)
