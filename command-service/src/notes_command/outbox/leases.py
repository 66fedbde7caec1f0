"""The shards that this process's relay sends, kept beside its steps."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from notes_command.outbox.destinations import Destinations
from notes_command.outbox.store import PostgresOutbox

RENEW_S: Final = 0.5
"""Seconds between renewals of the lease, and the slowest poll."""
OVERDUE_S: Final = 2 * RENEW_S
"""Half the time of a lease: one that is older is renewed before anything is sent, since it may not be ours for long."""


@dataclass(slots=True)
class Leases:
    """Renews the leases and raises the low-water mark, each in its time."""

    outbox: PostgresOutbox
    destinations: Destinations
    shards: frozenset[int] = frozenset()
    leased_at: float = float("-inf")
    _renewal: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def keep(self) -> None:
        """Have `shards` be ours. What was just stored does not wait for this, but where the leases may be over.

        Raises StoreError, also that of the renewal before.
        """
        if self._renewal is not None and self._renewal.done():
            done, self._renewal = self._renewal, None
            done.result()
        now = time.monotonic()
        if self._renewal is None and (now - self.leased_at >= RENEW_S or self.outbox.mark.due):
            self._renewal = asyncio.create_task(self._look_after())
        if self._renewal is not None and (not self.shards or now - self.leased_at >= OVERDUE_S):
            needed, self._renewal = self._renewal, None
            await needed

    def end(self) -> list["asyncio.Task[None]"]:
        """Return what is under way, and know nothing of it from now on."""
        under_way, self._renewal = self._renewal, None
        return [] if under_way is None else [under_way]

    async def _look_after(self) -> None:
        if (now := time.monotonic()) - self.leased_at >= RENEW_S:
            self.shards = await self.outbox.lease()
            self.leased_at = now
            self.destinations.keep(self.shards)
        await self.outbox.raise_mark()
