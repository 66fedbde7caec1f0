"""One reader of the topic for all clients of this instance. It reads only while a client listens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

import structlog

from notes_chassis.process import Backoff
from notes_query.errors import Building, StoreUnavailable, TopicUnavailable, Truncated
from notes_query.live.change_log import ChangeLog, entry_of, reset_entry
from notes_query.live.follower import CATCHING_UP, Follower, Levels, Passed
from notes_query.live.pending_changes import PendingChanges
from notes_query.live.position import StreamPosition, fingerprint
from notes_query.live.tail import Bounds, EventTopic, behind

log = structlog.get_logger()

IDLE_S: Final = 10.0
"""Seconds that the reader goes on without a client: one that comes back finds in the log what it has missed."""
READY_S: Final = 5.0
"""Seconds that a client waits until the reader reads."""
BACK: Final = 10_000
"""Records before the end from which the reader begins at most, for a first client that resumes there."""
GONE: Final = "The topic of events no longer holds what comes next. Read the notes anew; changes go on from now."


@dataclass(slots=True)
class Hub:
    """Reads the topic into `log`, which the clients read. `run` ends by cancellation only; `close` ends every stream.

    `clock` returns seconds. `report` is called with the reason why the topic is not read, or with None.
    """

    topic: EventTopic
    levels: Levels
    passed: Passed
    clock: Callable[[], float]
    report: Callable[[str | None], None] = lambda _: None
    pending: PendingChanges | None = None
    log: ChangeLog | None = None
    closed: bool = False
    _listening: int = 0
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _resume: StreamPosition | None = None
    _follower: Follower | None = None
    _reason: str = "not started"
    _read_of: str = ""
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Read while a client listens."""
        while True:
            await self._wanted.wait()
            while self._wanted.is_set():
                try:
                    await self._read()
                except TopicUnavailable as error:
                    self._reason = str(error)
                    self.report(self._reason)
                    log.warning("changes are not read, trying again", error=self._reason)
                    await asyncio.sleep(self._backoff.next())
                    if not self._listening:
                        self._wanted.clear()
            self._ready.clear()
            self.report(None)  # Kafka is not asked any more, so no failure of it is known
            self.pending = None
            self.log = None

    async def _read(self) -> None:
        """Read until no client has listened for IDLE_S. Raises TopicUnavailable; then what is pending is kept."""
        tail = await self.topic.tail()
        identity = self.topic.identity  # that of this reader; the next reader may find another one
        try:
            bounds = await tail.bounds()
            another = self._read_of != identity
            self._read_of = identity
            if self.pending is not None and self.log is not None and len(self.pending.read) < len(bounds.first):
                self.pending.grow(bounds.first)
                self.log.grow(bounds.first)
            if self.pending is None:
                self.pending = self._begin(bounds)
            elif another or not bounds.hold(self.pending.read):
                self.pending = self._begin_anew(bounds)
            pending = self.pending
            tail.seek(pending.read)
            follower = self._follower = Follower(tail, pending, self.levels, self.passed, self.clock)
            await self._follow(follower, bounds.end)
        finally:
            self._follower = None  # a call of a closed client would never return
            await tail.close()

    def _begin(self, bounds: Bounds) -> PendingChanges:
        start = StreamPosition(fingerprint(self._read_of), bounds.end)
        resume = None if self._resume is None else self._resume.extended(len(bounds.end))
        if resume is not None and self.knows(resume) and bounds.hold(resume.starts()):
            back = sum(end - begin for end, begin in zip(bounds.end, resume.starts(), strict=True))
            start = resume if back <= BACK and bounds.hold(resume.next) else start
        self.log = ChangeLog(start)
        return PendingChanges(start)

    def _begin_anew(self, bounds: Bounds) -> PendingChanges:
        """Send every client a reset, because events are lost, and go on from now."""
        start = StreamPosition(fingerprint(self._read_of), bounds.end)
        if self.log is not None:
            self.log.append([reset_entry(PendingChanges(start).id, GONE)])
            self.log.restart(start)
            self._wake_streams()
        log.error("events are gone from the topic before clients were told of them", topic=self.topic.name)
        return PendingChanges(start)

    async def _follow(self, follower: Follower, until: Sequence[int]) -> None:
        idle_since = self.clock()
        reported = False
        while True:
            if not self._ready.is_set() and not behind(follower.pending.read, until):
                self._ready.set()
            await self._step(follower)
            if not reported:  # until this reader has read, the failure of the one before is reported
                self.report(None)
                reported = True
            await follower.check()
            if self._listening:
                idle_since = self.clock()
            elif self.clock() - idle_since >= IDLE_S:
                self._wanted.clear()
                self._ready.clear()
                return

    async def _step(self, follower: Follower) -> None:
        try:
            sent = await follower.step()
        except Truncated as error:
            raise TopicUnavailable(str(error)) from error  # the next reader sees what the topic still holds
        except (StoreUnavailable, Building) as error:
            log.warning("documents are not seen, trying again", error=str(error))
            await asyncio.sleep(self._backoff.next())
            return
        self._backoff.reset()
        if sent and self.log is not None:
            self.log.append(map(entry_of, sent))
            self._wake_streams()

    @asynccontextmanager
    async def listening(self, resume: StreamPosition | None) -> AsyncIterator[None]:
        """Keep the reader reading. Raises TopicUnavailable if it does not read within READY_S."""
        if not self._wanted.is_set():
            self._resume = resume
            self._wanted.set()
        self._listening += 1
        try:
            try:
                async with asyncio.timeout(READY_S):
                    await self._ready.wait()
            except TimeoutError:
                raise TopicUnavailable(self._reason) from None
            yield
        finally:
            self._listening -= 1

    async def news(self, within_s: float) -> bool:
        """Wait for new entries or the end. Return False if there were none in that time."""
        news = self._news
        try:
            async with asyncio.timeout(within_s):
                await news.wait()
        except TimeoutError:
            return False
        return True

    def _wake_streams(self) -> None:
        news = self._news
        self._news = asyncio.Event()
        news.set()

    def close(self) -> None:
        """End every stream, because the service stops."""
        self.closed = True
        self._wake_streams()

    def knows(self, position: StreamPosition) -> bool:
        """Return whether a position belongs to the topic that is read."""
        partitions = len(position.next) if self.pending is None else self.partitions
        return position.topic == fingerprint(self._read_of) and len(position.next) == partitions

    @property
    def partitions(self) -> int:
        """The number of the topic's partitions that are read; 0 while none is read."""
        return 0 if self.pending is None else len(self.pending.read)

    def reaches(self, position: StreamPosition) -> bool:
        """Return whether the log has all that a client at this position has missed."""
        log, pending = self.log, self.pending
        if log is None or pending is None or not log.reaches(position):
            return False
        return not log.gone(source for source in position.pending if not pending.holds(*source))

    def has_read(self, position: StreamPosition) -> bool:
        """Return whether this reader has read at least as far as the position."""
        pending = self.pending
        return pending is not None and not behind(pending.read, position.next)

    async def bounds(self) -> Bounds:
        """Return what the topic holds now. Raises TopicUnavailable."""
        if self._follower is None:
            raise TopicUnavailable(self._reason)
        return await self._follower.tail.bounds()

    async def reader(self, position: StreamPosition) -> Follower:
        """Return a new reader for one client, from this position on. Raises TopicUnavailable."""
        tail = await self.topic.tail()
        pending = PendingChanges(position)
        tail.seek(pending.read)
        return Follower(tail, pending, self.levels, self.passed, self.clock, CATCHING_UP)

    def take_over(self, pending: PendingChanges) -> None:
        """Keep what a client's own reader has set aside, which this reader may not know."""
        if self.pending is not None and self.knows(pending.position.extended(self.partitions)):
            self.pending.adopt(pending.aside)
