"""Which notes command-service was asked to republish."""

from collections.abc import Collection
from datetime import datetime, timedelta


class MemoryRequests:
    """Requests."""

    def __init__(self) -> None:
        self.asked: dict[str, int] = {}
        self.next_at: dict[str, datetime] = {}

    async def asked_lately(self, note_ids: Collection[str], now: datetime) -> set[str]:
        return {note_id for note_id in note_ids if note_id in self.next_at and self.next_at[note_id] > now}

    async def claim(self, note_id: str, now: datetime) -> int | None:
        if await self.asked_lately([note_id], now):
            return None
        self.next_at[note_id] = now + timedelta(minutes=1)
        return self.asked.get(note_id, 0)

    async def again(self, note_id: str, at: datetime, asked: int) -> None:
        self.next_at[note_id], self.asked[note_id] = at, asked
