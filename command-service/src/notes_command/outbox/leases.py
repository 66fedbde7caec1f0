"""The leases of the shards that this process's relay sends. They are renewed in the background."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Final

from notes_command.outbox.destinations import Destinations
from notes_command.outbox.store import PostgresOutbox

RENEW_S: Final = 0.5
"""Seconds between two renewals, and the longest time between two polls of the outbox."""
OVERDUE_S: Final = 2 * RENEW_S
"""Half the time of a lease. The relay renews an older one before it sends anything."""


@dataclass(slots=True)
class Leases:
    """Renews the leases and raises the low-water mark when each is due."""

    outbox: PostgresOutbox
    destinations: Destinations
    shards: frozenset[int] = frozenset()
    leased_at: float = float("-inf")
    _renewal: "asyncio.Task[None] | None" = field(default=None, init=False)

    async def keep(self) -> None:
        """Renew the leases in the background if that is due. Wait for it only where the leases may end soon.

        Raises StoreError, also for the last renewal.
        """
        if self._renewal is not None and self._renewal.done():
            done, self._renewal = self._renewal, None
            done.result()
        now = time.monotonic()
        if self._renewal is None and (now - self.leased_at >= RENEW_S or self.outbox.mark.due):
            self._renewal = asyncio.create_task(self._renew())
        if self._renewal is not None and (not self.shards or now - self.leased_at >= OVERDUE_S):
            needed, self._renewal = self._renewal, None
            await needed

    def end(self) -> list["asyncio.Task[None]"]:
        """Return the renewal that is under way, for the caller to cancel."""
        renewal, self._renewal = self._renewal, None
        return [] if renewal is None else [renewal]

    async def _renew(self) -> None:
        now = time.monotonic()
        if now - self.leased_at >= RENEW_S:
            self.shards = await self.outbox.lease()
            self.leased_at = now
            self.destinations.keep(self.shards)
        await self.outbox.raise_mark()
