"""Reads events and gives them back once their documents are there: for all clients, or for one that catches up."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from notes_contracts import format_time
from notes_query.application.changes.holding import Change, Holding, Sent
from notes_query.application.changes.ports import EventTail, Levels, Passed
from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Building, StoreUnavailable, TopicUnavailable, Undecodable
from notes_query.projections.recorded_event import Record

READ_AT_ONCE: Final = 500
ASKED_AT_ONCE: Final = 1_000
WAITING_MOST: Final = 5_000
"""Events that wait for their documents, at most; beyond that the topic keeps them."""
FIRST_LOOK_S: Final = 0.005
LAST_LOOK_S: Final = 0.5
GAP_S: Final = 0.01
IDLE_S: Final = 1.0
PASSED_EVERY_S: Final = 5.0
PASSED_WITHIN_S: Final = 2.0


@dataclass(slots=True)
class Follower:
    """One reader of the topic with what it holds. `clock` returns seconds.

    While something is held, its documents are looked for again: soon at first, then every half second, and never
    more often than every `GAP_S` seconds, however the events come.
    """

    tail: EventTail
    holding: Holding
    levels: Levels
    passed: Passed
    clock: Callable[[], float]
    _look_s: float = FIRST_LOOK_S
    _rests_until: float = 0.0
    _asked_passed: float | None = None

    async def step(self) -> list[Sent]:
        """Read what there is, wait a moment if there is nothing, and return what may be sent.

        Nothing is lost by an error, nor by a cancellation. Raises TopicUnavailable, Truncated, StoreUnavailable,
        Building.
        """
        if (rest := self._rests_until - self.clock()) > 0:
            await asyncio.sleep(rest)
        holding = self.holding
        if holding.waiting:
            await self._set_apart()
        wait_s = self._look_s if holding.waits else IDLE_S
        room = WAITING_MOST - holding.waiting
        if room > 0:
            records, next_ = await self.tail.read(min(room, READ_AT_ONCE), wait_s)
            holding.add(map(change_of, records), next_)
            if records:
                self._look_s = FIRST_LOOK_S
        else:
            await asyncio.sleep(wait_s)
        if not holding.waits:
            return []
        sent = list(holding.reached(await self.levels(holding.asked(ASKED_AT_ONCE))))
        self._look_s = FIRST_LOOK_S if sent else min(LAST_LOOK_S, self._look_s * 1.5)
        self._rests_until = self.clock() + GAP_S
        return sent

    @property
    def reading(self) -> bool:
        """Whether more is read: not while too much waits for its documents."""
        return self.holding.waiting < WAITING_MOST

    async def _set_apart(self) -> None:
        """Ask whether the projector is done with what has been waited for so long."""
        now = self.clock()
        if self._asked_passed is None:
            self._asked_passed = now
        if now - self._asked_passed < PASSED_EVERY_S:
            return
        self._asked_passed = now
        try:
            async with asyncio.timeout(PASSED_WITHIN_S):
                passed = await self.passed()
        except (TopicUnavailable, StoreUnavailable, Building, TimeoutError):
            return  # then nothing is known to be passed, and the position waits
        self.holding.set_apart(passed, now)


def change_of(record: Record) -> Change | None:
    """Return what clients are told of an event; null for a record that is none."""
    try:
        event = decode_event(record)
    except Undecodable:
        return None
    at = None if event.occurred_at is None else format_time(event.occurred_at)
    return Change(event.note_id, event.version, event.type, at, record.partition, record.offset)
