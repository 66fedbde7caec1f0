"""Records that wait behind a transaction which is still open: whoever reads only what is committed stops there."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

OPEN_S: Final = 5.0
"""Seconds after which an open transaction is told. Committing takes far less; one that was forgotten stays open for
minutes, until the broker aborts it."""


class Uncommitted(NamedTuple):
    """A partition whose last stable offset is not its end."""

    stable: int
    end: int

    @property
    def records(self) -> int:
        """Return how many records, markers included, wait."""
        return self.end - self.stable


@dataclass(slots=True)
class OpenTransactions:
    """Tells from looks at the partitions which of them do not move, and for how long."""

    clock: Callable[[], float] = time.monotonic
    _since: dict[int, tuple[int, float]] = field(default_factory=dict)

    def look(self, seen: Mapping[int, Uncommitted]) -> str | None:
        """Return what waits, in words; None while nothing has waited for long."""
        now = self.clock()
        self._since = {number: self._known(number, one.stable, now) for number, one in seen.items()}
        old = {number: now - since for number, (_, since) in self._since.items() if now - since >= OPEN_S}
        if not old:
            return None
        records = sum(seen[number].records for number in old)
        numbers = ", ".join(map(str, sorted(old)))
        longest = max(old.values())
        return f"{records} records wait behind an open transaction in partition {numbers}, for {longest:.0f} s"

    def _known(self, number: int, stable: int, now: float) -> tuple[int, float]:
        known = self._since.get(number)
        return known if known is not None and known[0] == stable else (stable, now)
