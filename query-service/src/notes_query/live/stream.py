"""A stream of changes: from the shared log, or from one of a few lent readers while the log lacks what comes next."""

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
"""Entries of one chunk: what a client does not take yet is not copied for it."""
AGAIN_S: Final = 1.0
"""Seconds until a read that failed is tried again."""
READERS: Final = 8
"""Readers for streams that are behind. Each takes a connection and the memory of what it has fetched."""
TURN_S: Final = 5.0
"""Seconds that a stream keeps its reader while others wait for one."""
UNUSED_S: Final = 0.2
"""Seconds that a stream keeps its reader while its client does not take what was read."""
UNUSED_CHECK_S: Final = 0.05
SLOW: Final = "This client takes changes more slowly than they come. Connect again with the id of this event."


@dataclass(slots=True)
class Readers:
    """Lends readers to streams, first come, first served.

    A reader that is not used is taken back as soon as another stream waits; one that is used, after TURN_S. So clients
    that are slow, or far behind, cost the others no more than a turn.
    """

    hub: Hub
    at_once: int = READERS
    _lent: "set[Stream]" = field(default_factory=set)
    _queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: int = 0

    async def lend(self, stream: "Stream", position: StreamPosition) -> None:
        """Give a stream a reader from that position on, as soon as one is free. Raises TopicUnavailable.

        The caller has to give it back, also after an error.
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
        """Return whether a stream has had its reader for TURN_S while others wait."""
        return self._wanted > 0 and self.hub.clock() - stream.lent_at >= TURN_S

    async def give_back(self, stream: "Stream") -> None:
        """Close a stream's reader, if it has one."""
        follower = stream.follower
        stream.follower = None
        self._lent.discard(stream)
        if follower is not None:
            self.hub.take_over(follower.pending)
            await follower.tail.close()

    def __len__(self) -> int:
        return len(self._lent)


@dataclass(eq=False)
class Stream:
    """The stream of a client, which is a number in the log. What the client has not taken yet needs no memory.

    `behind`: its position while the log lacks what comes next. `follower`: its reader, if it has one.
    `idle_since`: when it began to wait for its client. `_number`: the next entry of the log.
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
    _number: int = 0
    _begun: int = 0
    _id: str = ""
    _reset: str | None = None
    _sent_at: float = 0.0

    def from_now(self, reset: str | None = None) -> None:
        """Begin with the next change; `reset`: the reason why the client's id cannot be used."""
        if self.hub.pending is None:
            raise TopicUnavailable("the reader of changes has just gone")
        self._id = self.hub.pending.id
        self._reset = reset
        self._has = self.behind = None
        self._number = self._log.end

    def from_log(self, last: StreamPosition, aside: Iterable[Change] = ()) -> None:
        """Begin with the entries of the log that the client lacks; it also lacks `aside`, which `last` has passed."""
        self._has = last
        self._id = encode(last)
        self._number = self._log.oldest
        self.behind = None
        self._lacking = frozenset((*last.pending, *(change.source for change in aside)))
        self._begun = self._log.end

    def from_reader(self, last: StreamPosition) -> None:
        """Begin with a reader of its own, and go on with the log once it has all that follows."""
        self.behind = last
        self._id = encode(last)

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
        """Yield what has to be sent, until the service stops or the client was too slow."""
        yield opening(RETRY_MS, self._id)
        if self._reset is not None:
            yield frame("reset", {"reason": self._reset}, self._id)
        self._sent_at = self.hub.clock()
        while self.behind is not None and not self.hub.closed:
            async with aclosing(self._turn(self.behind.extended(self.hub.partitions))) as chunks:
                async for chunk in chunks:
                    yield chunk
                    self._sent_at = self.hub.clock()
        async for chunk in self._live():
            yield chunk

    async def _turn(self, behind: StreamPosition) -> AsyncGenerator[bytes]:
        """Wait for a reader, and read the topic at the client's pace, until the log has what follows."""
        if not self._heartbeat_in_s:
            yield HEARTBEAT
        lending = asyncio.create_task(self.readers.lend(self, behind))
        try:
            while not (await asyncio.wait([lending], timeout=self._heartbeat_in_s))[0] and not self.hub.closed:
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
    def _heartbeat_in_s(self) -> float:
        """The seconds until a heartbeat is due."""
        return max(0.0, self._sent_at + self.heartbeat_s - self.hub.clock())

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
                # This reader may have dropped records that it did not yield. The next one begins at `behind`.
                await asyncio.sleep(AGAIN_S)
                return
            except (StoreUnavailable, Building):
                sent = []
                await asyncio.sleep(AGAIN_S)
            self.behind = follower.pending.position
            chunk = b"".join(entry_of(change).frame for change in sent)
            if not chunk and not self._heartbeat_in_s:
                chunk = HEARTBEAT
            if chunk:
                self.idle_since = hub.clock()
                yield chunk
                self.idle_since = float("inf")

    async def _live(self) -> AsyncIterator[bytes]:
        hub, log = self.hub, self._log
        while not hub.closed:
            entries = log.since(self._number, ENTRIES_PER_CHUNK)
            if entries is None:
                self.slow()
                yield frame("slow", {"reason": SLOW}, self._id)
                return
            if entries:
                numbered = enumerate(entries, self._number)
                frames = [entry.frame for number, entry in numbered if self._has is None or self._lacks(number, entry)]
                chunk = b"".join(frames)
                self._number += len(entries)
                self._id = entries[-1].id
                if chunk:
                    yield chunk
                else:
                    await asyncio.sleep(0)  # a client that has all entries must not hold up the others
            elif not await hub.news(self.heartbeat_s):
                yield HEARTBEAT

    def _lacks(self, number: int, entry: Entry) -> bool:
        """Return whether an entry has to be sent.

        Of entries that were late before this stream began, only the last of each note is sent. It may come twice;
        older changes may not.
        """
        if entry.note_id is None:
            self._has = None  # its offsets may be used again
        has = self._has
        if has is None or entry.partition >= len(has.next) or entry.offset >= has.next[entry.partition]:
            return True
        if (entry.partition, entry.offset) in self._lacking:
            return True
        return entry.late and (number >= self._begun or self._log.is_latest(number))
