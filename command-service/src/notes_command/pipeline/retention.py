"""Keeps inbox and dead letters to their time."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from notes_command.errors import StoreError

log = structlog.get_logger()

ROWS: Final = 1_000
PAUSE_S: Final = 0.05
"""Seconds between two steps while there is more: some 15,000 rows a second, above what comes in for long."""
LOOK_S: Final = 60.0


class Retention(Protocol):
    """Deletes what is past its time. Raises StoreError."""

    async def delete_old(self, count: int) -> tuple[int, int]:
        """Delete at most `count` rows of each kind; return how many inbox rows and dead letters went."""


@dataclass(slots=True)
class RetentionTask:
    """Deletes in small steps with pauses, so that the pipeline does not notice. Any number of instances may."""

    retention: Retention

    async def run(self) -> None:
        """Delete until cancelled."""
        while True:
            try:
                await self._delete_all()
            except StoreError as error:
                log.warning("old rows were not deleted, trying again later", error=str(error))
            await asyncio.sleep(LOOK_S)

    async def _delete_all(self) -> None:
        inbox, letters, more = 0, 0, True
        while more:
            some = await self.retention.delete_old(ROWS)
            inbox, letters, more = inbox + some[0], letters + some[1], ROWS in some
            if more:
                await asyncio.sleep(PAUSE_S)
        if inbox or letters:
            log.info("old rows deleted", inbox=inbox, dead_letters=letters)
