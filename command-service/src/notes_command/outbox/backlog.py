"""What waits in the outbox, for gauges and readiness; and what a person may do with parked records."""

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from pydantic import BaseModel

from notes_chassis.health import Health
from notes_command import metrics
from notes_command.errors import StoreError
from notes_command.outbox.row import Waiting
from notes_command.outbox.store import ParkedRow, PostgresOutbox

POLL_S: Final = 2.0
"""Seconds between two polls of the outbox."""
OVERDUE_S: Final = 60.0
"""Age of a row from which on commands wait on Kafka, where there is room: the outbox must not grow without end."""
PAUSE_FACTOR: Final = 20
"""A slow poll is followed by a pause that is so many times as long."""
LONGEST_S: Final = 60.0
"""Seconds of the longest pause: gauges and readiness are at most that old, plus a poll."""
WHOLE_S: Final = 600.0
"""Seconds between two polls without the low-water mark: if it were wrong, nobody would see the rows below it."""
SENT_WITHIN_S: Final = 10.0
"""Seconds to wait until unparked records are sent."""
WAIT_S: Final = 0.1


@dataclass(slots=True)
class OutboxGauges:
    """Measures depth and age of the outbox, for /metrics, /readyz and the consumer.

    `topics`: those of events and outcomes. Their rows are for the same partition as the note's commands: if the rows
    cannot leave, the commands of the partition wait. No command waits because of dead letters.
    """

    outbox: PostgresOutbox
    health: Health
    topics: Collection[str]
    overdue: frozenset[int] = frozenset()
    """Partitions whose commands should not be stored now."""

    async def run(self) -> None:
        """Poll until cancelled."""
        whole_at = time.monotonic()
        while True:
            began = time.monotonic()
            factor = 1
            whole = began - whole_at >= WHOLE_S
            try:
                waiting = await self.outbox.backlog(whole=whole)
            except StoreError as error:
                self.health.report("postgres", ok=False, reason=str(error))
                factor = 0  # the time that the poll took to fail says nothing about the next one
            else:
                self.health.report("postgres", ok=True)
                whole_at = began if whole else whole_at
                # Every poll counts all rows, so it may take only a part of the time. But while a row is overdue there
                # is no long pause: the commands that wait go on soon after the outbox has drained.
                factor = 1 if self._report(waiting) else PAUSE_FACTOR
            await asyncio.sleep(max(POLL_S, min(LONGEST_S, factor * (time.monotonic() - began))))

    def _report(self, waiting: Sequence[Waiting]) -> bool:
        """Set the gauges and readiness. Return whether a row is overdue."""
        late = [of for of in waiting if of.oldest_s > OVERDUE_S]
        self.overdue = frozenset(of.destination.partition for of in late if of.destination.topic in self.topics)
        rows, parked, oldest_s = _totals(waiting)
        metrics.OUTBOX_ROWS.set(rows)
        metrics.OUTBOX_PARKED.set(parked)
        metrics.OUTBOX_AGE.set(oldest_s)
        reason = None
        if late:
            oldest = max(late, key=attrgetter("oldest_s"))
            topic, partition = oldest.destination
            paused = f"; commands of partitions {sorted(self.overdue)} wait" if self.overdue else ""
            reason = f"the oldest row, for {topic} partition {partition}, is {oldest.oldest_s:.0f} s old{paused}"
        self.health.report("outbox", ok=not late, reason=reason)
        return bool(late)


def _totals(waiting: Sequence[Waiting]) -> tuple[int, int, float]:
    """Return the rows that wait, the parked rows, and the age in seconds of the oldest row."""
    oldest_s = max((of.oldest_s for of in waiting), default=0.0)
    return sum(of.rows for of in waiting), sum(of.parked for of in waiting), oldest_s


class OutboxSeen(BaseModel):
    """How many records wait, the oldest for how many seconds; how many are parked, and the first of them."""

    waiting: int
    oldest_s: float
    parked: int
    rows: list[ParkedRow]


class Unparked(BaseModel):
    """How many records were let go, and what became of them so far. `reason`: why the first is parked again."""

    note: str
    unparked: int
    sent: int
    waiting: int
    parked: int
    reason: str | None


class DroppedRows(BaseModel):
    """How many parked records were removed."""

    note: str
    dropped: int


async def seen(outbox: PostgresOutbox, limit: int) -> OutboxSeen:
    """Return how many rows wait, for how long, and the first parked rows. Raises StoreError."""
    waiting, parked, oldest_s = _totals(await outbox.backlog())
    rows = await outbox.parked_rows(limit)
    return OutboxSeen(waiting=waiting, oldest_s=round(oldest_s, 3), parked=parked, rows=rows)


async def unpark(outbox: PostgresOutbox, note: str) -> Unparked:
    """Unpark a note's records, and wait until they are sent or parked again. Raises StoreError."""
    rows = await outbox.unpark(note)
    deadline = asyncio.get_running_loop().time() + SENT_WITHIN_S
    while True:
        left = await outbox.left(rows)
        reasons = [reason for _, reason in sorted(left.items()) if reason is not None]
        waiting = len(left) - len(reasons)
        if not waiting or asyncio.get_running_loop().time() >= deadline:
            return Unparked(
                note=note,
                unparked=len(rows),
                sent=len(rows) - len(left),
                waiting=waiting,
                parked=len(reasons),
                reason=next(iter(reasons), None),
            )
        await asyncio.sleep(WAIT_S)


async def drop(outbox: PostgresOutbox, note: str) -> DroppedRows:
    """Delete a note's parked records. Raises StoreError."""
    return DroppedRows(note=note, dropped=await outbox.drop(note))
