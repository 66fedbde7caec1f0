"""Reads events and gives them back once their documents are there: for all clients, or for one that catches up."""

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
MAX_WAITING: Final = 10_000
"""Events that wait for their documents, at most; beyond that the topic keeps them."""
CROWDED: Final = 1_000
"""Events that wait, from which on those that will not come are soon set aside, so that the others go on."""
FIRST_PAUSE_S: Final = 0.005
LONGEST_PAUSE_S: Final = 0.5
CROWDED_PAUSE_S: Final = 0.1
GAP_S: Final = 0.01
IDLE_S: Final = 1.0
PASSED_WITHIN_S: Final = 2.0
CHECK_S: Final = 10.0

Levels = Callable[[Collection[str]], Awaitable[list[Level]]]
"""Returns where the documents of these notes are, in one query. Raises StoreUnavailable."""
Passed = Callable[[], Awaitable[Mapping[int, int]]]
"""Returns, by partition, the offset below which the projector is done with every event.

Raises TopicUnavailable, StoreUnavailable.
"""


class Pace(NamedTuple):
    """How much is read at once, how often the projector is asked how far it is, and how long after it an event waits.

    That has to be longer than it takes to look for all documents that are waited for.
    """

    read_at_once: int
    passed_every_s: float
    aside_after_s: float


LIVE: Final = Pace(500, 5.0, ASIDE_AFTER_S)
CATCHING_UP: Final = Pace(100, 1.0, 1.0)
"""Little in memory for a client that does not take it; what is old and not there will not come soon."""
CROWDED_PACE: Final = Pace(500, 1.0, 3.0)


@dataclass(slots=True)
class Follower:
    """One reader of the topic with what it holds. `clock` returns seconds.

    While something is pending, its documents are looked for again: soon at first, then every half second, and never
    more often than every `GAP_S` seconds, however the events come.
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
        """Read what there is, wait a moment if there is nothing, and return what may be sent.

        Nothing is lost by an error, nor by a cancellation. Raises TopicUnavailable, Truncated, StoreUnavailable,
        Building.
        """
        if (rest := self._rests_until - self.clock()) > 0:
            await asyncio.sleep(rest)
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
            # Nobody could see whether the documents are there: that time is not one that they were waited for.
            self._asked_passed = None
            pending.forget_since()
            raise
        # Asked before anything leaves, which a cancellation would lose.
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
        """Whether more is read: not while too much waits for its documents."""
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
        """Return how far the projector is, now and then; None if it is not the time, or nobody can tell."""
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
            return None  # then nothing is known to be passed, and the position waits

    async def check(self) -> None:
        """Ask the topic now and then. Raises TopicUnavailable if the reader has to be made anew.

        A reader that has died inside says nothing; one that was assigned its partitions is told of no other.
        """
        read, now = self.pending.read, self.clock()
        if read != self._read:
            self._read, self._moved_at = list(read), now
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
    """Return what clients are told of an event; None for a record that is none."""
    try:
        event = decode_event(record)
        at = None if event.occurred_at is None else format_time(event.occurred_at)
    except Undecodable:
        return None
    except Exception:  # whatever it is, it must not hold up all clients; the projector sets such a record aside, too
        log.exception(
            "a record cannot be told of", topic=record.topic, partition=record.partition, offset=record.offset
        )
        return None
    return Change(event.note_id, event.version, event.type, at, record.partition, record.offset)
