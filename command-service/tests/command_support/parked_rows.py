"""Parked rows, with a keeper of them that stands in for PostgresOutbox."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from command_support.builders import NOW

from notes_command.outbox.row import Destination, Waiting
from notes_command.outbox.store import ParkedRow
from notes_contracts import format_time

NOTE = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"


@dataclass
class Rows:
    """Stands in for PostgresOutbox."""

    rows: list[ParkedRow] = field(default_factory=list)
    after: dict[int, str | None] = field(default_factory=dict)
    """What is left of those that were let go."""

    async def backlog(self) -> list[Waiting]:
        first, second = Destination("notes.events", 3), Destination("notes.events", 4)
        return [Waiting(first, 5, len(self.rows), 0.5), Waiting(second, 2, 0, 1.26)]

    async def parked_rows(self, limit: int) -> list[ParkedRow]:
        return self.rows[:limit]

    async def unpark(self, aggregateid: str) -> list[int]:
        return [row.position for row in self.rows if row.aggregateid == aggregateid]

    async def drop(self, aggregateid: str) -> int:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row.aggregateid != aggregateid]
        return before - len(self.rows)

    async def left(self, positions: Sequence[int]) -> dict[int, str | None]:
        return {position: reason for position, reason in self.after.items() if position in positions}


def parked(position: int = 12, reason: str = "too large\x1b") -> ParkedRow:
    return ParkedRow(
        position=position,
        topic="notes.events",
        aggregateid=NOTE,
        type="notes.event.note-created.v1",
        parked_at=format_time(NOW),
        reason=reason,
    )
