"""How far a consumer group is behind its topic, seen by whoever feeds it, told to whoever asks."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple, Protocol

from notes_query.projections.recorded_event import Record

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is known."""
FRESH: Final = timedelta(seconds=12)
"""Whoever feeds a group says so at least every SAY_AGAIN; with some room, who is silent longer is not there."""
SAY_AGAIN: Final = timedelta(seconds=5)


class Progress(NamedTuple):
    """Where a group was in one partition at a moment, `at`.

    `position`: the first offset not stored. `end`: the first that was not written. `through`: whatever was written to
    the partition before that moment is stored.
    """

    group: str
    partition: int
    position: int
    end: int
    through: datetime
    at: datetime

    @property
    def records(self) -> int:
        """Return how many records are not stored."""
        return max(0, self.end - self.position)


class ProgressStore(Protocol):
    """The progress of all groups, for every instance to see. Raises StoreUnavailable."""

    async def save(self, seen: Iterable[Progress]) -> None:
        """Keep these in the place of older ones of their partitions."""
        ...

    async def of(self, group: str) -> list[Progress]:
        """Return what is known of a group, one for each partition."""
        ...


@dataclass(slots=True)
class Tracker:
    """The progress of one group in the partitions that are read here. Pure bookkeeping.

    A record that is not stored yet is younger than the last one that is, and younger than the last moment at which
    nothing was left. The later of the two is as close as one gets to its age without reading it.
    """

    group: str
    clock: Callable[[], datetime]
    _stored: dict[int, tuple[int, datetime | None]] = field(default_factory=dict)
    _in_hand: dict[int, int] = field(default_factory=dict)
    _empty_at: dict[int, datetime] = field(default_factory=dict)
    _now: dict[int, Progress] = field(default_factory=dict)
    _saved: dict[int, Progress] = field(default_factory=dict)
    _idle: bool = False

    def taken(self, records: Sequence[Record]) -> None:
        """Note that a batch is in hand, each partition's records in their order."""
        self._in_hand = {record.partition: record.offset for record in reversed(records)}

    def stored(self, records: Sequence[Record], written: Callable[[Record], datetime | None]) -> None:
        """Note that the batch is stored, and everything before it; `written` gives a record's time."""
        for record in {record.partition: record for record in records}.values():
            self._stored[record.partition] = (record.offset + 1, written(record))
        self._in_hand = {}

    def look(self, positions: Mapping[int, int], ends: Mapping[int, int], *, busy: bool, asked: datetime) -> None:
        """Note what a look at the consumer has shown, by partition; what is not there belongs to others.

        `positions`: the next offset to be handed out, which is where to begin if nothing was stored yet. `busy`: what
        was handed out last is not done. `asked`: when Kafka was asked for the ends.
        """
        for known in (self._stored, self._in_hand, self._empty_at, self._now, self._saved):
            for gone in known.keys() - positions.keys():
                del known[gone]
        # Once is not enough: a batch may have been handed out that is not begun.
        quiet, self._idle = self._idle and not busy, not busy
        for partition, handed_out in positions.items():
            stored = self._position(partition, handed_out, busy=busy)
            if stored is not None and (end := ends.get(partition)) is not None:
                # A transaction's marker at the end is never handed out as a record.
                position = end if quiet and handed_out >= end else stored
                self._now[partition] = self._progress(partition, position, end, asked)

    def _position(self, partition: int, handed_out: int, *, busy: bool) -> int | None:
        """Return the first offset that is not stored; None if a batch is in hand and has not been shown yet."""
        if (first := self._in_hand.get(partition)) is not None:
            return first
        if (stored := self._stored.get(partition)) is not None:
            return stored[0]
        return None if busy and not self._in_hand else handed_out

    def _progress(self, partition: int, position: int, end: int, asked: datetime) -> Progress:
        if position >= end:
            self._empty_at[partition] = asked
            return Progress(self.group, partition, position, end, asked, asked)
        written = self._stored.get(partition, (0, None))[1]
        times = [time for time in (written, self._empty_at.get(partition)) if time is not None]
        return Progress(self.group, partition, position, end, min(asked, max(times, default=EPOCH)), asked)

    def unsaved(self) -> list[Progress]:
        """Return what has changed since it was saved, or was saved a while ago."""
        return [
            seen
            for partition, seen in self._now.items()
            if (saved := self._saved.get(partition)) is None or seen[:4] != saved[:4] or seen.at - saved.at >= SAY_AGAIN
        ]

    def saved(self, seen: Iterable[Progress]) -> None:
        """Note that these are saved."""
        self._saved |= {progress.partition: progress for progress in seen}

    def behind(self) -> tuple[int, float]:
        """Return records and seconds, of the partitions that are read here: the sum, and the most."""
        now = self.clock()
        late = [max(0.0, (now - seen.through).total_seconds()) for seen in self._now.values() if seen.records]
        return sum(seen.records for seen in self._now.values()), max(late, default=0.0)


def seconds_behind(seen: Iterable[Progress], partitions: int, now: datetime) -> float | None:
    """Return for how long what is written may not have been stored yet. None: not known, nobody has fed it all.

    Where whoever feeds it is silent, nothing is known of what was written since.
    """
    progress = list(seen)
    if len(progress) < partitions or any(one.through == EPOCH for one in progress):
        return None
    late = [now - one.through for one in progress if one.records or now - one.at > FRESH]
    return max((seconds.total_seconds() for seconds in late), default=0.0)
