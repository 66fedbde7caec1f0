"""Puts rows aside that can never be sent, with what follows of their notes, so that all others flow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from notes_command.metrics import RELAY_PARKED
from notes_command.outbox.handover import Handover
from notes_command.outbox.row import Record
from notes_command.outbox.store import PostgresOutbox

log = structlog.get_logger()

BEHIND: Final = "an earlier record of this note is parked"


@dataclass(frozen=True, slots=True)
class Parking:
    """Of one relay. `limit`: bytes of the largest record that is tried. Methods raise StoreError."""

    outbox: PostgresOutbox
    handover: Handover
    limit: int

    async def sendable(self, records: Sequence[Record]) -> list[Record]:
        """Park what is too large, and what follows a parked row of its note; return the others."""
        stuck: set[tuple[str, str]] = set()
        sendable, behind = [], []
        for record in records:
            if record.blocked or record.note in stuck:
                behind.append(record)
            elif record.size > self.limit:
                stuck.add(record.note)
                await self.park(record, f"{record.size} bytes are more than the limit of {self.limit}")
            else:
                sendable.append(record)
        if behind:
            await self.outbox.park_behind([record.name for record in behind], BEHIND)
            RELAY_PARKED.inc(len(behind))
        return sendable

    async def park(self, record: Record, reason: str) -> None:
        """Put one row aside."""
        log.error("outbox row parked", position=record.position, topic=record.topic, reason=reason)
        self.handover.lose()  # what waits there may be of its note
        await self.outbox.park([record.name], reason)
        RELAY_PARKED.inc()
