"""How far a consumer group is behind its topic, seen by whoever feeds it. Pure bookkeeping."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from notes_chassis.kafka.watchdog import HealthSample

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is known."""
LATEST_MS: Final = 253_402_300_799_000
"""The last moment of the year 9999: a producer may write any time into its records."""
SAY_AGAIN: Final = timedelta(seconds=5)
"""Whoever feeds a group tells its progress at least so often."""


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


def written_at(record: Any) -> datetime | None:
    """Return when a record was written, by its own timestamp; None where it has none."""
    milliseconds: int | None = getattr(record, "timestamp", None)
    if milliseconds is None or not 0 <= milliseconds <= LATEST_MS:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


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

    def taken(self, records: Sequence[Any]) -> None:
        """Note that a batch is in hand, each partition's records in their order."""
        self._in_hand = {record.partition: record.offset for record in reversed(records)}

    def stored(self, records: Sequence[Any], written: Callable[[Any], datetime | None] = written_at) -> None:
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

    def sampled(self, sample: HealthSample) -> None:
        """Note a look at the consumer; one that says nothing of Kafka says nothing here."""
        if sample.reachable and sample.assigned and not sample.dead:
            asked = self.clock() - timedelta(seconds=sample.asked_s_ago)
            self.look(sample.positions, sample.ends, busy=sample.busy, asked=asked)

    def now(self) -> Collection[Progress]:
        """Return how far the group was at the last look, by partition."""
        return self._now.values()

    def unsaved(self, again: timedelta = SAY_AGAIN) -> list[Progress]:
        """Return what has changed since it was saved, or was looked at `again` after it was saved."""
        return [
            seen
            for partition, seen in self._now.items()
            if (saved := self._saved.get(partition)) is None or seen[:4] != saved[:4] or seen.at - saved.at >= again
        ]

    def saved(self, seen: Iterable[Progress]) -> None:
        """Note that these are saved."""
        self._saved |= {progress.partition: progress for progress in seen}

    def behind(self) -> tuple[int, float]:
        """Return records and seconds, of the partitions that are read here: the sum, and the most."""
        now = self.clock()
        late = [max(0.0, (now - seen.through).total_seconds()) for seen in self._now.values() if seen.records]
        return sum(seen.records for seen in self._now.values()), max(late, default=0.0)
