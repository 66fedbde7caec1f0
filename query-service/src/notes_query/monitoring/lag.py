"""How far a consumer group is behind its topic, told to whoever asks."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Protocol

from notes_chassis.kafka.lag import EPOCH, Progress

FRESH: Final = timedelta(seconds=12)
"""Whoever feeds a group says so at least every SAY_AGAIN; with some room, who is silent longer is not there."""


class ProgressStore(Protocol):
    """The progress of all groups, for every instance to see. Raises StoreUnavailable."""

    async def save(self, seen: Iterable[Progress]) -> None:
        """Keep these in the place of older ones of their partitions."""
        ...

    async def of(self, group: str) -> list[Progress]:
        """Return what is known of a group, one for each partition."""
        ...


def seconds_behind(seen: Iterable[Progress], partitions: int, now: datetime) -> float | None:
    """Return for how long what is written may not have been stored yet. None: not known, nobody has fed it all.

    Where whoever feeds it is silent, nothing is known of what was written since.
    """
    progress = list(seen)
    if len(progress) < partitions or any(one.through == EPOCH for one in progress):
        return None
    late = [now - one.through for one in progress if one.records or now - one.at > FRESH]
    return max((seconds.total_seconds() for seconds in late), default=0.0)
