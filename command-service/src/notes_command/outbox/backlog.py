"""What waits in the outbox: seen every so often by the gauges, and what a person may do with parked records."""

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

LOOK_S: Final = 2.0
OVERDUE_S: Final = 60.0
"""An outbox that does not drain must not go on growing: commands wait on Kafka, where there is room for them."""
LOOKS_PART: Final = 20
LONGEST_S: Final = 60.0
"""Seconds between two looks at most: gauges and readiness are not older than that and a look."""
WHOLE_S: Final = 600.0
"""Seconds between two looks that do without the low-water mark: if it were wrong, nobody would see what is below it."""
SENT_WITHIN_S: Final = 10.0
WAIT_S: Final = 0.1


@dataclass(slots=True)
class OutboxGauges:
    """Depth and age of the outbox, for /metrics, /readyz and the consumer.

    `topics`: those of events and outcomes. Their rows are for the partition that the note's commands are in: where they
    cannot leave, no more are made. Nothing waits for dead letters.
    """

    outbox: PostgresOutbox
    health: Health
    topics: Collection[str]
    overdue: frozenset[int] = frozenset()
    """Partitions of commands that should not be stored now."""

    async def run(self) -> None:
        """Look until cancelled."""
        whole_at = time.monotonic()
        while True:
            began, part = time.monotonic(), 1
            whole = began - whole_at >= WHOLE_S
            try:
                found = await self.outbox.backlog(whole=whole)
            except StoreError as error:
                self.health.report("postgres", ok=False, reason=str(error))
                part = 0  # how long it took to fail says nothing about the next look
            else:
                self.health.report("postgres", ok=True)
                whole_at = began if whole else whole_at
                # What lies there for long is counted each time: for a part of the time. But what waits because of it
                # goes on soon after the outbox has drained, also where the look before waited for PostgreSQL.
                part = 1 if self._show(found) else LOOKS_PART
            await asyncio.sleep(max(LOOK_S, min(LONGEST_S, part * (time.monotonic() - began))))

    def _show(self, found: Sequence[Waiting]) -> bool:
        """Return whether a row waits for too long."""
        late = [one for one in found if one.oldest_s > OVERDUE_S]
        self.overdue = frozenset(one.destination.partition for one in late if one.destination.topic in self.topics)
        metrics.OUTBOX_ROWS.set(sum(one.rows for one in found))
        metrics.OUTBOX_PARKED.set(sum(one.parked for one in found))
        metrics.OUTBOX_AGE.set(max((one.oldest_s for one in found), default=0.0))
        reason = None
        if late:
            oldest = max(late, key=attrgetter("oldest_s"))
            topic, partition = oldest.destination
            paused = f"; commands of partitions {sorted(self.overdue)} wait" if self.overdue else ""
            reason = f"the oldest row, for {topic} partition {partition}, is {oldest.oldest_s:.0f} s old{paused}"
        self.health.report("outbox", ok=not late, reason=reason)
        return bool(late)


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
    """Return how much waits, for how long, and the first rows that are parked. Raises StoreError."""
    found = await outbox.backlog()
    return OutboxSeen(
        waiting=sum(one.rows for one in found),
        oldest_s=round(max((one.oldest_s for one in found), default=0.0), 3),
        parked=sum(one.parked for one in found),
        rows=await outbox.parked_rows(limit),
    )


async def unpark(outbox: PostgresOutbox, note: str) -> Unparked:
    """Let a note's parked records go, in order, and wait until they are sent or parked again. Raises StoreError."""
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
    """Remove a note's parked records. Raises StoreError."""
    return DroppedRows(note=note, dropped=await outbox.drop(note))
