"""Nothing is decided while the clocks of this machine and of PostgreSQL are far apart.

A command is known for as long as its row's time, which is that of who decided it, is not old by PostgreSQL's clock. One
that was decided on a machine that has not set its clock yet would be forgotten at once, and its repeat have a second
effect. Events and notes would have that time for good. So commands wait on Kafka until somebody has set a clock.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from notes_command.errors import ClocksDiffer

APART: Final = timedelta(days=1)
"""How far apart the clocks may be: retention counts in weeks."""
STEP_S: Final = 3600.0
"""Seconds by which this clock may have moved against the time that has passed before they are compared again."""


@dataclass(slots=True)
class ClockCheck:
    """Compares the clocks before the first batch, and after this one was set: no batch else asks PostgreSQL for it.

    `clock` is this machine's, `theirs` PostgreSQL's, which raises StoreError.
    """

    clock: Callable[[], datetime]
    theirs: Callable[[], Awaitable[datetime]]
    passed: Callable[[], float] = time.monotonic
    _agreed: float | None = None

    async def __call__(self) -> None:
        """Return if the clocks agree. Raises ClocksDiffer, StoreError."""
        if self._agreed is not None and abs(self._set_at() - self._agreed) < STEP_S:
            return
        theirs = await self.theirs()
        apart = self.clock() - theirs
        if abs(apart) > APART:
            way = "ahead of" if apart > timedelta() else "behind"
            raise ClocksDiffer(f"this machine's clock is {abs(apart).days} days {way} PostgreSQL's: set the wrong one")
        self._agreed = self._set_at()

    def _set_at(self) -> float:
        """Return a number that changes only when somebody sets this clock."""
        return self.clock().timestamp() - self.passed()
