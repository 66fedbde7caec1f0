"""One stream of changes: out of the log that all share, and out of a reader of its own while that lacks what follows.

Streams that are behind share a few readers, which are lent in turns.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Final

from notes_query.errors import Building, StoreUnavailable, TopicUnavailable, Truncated
from notes_query.live.change_log import HEARTBEAT, ChangeLog, Entry, entry_of, frame, opening
from notes_query.live.follower import Follower
from notes_query.live.hub import GONE, Hub
from notes_query.live.position import StreamPosition, encode
from notes_query.live.set_aside import Change

RETRY_MS: Final = 2_000
ENTRIES_PER_CHUNK: Final = 200
"""Entries in one chunk, at most: what a client does not take yet is not copied for it."""
AGAIN_S: Final = 1.0
READERS: Final = 8
"""Readers for streams that are behind. Each costs a connection and the memory of what it has fetched."""
TURN_S: Final = 5.0
"""Seconds that a stream keeps its reader while others wait for one."""
UNUSED_S: Final = 0.2
"""Seconds that it keeps one while its client does not take what was read."""
UNUSED_CHECK_S: Final = 0.05
SLOW: Final = "This client takes changes more slowly than they come. Connect again with the id of this event."


@dataclass(slots=True)
class Readers:
    """Lends readers in the order in which they are asked for.

    A reader that is not used is taken away as soon as another stream wants it; one that is used is given back in time.
    So clients that are slow, or far back, cost the others a turn.
    """

    hub: Hub
    at_once: int = READERS
    _lent: "set[Stream]" = field(default_factory=set)
    _queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: int = 0

    async def lend(self, stream: "Stream", position: StreamPosition) -> None:
        """Give a stream a reader from that position on, once there is one. Raises TopicUnavailable.

        It has to be given back, whatever happens.
        """
        self._wanted += 1
        try:
            async with self._queue:
                while len(self._lent) >= self.at_once:
                    slowest = min(self._lent, key=lambda stream: stream.idle_since)
                    if self.hub.clock() - slowest.idle_since < UNUSED_S:
                        await asyncio.sleep(UNUSED_CHECK_S)
                    else:
                        await self.give_back(slowest)
                self._lent.add(stream)
        finally:
            self._wanted -= 1
        stream.follower = await self.hub.reader(position)
        stream.lent_at = self.hub.clock()

    def turn_is_over(self, stream: "Stream") -> bool:
        """Return whether a stream has had its reader for long enough, with others waiting."""
        return self._wanted > 0 and self.hub.clock() - stream.lent_at >= TURN_S

    async def give_back(self, stream: "Stream") -> None:
        """Let go of a stream's reader; harmless if it has none."""
        follower, stream.follower = stream.follower, None
        self._lent.discard(stream)
        if follower is not None:
            self.hub.take_over(follower.pending)
            await follower.tail.close()

    def __len__(self) -> int:
        return len(self._lent)


@dataclass(eq=False)
class Stream:
    """A client's place in the log. Its memory does not grow with what it has not taken yet.

    `behind`: how far it is, while the log lacks what comes next. `follower`: the reader that it has, None once that was
    taken back. `idle_since`: when it began to wait for its client.
    """

    hub: Hub
    readers: Readers
    heartbeat_s: float
    slow: Callable[[], None]
    stack: AsyncExitStack
    behind: StreamPosition | None = None
    follower: Follower | None = None
    lent_at: float = 0.0
    idle_since: float = float("inf")
    was_cut: asyncio.Event = field(default_factory=asyncio.Event)
    _has: StreamPosition | None = None
    _lacking: frozenset[tuple[int, int]] = frozenset()
    _place: int = 0
    _begun: int = 0
    _id: str = ""
    _reset: str | None = None
    _said_at: float = 0.0

    def from_now(self, reset: str | None = None) -> None:
        """Begin with what comes; `reset` says why the client's id is of no use."""
        if self.hub.pending is None:
            raise TopicUnavailable("the reader of changes has just gone")
        self._id, self._reset, self._has, self.behind = self.hub.pending.id, reset, None, None
        self._place = self._log.end

    def from_log(self, last: StreamPosition, aside: Iterable[Change] = ()) -> None:
        """Begin with what the log has and the client has not; `aside`: nor these, though they are passed."""
        self._has, self._id, self._place, self.behind = last, encode(last), self._log.oldest, None
        self._lacking = frozenset((*last.pending, *(change.source for change in aside)))
        self._begun = self._log.end

    def from_reader(self, last: StreamPosition) -> None:
        """Begin with readers of its own, and go on with the log once that has all that follows."""
        self.behind, self._id = last, encode(last)

    @property
    def _log(self) -> ChangeLog:
        if self.hub.log is None:
            raise TopicUnavailable("the reader of changes has just gone")
        return self.hub.log

    async def close(self) -> None:
        """Give everything back."""
        await self.readers.give_back(self)
        await self.stack.aclose()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give what is to be sent, until the service goes down or the client was too slow."""
        yield opening(RETRY_MS, self._id)
        if self._reset is not None:
            yield frame("reset", {"reason": self._reset}, self._id)
        self._said_at = self.hub.clock()
        while self.behind is not None and not self.hub.closed:
            async with aclosing(self._turn(self.behind.extended(self.hub.partitions))) as chunks:
                async for chunk in chunks:
                    yield chunk
                    self._said_at = self.hub.clock()
        async for chunk in self._live():
            yield chunk

    async def _turn(self, behind: StreamPosition) -> AsyncGenerator[bytes]:
        """Wait for a reader, and read the topic at the client's pace, until the log has what follows."""
        if not self._silent_s:
            yield HEARTBEAT
        lending = asyncio.create_task(self.readers.lend(self, behind))
        try:
            while not (await asyncio.wait([lending], timeout=self._silent_s))[0] and not self.hub.closed:
                yield HEARTBEAT
            try:
                if lending.done():
                    lending.result()
            except TopicUnavailable:
                await asyncio.sleep(AGAIN_S)
            async with aclosing(self._read()) as chunks:
                async for chunk in chunks:
                    yield chunk
        finally:
            lending.cancel()
            await asyncio.gather(lending, return_exceptions=True)
            await self.readers.give_back(self)

    @property
    def _silent_s(self) -> float:
        """The seconds until a heartbeat is due."""
        return max(0.0, self._said_at + self.heartbeat_s - self.hub.clock())

    async def _read(self) -> AsyncGenerator[bytes]:
        hub = self.hub
        while not hub.closed and (follower := self.follower) is not None and not self.readers.turn_is_over(self):
            position = follower.pending.position.extended(hub.partitions)
            known = hub.knows(position)
            if known and hub.reaches(position):
                self.from_log(position, follower.pending.aside)
                return
            try:
                if not known:
                    raise Truncated("the topic was made anew")  # noqa: TRY301 - as if it were read
                await follower.check()
                sent = await follower.step()
            except Truncated:
                self.from_now()
                yield frame("reset", {"reason": GONE}, self._id)
                return
            except TopicUnavailable:
                # This reader may have let go of records that it did not give: the next one begins where the stream is.
                await asyncio.sleep(AGAIN_S)
                return
            except (StoreUnavailable, Building):
                sent = []
                await asyncio.sleep(AGAIN_S)
            self.behind = follower.pending.position
            chunk = b"".join(entry_of(one).frame for one in sent)
            if not chunk and not self._silent_s:
                chunk = HEARTBEAT
            if chunk:
                self.idle_since = hub.clock()
                yield chunk
                self.idle_since = float("inf")

    async def _live(self) -> AsyncIterator[bytes]:
        hub, log = self.hub, self._log
        while not hub.closed:
            entries = log.since(self._place, ENTRIES_PER_CHUNK)
            if entries is None:
                self.slow()
                yield frame("slow", {"reason": SLOW}, self._id)
                return
            if entries:
                numbered = enumerate(entries, self._place)
                chunk = b"".join([one.frame for at, one in numbered if self._has is None or self._lacks(at, one)])
                self._place += len(entries)
                self._id = entries[-1].id
                if chunk:
                    yield chunk
                else:
                    await asyncio.sleep(0)  # a client that has it all must not keep the others waiting
            elif not await hub.news(self.heartbeat_s):
                yield HEARTBEAT

    def _lacks(self, number: int, entry: Entry) -> bool:
        """Return whether an entry is to be sent.

        Of what was late before this stream began only a note's last change is: it may come twice, older ones may not.
        """
        if entry.note_id is None:
            self._has = None  # of offsets that are used again
        has = self._has
        if has is None or entry.partition >= len(has.next) or entry.offset >= has.next[entry.partition]:
            return True
        if (entry.partition, entry.offset) in self._lacking:
            return True
        return entry.late and (number >= self._begun or self._log.is_latest(number))
