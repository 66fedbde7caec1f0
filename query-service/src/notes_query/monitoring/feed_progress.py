"""How far the groups are that are fed here: watched as it happens, told to everybody again and again."""

from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

from notes_chassis.kafka.lag import Progress, Tracker, written_at
from notes_chassis.kafka.watchdog import HealthSample
from notes_chassis.process import logged
from notes_contracts import parse_time
from notes_query.monitoring import metrics
from notes_query.monitoring.lag import ProgressStore
from notes_query.projecting.counts import Counts
from notes_query.projections.read_model import Record

SAMPLES: Final = 32
"""Records of a batch whose way is timed: reading the time of each would cost more than it tells."""


class Feed:
    """One group that is fed here. `name` is for people: its projector and build.

    `visible`: readers get what this group writes now; the time until then is measured.
    """

    def __init__(
        self,
        name: str,
        group: str,
        process: Callable[[Sequence[Record]], Awaitable[Counts]],
        visible: Callable[[], bool],
        clock: Callable[[], datetime],
    ) -> None:
        self.name = name
        self.tracker = Tracker(group, clock)
        self._process = process
        self._visible = visible
        self._clock = clock

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Process a batch, and note that it is stored."""
        self.tracker.taken(records)
        with logged("how long a batch was on its way could not be told"):
            self._tell_received(records)
        counts = await self._process(records)
        self.tracker.stored(records)
        with logged("a batch that is stored could not be counted"):
            self._tell_stored(records, counts)
        return counts

    def _tell_received(self, records: Sequence[Record]) -> None:
        if times := [at for record in sampled(records) if (at := written_at(record)) is not None]:
            metrics.RECEIVED_SECONDS.labels(self.name).observe(max(0.0, (self._clock() - min(times)).total_seconds()))

    def _tell_stored(self, records: Sequence[Record], counts: Counts) -> None:
        metrics.count(self.name, counts)
        if self._visible():
            now = self._clock()
            for record in sampled(records):
                if (decided := _decided(record)) is not None:
                    metrics.VISIBLE_SECONDS.observe(max(0.0, (now - decided).total_seconds()))

    def rename(self, name: str) -> None:
        """Be called so from now on: what readers get has its projector's name, and that changes hands."""
        if name != self.name:
            self.hide()
            self.name = name

    def show(self) -> None:
        """Set the gauges."""
        records, seconds = self.tracker.behind()
        metrics.LAG_RECORDS.labels(self.name).set(records)
        metrics.LAG_SECONDS.labels(self.name).set(seconds)

    def hide(self) -> None:
        """Take the gauges away."""
        for gauge in (metrics.LAG_RECORDS, metrics.LAG_SECONDS):
            with suppress(KeyError):
                gauge.remove(self.name)

    def end(self) -> None:
        """Know nothing any more: who feeds the group next may be another."""
        self.hide()
        self.tracker = Tracker(self.tracker.group, self._clock)

    def seen(self, sample: HealthSample) -> None:
        """Note a look at the consumer."""
        self.tracker.sampled(sample)


@dataclass(slots=True)
class Feeds:
    """What is fed by this process."""

    store: ProgressStore
    _feeds: list[Feed] = field(default_factory=list)

    @contextmanager
    def watching(self, feed: Feed) -> Iterator[None]:
        """Tell how far this one is until the block ends."""
        self._feeds.append(feed)
        try:
            yield
        finally:
            self._feeds.remove(feed)
            feed.end()

    def progress(self, group: str) -> Collection[Progress]:
        """Return how far a group is in the partitions that are read here; nothing of one that is not fed here."""
        return [seen for feed in self._feeds if feed.tracker.group == group for seen in feed.tracker.now()]

    async def step(self) -> None:
        """Tell of all that is fed, if something has changed or was told a while ago. Raises StoreUnavailable."""
        for feed in self._feeds:
            feed.show()
        trackers = [feed.tracker for feed in self._feeds]
        if any(tracker.unsaved() for tracker in trackers):
            # All at once, but not what nobody has looked at since: another process may feed it by now, and tell of it.
            seen = [tracker.unsaved(again=timedelta.resolution) for tracker in trackers]
            await self.store.save(chain.from_iterable(seen))
            for tracker, known in zip(trackers, seen, strict=True):
                tracker.saved(known)


def sampled(records: Sequence[Record]) -> Sequence[Record]:
    """Return some records of a batch, the first one and all of a small batch among them."""
    return records[:: max(1, len(records) // SAMPLES)]


def _decided(record: Record) -> datetime | None:
    for name, value in record.headers:
        if name == "ce_time" and value is not None:
            try:
                return parse_time(value.decode())
            except ValueError:
                return None
    return None
