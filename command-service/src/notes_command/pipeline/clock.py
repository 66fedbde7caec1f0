"""Nothing is decided while the clocks of this machine and of PostgreSQL are far apart.

A row of the inbox has the time of the machine that decided the command, and retention deletes it when that is old by
PostgreSQL's clock. If a machine has not set its clock yet, its rows would be deleted at once, and a repeat of the
command would have a second effect. Events and notes would keep the wrong time for good. So commands wait on Kafka until
somebody has set the clock.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from notes_command.errors import ClocksDiffer

APART: Final = timedelta(days=1)
"""The difference that is allowed between the clocks: retention counts in weeks."""
STEP_S: Final = 3600.0
"""Seconds by which somebody may set this clock before it is compared with PostgreSQL's again."""


@dataclass(slots=True)
class ClockCheck:
    """Compares the clocks before the first batch, and again after somebody has set this machine's clock.

    `clock`: this machine's. `theirs`: PostgreSQL's; raises StoreError. `passed`: a clock that nobody sets.
    """

    clock: Callable[[], datetime]
    theirs: Callable[[], Awaitable[datetime]]
    passed: Callable[[], float] = time.monotonic
    _agreed: float | None = None
    """The offset of this machine's clock when it last agreed with PostgreSQL's."""

    async def __call__(self) -> None:
        """Return if the clocks agree. Raises ClocksDiffer, StoreError."""
        if self._agreed is not None and abs(self._offset() - self._agreed) < STEP_S:
            return
        difference = self.clock() - await self.theirs()
        if abs(difference) > APART:
            way = "ahead of" if difference > timedelta() else "behind"
            days = abs(difference).days
            raise ClocksDiffer(f"this machine's clock is {days} days {way} PostgreSQL's: set the wrong one")
        self._agreed = self._offset()

    def _offset(self) -> float:
        """Return a number that changes only when somebody sets this machine's clock."""
        return self.clock().timestamp() - self.passed()
