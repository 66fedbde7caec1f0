"""Answers waiting clients after commits."""

from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_command.errors import StoreError
from notes_command.gateway.waiting import OutcomeWaiters
from notes_command.signal import Wakeup

log = structlog.get_logger()

LOOK_S: Final = 5.0
"""Seconds between looks without any commit heard of; a look without waiting clients costs nothing."""


@dataclass(slots=True)
class OutcomeAnswers:
    """One query after each commit heard of, for all clients of this instance."""

    waiters: OutcomeWaiters
    wakeup: Wakeup = field(default_factory=Wakeup)

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self.wakeup.wait(LOOK_S)
            try:
                await self.waiters.answer()
            except StoreError as error:
                log.warning("waiting clients were not answered, looking again later", error=str(error))
