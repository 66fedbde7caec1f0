"""The in-memory twin of PostgresSnapshots."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from command_support.memory.database import MemoryDatabase, StoredRow

from notes_command.snapshots.republish import snapshot_row


@dataclass(frozen=True, slots=True)
class MemorySnapshots:
    """`progress`: where each run stands, and since when."""

    database: MemoryDatabase
    topic: str
    progress: dict[str, tuple[str, float]] = field(default_factory=dict)

    async def one(self, note_id: str) -> bool:
        """Write one note's."""
        if note_id not in self.database.notes:
            return False
        async with self.database.locks["note", note_id]:
            row = snapshot_row(self.database.notes[note_id], self.topic)
            for at, one in list(self.database.outbox.items()):
                if one.parked is not None and (one.row.topic, one.row.aggregateid) == (self.topic, note_id):
                    del self.database.outbox[at]
            self.database.outbox[next(self.database.positions)] = StoredRow(row, self.database.clock())
        for subscriber in self.database.subscribers:
            subscriber()
        return True

    async def stopped_behind(self, name: str, within_s: float) -> str | None:
        """Return where that run stopped."""
        note_id, moved_at = self.progress.get(name, (None, 0.0))
        return note_id if time.monotonic() - moved_at < within_s else None

    async def after(self, name: str, note_id: str | None, count: int) -> Sequence[str]:
        """Write those of the next notes and how far the run got."""
        found = sorted(one for one in self.database.notes if note_id is None or one > note_id)[:count]
        for one in found:
            await self.one(one)
        if found:
            self.progress[name] = (found[-1], time.monotonic())
        else:
            self.progress.pop(name, None)
        return found

    async def waiting(self) -> int:
        """Count what waits."""
        return sum(stored.parked is None for stored in self.database.outbox.values())
