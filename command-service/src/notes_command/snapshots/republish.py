"""Send snapshots of notes, for readers that missed something. Slower than the pipeline on purpose."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

CHUNK: Final = 100
BACKLOG: Final = 2_000
"""Outbox rows above which republishing waits: live traffic goes first."""
LOOK_S: Final = 0.2
RESUMED_S: Final = 3600.0
"""How long a run that was killed can be taken up again. An older one begins anew: what it has sent may be lost since,
and a snapshot sent twice changes nothing."""


class Snapshots(Protocol):
    """Writes snapshots to the outbox. Raises StoreError."""

    async def one(self, note_id: str) -> bool:
        """Write the note's snapshot while its row is locked; return whether there is such a note."""

    async def stopped_behind(self, name: str, within_s: float) -> str | None:
        """Return the note behind which that run stopped, if it moved within that time and did not end."""

    async def after(self, name: str, note_id: str | None, count: int) -> Sequence[str]:
        """Write those of the next notes in id order, note how far the run got, return the ids; none: it has ended."""

    async def waiting(self) -> int:
        """Return the rows that wait in the outbox."""


@dataclass(frozen=True, slots=True)
class RepublishAll:
    """A run over all notes, deleted ones too, in id order. `per_second`: notes, at most.

    `resumed` is told the note behind which a killed run is taken up, `progress` how many were written by now.
    """

    snapshots: Snapshots
    per_second: float
    progress: Callable[[int], None]
    resumed: Callable[[str], None] = lambda _: None

    async def __call__(self, name: str = "all") -> int:
        """Return how many snapshots were written by this call."""
        note_id = await self.snapshots.stopped_behind(name, RESUMED_S)
        if note_id is not None:
            self.resumed(note_id)
        total, chunk = 0, max(1, min(CHUNK, int(self.per_second)))
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            while await self.snapshots.waiting() > BACKLOG:  # noqa: ASYNC110 - the outbox is PostgreSQL's
                await asyncio.sleep(LOOK_S)
            written = await self.snapshots.after(name, note_id, chunk)
            if not written:
                return total
            note_id = written[-1]
            total += len(written)
            self.progress(total)
            await asyncio.sleep(max(0.0, len(written) / self.per_second - (loop.time() - started)))
