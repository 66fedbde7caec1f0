"""Looks at the outbox and at the dead letters every so often."""

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from notes_command.application.ports import StoreError
from notes_command.application.relay_ports import Backlog
from notes_command.entrypoints import metrics
from notes_command.entrypoints.health import Health

log = structlog.get_logger()

LOOK_S: Final = 2.0
LETTERS_LOOK_S: Final = 30.0
STATES: Final = ("open", "redriven", "dropped")
OVERDUE_S: Final = 60.0
"""An outbox that does not drain must not go on growing: commands wait on Kafka, where there is room for them."""


@dataclass(slots=True)
class OutboxGauges:
    """Depth and age of the outbox, for /metrics and /readyz."""

    outbox: Backlog
    health: Health
    _age_s: float = 0.0

    def overdue(self) -> str | None:
        """Return why nothing more should be put into the outbox, or None."""
        return f"the oldest outbox row is {self._age_s:.0f} s old" if self._age_s > OVERDUE_S else None

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                waiting, parked, age = await self.outbox.backlog()
            except StoreError as error:
                self.health.report("postgres", ok=False, reason=str(error))
            else:
                self.health.report("postgres", ok=True)
                self._age_s = age
                metrics.OUTBOX_ROWS.set(waiting)
                metrics.OUTBOX_PARKED.set(parked)
                metrics.OUTBOX_AGE.set(age)
            await asyncio.sleep(LOOK_S)


class LetterCounts(Protocol):
    """Counts dead letters. Raises StoreError."""

    async def letters_by_state(self) -> dict[str, int]:
        """Return how many are kept, by state."""


@dataclass(slots=True)
class DeadLetterGauges:
    """Dead letters by state; they change seldom, and counting reads them all."""

    letters: LetterCounts

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                found = await self.letters.letters_by_state()
            except StoreError as error:
                log.debug("dead letters not counted", error=str(error))
            else:
                for state in STATES:
                    metrics.DEAD_LETTERS_KEPT.labels(state).set(found.get(state, 0))
            await asyncio.sleep(LETTERS_LOOK_S)
