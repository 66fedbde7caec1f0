"""One consumer of a process lets another go first that matters more."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

YIELD_S: Final = 4.0
"""How long one batch lets a consumer go first that matters more, at most."""
SHARE: Final = 0.2
"""The part of the time that a consumer works which yields: under a load that never ends it still advances."""
MANY: Final = 200
"""Records in a batch that show a consumer under load: with power to spare, a batch is what came during the one
before."""
UNDER_LOAD_S: Final = 0.25
"""How long such a batch counts."""
LOOK_S: Final = 0.05


@dataclass(slots=True)
class Yielding:
    """`to` says whether a consumer that matters more has work; `share` as SHARE."""

    to: Callable[[], bool] = lambda: False
    share: Callable[[], float] = lambda: SHARE
    now: bool = False
    _under_load_until: float = float("-inf")
    _owed_until: float | None = None

    @property
    def under_load(self) -> bool:
        """Return whether what else this process does makes this consumer's records wait."""
        return time.monotonic() < self._under_load_until

    def note_load(self, records: int) -> None:
        """Note the size of a batch."""
        if records >= MANY:
            self._under_load_until = time.monotonic() + UNDER_LOAD_S

    def note_work(self, seconds: float) -> None:
        """Note how long a batch took, which has just been done."""
        share = self.share()
        self._owed_until = time.monotonic() + seconds * (1 - share) / share

    async def wait(self, leaving: asyncio.Event) -> None:
        """Let the other one go first for its part of the time, and not while partitions are being given away."""
        until = time.monotonic() + YIELD_S
        if self._owed_until is not None:
            until = min(until, self._owed_until)
        self.now = True
        try:
            while self.to() and (left := until - time.monotonic()) > 0 and not leaving.is_set():  # noqa: ASYNC110
                await asyncio.sleep(min(LOOK_S, left))
        finally:
            self.now = False
