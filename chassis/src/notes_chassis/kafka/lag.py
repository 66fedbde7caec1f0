"""How far a consumer group is behind its topic, as its member sees it. Pure bookkeeping."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from notes_chassis.kafka.watchdog import HealthSample

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""Nothing is known."""
LATEST_MS: Final = 253_402_300_799_000
"""The end of the year 9999: a producer may write any time into its records."""
SAY_AGAIN: Final = timedelta(seconds=5)
"""A member of a group saves its progress at least so often."""


class Progress(NamedTuple):
    """Where a group was in one partition at the time `at`.

    `position`: the first offset that is not stored. `end`: the first that is not written. `through`: every record that
    was written to the partition before that time is stored.
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

    A record that is not stored was written after the last record that is, and after the last time at which nothing was
    left. The later of the two is the best known bound of its age without reading it.
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
        """Note that a batch is in hand. Each partition's records are in their order."""
        self._in_hand = {record.partition: record.offset for record in reversed(records)}

    def stored(self, records: Sequence[Any], written: Callable[[Any], datetime | None] = written_at) -> None:
        """Note that the batch, and everything before it, is stored. `written` returns when a record was written."""
        for record in {record.partition: record for record in records}.values():
            self._stored[record.partition] = (record.offset + 1, written(record))
        self._in_hand = {}

    def look(self, positions: Mapping[int, int], ends: Mapping[int, int], *, busy: bool, asked: datetime) -> None:
        """Note the state of the consumer by partition. A partition that is missing belongs to another member.

        `positions`: the next offset to be handed out, where reading begins if nothing was stored yet. `busy`: the batch
        that was handed out last is not done. `asked`: when Kafka was asked for the ends.
        """
        for known in (self._stored, self._in_hand, self._empty_at, self._now, self._saved):
            for revoked in known.keys() - positions.keys():
                del known[revoked]
        # Idle once is not enough: a batch may have been handed out that has not begun.
        quiet = self._idle and not busy
        self._idle = not busy
        for partition, handed_out in positions.items():
            end = ends.get(partition)
            not_stored = self._first_not_stored(partition, handed_out, busy=busy)
            if end is None or not_stored is None:
                continue
            # A transaction's marker at the end is never handed out as a record.
            position = end if quiet and handed_out >= end else not_stored
            self._now[partition] = self._progress(partition, position, end, asked)

    def _first_not_stored(self, partition: int, handed_out: int, *, busy: bool) -> int | None:
        """Return the first offset that is not stored; None if a batch is in hand and `taken` was not called yet."""
        in_hand = self._in_hand.get(partition)
        if in_hand is not None:
            return in_hand
        stored = self._stored.get(partition)
        if stored is not None:
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
        """Note a sample of the consumer, unless Kafka did not answer or the consumer has no assignment."""
        if sample.reachable and sample.assigned and not sample.dead:
            asked = self.clock() - timedelta(seconds=sample.asked_s_ago)
            self.look(sample.positions, sample.ends, busy=sample.busy, asked=asked)

    def now(self) -> Collection[Progress]:
        """Return the progress at the last sample, of each partition."""
        return self._now.values()

    def unsaved(self, again: timedelta = SAY_AGAIN) -> list[Progress]:
        """Return the progress that has changed since it was saved, or was saved `again` or more before it was seen."""
        return [seen for partition, seen in self._now.items() if _is_unsaved(seen, self._saved.get(partition), again)]

    def saved(self, seen: Iterable[Progress]) -> None:
        """Note that this progress is saved."""
        self._saved |= {progress.partition: progress for progress in seen}

    def behind(self) -> tuple[int, float]:
        """Return how many records all partitions together, and how many seconds the latest of them, are behind."""
        now = self.clock()
        records = sum(seen.records for seen in self._now.values())
        late_s = [max(0.0, (now - seen.through).total_seconds()) for seen in self._now.values() if seen.records]
        return records, max(late_s, default=0.0)


def _is_unsaved(seen: Progress, saved: Progress | None, again: timedelta) -> bool:
    if saved is None or seen.at - saved.at >= again:
        return True
    return (seen.position, seen.end) != (saved.position, saved.end)
