"""How long records wait: on the broker for more of them, and here for a consumer that matters more.

At a low rate, what a batch costs is all there is: fewer and larger ones leave the machine to the others, and on a busy
one each record is done sooner. Where records are so far apart that none would follow, none waits on the broker.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

GATHER_MS: Final = 12
"""How long records that come close together wait for more, at most: somebody may wait for what they bring."""
GATHERED: Final = 3
"""Records that are waited for: they save most of what can be saved, and with more of them the first waits longer."""
_WEIGHT: Final = 0.25
"""How much the last batch says of how far apart records are."""
_APART_S: Final = 0.1
"""More than that is as far apart as can be: two seconds of silence do not count for twenty batches."""

Patience = Callable[[float], int]
"""How many milliseconds records may wait for more of them, given how many seconds they are apart."""

YIELD_S: Final = 4.0
"""How long one batch lets a consumer go first that matters more, at most."""
SHARE: Final = 0.2
"""The part of the time that a consumer works which yields: under a load that never ends it still advances."""
MANY: Final = 200
"""Records in a batch that show a consumer under load: else a batch is what came during the one before."""
UNDER_LOAD_S: Final = 0.25
"""How long such a batch counts."""
LOOK_S: Final = 0.05


def moments(found: Iterable[Iterable[Any]]) -> int:
    """Return at how many moments records were written, by the millisecond.

    What was written at once comes at once, gathered already: nothing follows it before the next moment.
    """
    return len({record.timestamp for records in found for record in records})


def impatient(_: float) -> int:
    """Let no record wait."""
    return 0


def gathering(apart_s: float) -> int:
    """Let records wait until there are a few of them, where at least two come within the time that they may wait."""
    return min(GATHER_MS, round(GATHERED * apart_s * 1000)) if 2 * apart_s * 1000 <= GATHER_MS else 0


@dataclass(slots=True)
class Pace:
    """How far apart the records of a consumer are, by what its fetches have brought; several of one moment are one."""

    _apart_s: float = _APART_S
    _found_at: float = 0.0

    def begin(self, now: float) -> None:
        """Know nothing yet."""
        self._apart_s, self._found_at = _APART_S, now

    def found(self, number: int, now: float) -> None:
        """Note that a fetch has brought so many, none included."""
        if number:
            apart = min((now - self._found_at) / number, _APART_S)
            self._apart_s += (apart - self._apart_s) * _WEIGHT
            self._found_at = now

    def silent_s(self, now: float) -> float:
        """Return for how long nothing has come."""
        return now - self._found_at

    def apart_s(self, now: float) -> float:
        """Return how far apart they are, no less than it is since the last one."""
        return max(self._apart_s, self.silent_s(now))


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
