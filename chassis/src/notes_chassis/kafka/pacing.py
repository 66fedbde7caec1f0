"""How long records wait: on the broker for more of them, and here for a consumer that matters more.

At a low rate nearly all of the cost is per batch. Fewer and larger batches leave the machine to the others, and on a
busy machine each record is done sooner. Where records are so far apart that no other would follow, none waits on the
broker.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

GATHERED: Final = 3
"""Records that are waited for. Three save most of what can be saved; with more, the first one waits longer."""
CLOSE_MS: Final = 6
"""Records that are farther apart wait for no others: somebody may wait for their effect."""
_WEIGHT: Final = 0.25
"""Weight of the last batch in the moving average of the time between records."""
_APART_S: Final = 0.1
"""Longest time between records that counts: else two seconds of silence would outweigh twenty batches."""

Patience = Callable[[float], int]
"""Returns for how many milliseconds records may wait on the broker, given the seconds between two records."""

YIELD_S: Final = 4.0
"""How long one batch yields to a consumer that matters more, at most."""
SHARE: Final = 0.2
"""Share of the time in which a consumer that yields works: under a load that never ends it still advances."""
MANY: Final = 200
"""Records in a batch that show a consumer under load. A smaller batch is what came during the one before."""
UNDER_LOAD_S: Final = 0.25
"""Seconds for which such a batch counts."""
CHECK_S: Final = 0.05


def distinct_times(groups: Iterable[Iterable[Any]]) -> int:
    """Return at how many times, in milliseconds, the records were written.

    Records that were written together come together: to wait for more of them would gather nothing.
    """
    return len({record.timestamp for group in groups for record in group})


def impatient(_: float) -> int:
    """Let no record wait."""
    return 0


def gathering(apart_s: float) -> int:
    """Let records wait until there are GATHERED of them, if they come close together."""
    apart_ms = apart_s * 1000
    return round(GATHERED * apart_ms) if apart_ms <= CLOSE_MS else 0


@dataclass(slots=True)
class Pace:
    """Seconds between two records of a consumer, a moving average. Records of the same time count as one."""

    _apart_s: float = _APART_S
    _last_at: float = 0.0

    def begin(self, now: float) -> None:
        """Start with no record."""
        self._apart_s = _APART_S
        self._last_at = now

    def note(self, records: int, now: float) -> None:
        """Note how many records a fetch has brought, 0 included."""
        if records:
            apart = min((now - self._last_at) / records, _APART_S)
            self._apart_s += (apart - self._apart_s) * _WEIGHT
            self._last_at = now

    def silent_s(self, now: float) -> float:
        """Return the seconds since the last record."""
        return now - self._last_at

    def apart_s(self, now: float) -> float:
        """Return the average, or the seconds since the last record if they are more."""
        return max(self._apart_s, self.silent_s(now))


@dataclass(slots=True)
class Yielding:
    """Lets a consumer that matters more go first while it has work, as `to` returns. `share` returns what SHARE is."""

    to: Callable[[], bool] = lambda: False
    share: Callable[[], float] = lambda: SHARE
    now: bool = False
    _under_load_until: float = float("-inf")
    _owed_until: float | None = None

    @property
    def under_load(self) -> bool:
        """Return whether this consumer has had a large batch within UNDER_LOAD_S."""
        return time.monotonic() < self._under_load_until

    def note_load(self, records: int) -> None:
        """Note the size of a batch."""
        if records >= MANY:
            self._under_load_until = time.monotonic() + UNDER_LOAD_S

    def note_work(self, seconds: float) -> None:
        """Note for how long a batch, which has just ended, was processed."""
        share = self.share()
        self._owed_until = time.monotonic() + seconds * (1 - share) / share

    async def wait(self, leaving: asyncio.Event) -> None:
        """Let the other consumer go first for its share of the time, unless partitions are being revoked."""
        until = time.monotonic() + YIELD_S
        if self._owed_until is not None:
            until = min(until, self._owed_until)
        self.now = True
        try:
            while self.to() and (left := until - time.monotonic()) > 0 and not leaving.is_set():  # noqa: ASYNC110
                await asyncio.sleep(min(CHECK_S, left))
        finally:
            self.now = False
