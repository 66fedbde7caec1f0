"""What a person may do with the parked records of a note: let them go, or drop them."""

import asyncio
from typing import Final, NamedTuple

from notes_command.outbox.store import PostgresOutbox

SENT_WITHIN_S: Final = 10.0
LOOK_S: Final = 0.1


class Unparked(NamedTuple):
    """What came of the records that were let go. `reason`: why the first of those parked again is."""

    sent: int
    waiting: int
    parked: int
    reason: str | None


async def unpark(view: PostgresOutbox, note: str) -> Unparked:
    """Let a note's parked records go, in order, and wait until they are sent or parked again. Raises StoreError."""
    positions = await view.unpark(note)
    deadline = asyncio.get_running_loop().time() + SENT_WITHIN_S
    while True:
        left = await view.left(positions)
        reasons = [reason for _, reason in sorted(left.items()) if reason is not None]
        waiting = len(left) - len(reasons)
        if not waiting or asyncio.get_running_loop().time() >= deadline:
            return Unparked(len(positions) - len(left), waiting, len(reasons), next(iter(reasons), None))
        await asyncio.sleep(LOOK_S)


async def drop(view: PostgresOutbox, note: str) -> int:
    """Drop a note's parked records for good; its later ones go on. Return how many. Raises StoreError."""
    return await view.drop(note)
