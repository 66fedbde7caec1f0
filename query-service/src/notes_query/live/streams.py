"""The streams of changes that are open: where each begins, what its client is sent, and that there are not too many."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from typing import Final

from notes_query.errors import Building, Busy, StoreUnavailable, TopicUnavailable, Truncated
from notes_query.live.change_log import HEARTBEAT, ChangeLog, entry_of, frame, opening
from notes_query.live.follower import Follower, Loan
from notes_query.live.hub import GONE, Hub
from notes_query.live.pending_changes import Sent
from notes_query.live.position import Position, decode, encode
from notes_query.projecting.serving import Serving

RETRY_MS: Final = 2_000
AT_ONCE: Final = 200
"""Entries in one chunk, at most: what a client does not take yet is not copied for it."""
AGAIN_S: Final = 1.0
HEARTBEAT_S: Final = 15.0
SLOW_S: Final = 1.0
"""Seconds without taking anything after which a client makes room for another."""
END_S: Final = 1.0
SLOW: Final = "This client takes changes more slowly than they come. Connect again with the id of this event."
OTHER_TOPIC: Final = "This id is of another topic of events. Read the notes anew; changes go on from now."
TOO_OLD: Final = "This id is older than the topic of events. Read the notes anew; changes go on from now."


@dataclass(eq=False)
class Stream:
    """A client's place in the log. Its memory does not grow with what it has not taken yet.

    `behind`: how far it is, while the log lacks what comes next; `idle_since`: when it began to wait for its client.
    """

    hub: Hub
    heartbeat_s: float
    slow: Callable[[], None]
    stack: AsyncExitStack
    behind: Position | None = None
    idle_since: float = float("inf")
    was_cut: asyncio.Event = field(default_factory=asyncio.Event)
    _loan: Loan | None = None
    _has: Position | None = None
    _place: int = 0
    _id: str = ""
    _reset: str | None = None

    def from_now(self, reset: str | None = None) -> None:
        """Begin with what comes; `reset` says why the client's id is of no use."""
        if self.hub.pending is None:
            raise TopicUnavailable("the reader of changes has just gone")
        self._id, self._reset, self._has, self.behind = self.hub.pending.id, reset, None, None
        self._place = self._log.end

    def from_log(self, last: Position) -> None:
        """Begin with what the log has and the client has not."""
        self._has, self._id, self._place, self.behind = last, encode(last), self._log.first, None

    def from_reader(self, last: Position) -> None:
        """Begin with readers of its own, and go on with the log once that has all that follows."""
        self.behind, self._id = last, encode(last)

    def cut(self) -> None:
        """End the connection of a client that does not take what was sent."""
        self.was_cut.set()

    @property
    def _log(self) -> ChangeLog:
        if self.hub.log is None:
            raise TopicUnavailable("the reader of changes has just gone")
        return self.hub.log

    async def close(self) -> None:
        """Give everything back."""
        await self._give_back()
        await self.stack.aclose()

    async def _give_back(self) -> None:
        loan, self._loan = self._loan, None
        if loan is not None:
            await self.hub.readers.give_back(loan)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give what is to be sent, until the service goes down or the client was too slow."""
        yield opening(RETRY_MS, self._id)
        if self._reset is not None:
            yield frame("reset", {"reason": self._reset}, self._id)
        while self.behind is not None:
            async with aclosing(self._catch_up(self.behind)) as chunks:
                async for chunk in chunks:
                    yield chunk
        async for chunk in self._live():
            yield chunk

    async def _catch_up(self, behind: Position) -> AsyncGenerator[bytes]:
        """Take a turn with a reader: read the topic at the client's pace, until the log has what follows."""
        async with aclosing(self._waiting_for_turn(behind)) as heartbeats:
            async for heartbeat in heartbeats:
                yield heartbeat
        try:
            if self.hub.closed:
                self.behind = None
            elif self._loan is not None:
                async with aclosing(self._turn(self._loan)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        finally:
            await self._give_back()

    async def _waiting_for_turn(self, behind: Position) -> AsyncGenerator[bytes]:
        taking = asyncio.create_task(self.hub.readers.take(behind))
        try:
            while not (await asyncio.wait([taking], timeout=self.heartbeat_s))[0] and not self.hub.closed:
                yield HEARTBEAT
        finally:
            taking.cancel()
            await asyncio.wait([taking])
            if not taking.cancelled() and taking.exception() is None:
                self._loan = taking.result()
        if self._loan is None and not self.hub.closed:
            try:
                taking.result()
            except TopicUnavailable:
                await asyncio.sleep(AGAIN_S)

    async def _turn(self, loan: Loan) -> AsyncGenerator[bytes]:
        hub, loop = self.hub, asyncio.get_running_loop()
        said = loop.time()
        while not hub.closed and loan.follower is not None and not hub.readers.turn_is_over(loan):
            position = loan.follower.pending.position.extended(hub.partitions)
            if hub.reaches(position):
                self.from_log(position)
                return
            try:
                sent = await self._step(loan.follower, len(position.next))
            except Truncated:
                self.from_now()
                yield frame("reset", {"reason": GONE}, self._id)
                return
            except (StoreUnavailable, TopicUnavailable, Building):
                sent = []
                await asyncio.sleep(AGAIN_S)
            self.behind = loan.follower.pending.position
            chunk = b"".join(entry_of(one).frame for one in sent)
            if not chunk and loop.time() - said >= self.heartbeat_s:
                chunk = HEARTBEAT
            if chunk:
                loan.idle_since = self.idle_since = hub.clock()
                yield chunk
                loan.idle_since, self.idle_since = None, float("inf")
                said = loop.time()

    async def _step(self, follower: Follower, partitions: int) -> list[Sent]:
        if 0 < self.hub.partitions < partitions:
            raise Truncated("the topic was made anew, with fewer partitions")
        return await follower.step()

    async def _live(self) -> AsyncIterator[bytes]:
        hub, log, has = self.hub, self._log, self._has
        while not hub.closed:
            entries = log.since(self._place, AT_ONCE)
            if entries is None:
                self.slow()
                yield frame("slow", {"reason": SLOW}, self._id)
                return
            if entries:
                self._place += len(entries)
                self._id = entries[-1].id
                lacking = (e for e in entries if has is None or e.late or not has.covers(e.partition, e.offset))
                if chunk := b"".join(entry.frame for entry in lacking):
                    yield chunk
            elif not await hub.news(self.heartbeat_s):
                yield HEARTBEAT


@dataclass(slots=True)
class Streams:
    """Opens streams, at most `most` at a time, half of them behind the log. `slow` is called for each slow client."""

    hub: Hub
    serving: Serving
    most: int = 2_000
    heartbeat_s: float = HEARTBEAT_S
    slow: Callable[[], None] = lambda: None
    _open: set[Stream] = field(default_factory=set)

    async def open(self, last_event_id: str | None) -> Stream:
        """Return a stream from now, or from that id on. It has to be closed.

        Raises InvalidCursor, Busy, Building, and TopicUnavailable where Kafka does not answer in time.
        """
        last = decode(last_event_id) if last_event_id else None
        self.serving.collection("notes")
        if len(self._open) >= self.most or self.hub.closed:
            raise Busy(f"{len(self._open)} streams are open on this instance, which is as many as it takes")
        stack = AsyncExitStack()
        stream = Stream(self.hub, self.heartbeat_s, self.slow, stack)
        self._open.add(stream)
        stack.callback(self._open.discard, stream)
        try:
            await stack.enter_async_context(self.hub.listening(last))
            await self._place(stream, last)
        except BaseException:
            await stack.aclose()
            raise
        return stream

    async def _place(self, stream: Stream, last: Position | None) -> None:
        hub = self.hub
        if last is None:
            stream.from_now()
            return
        if len(last.next) > hub.partitions and len((await hub.bounds()).end) > hub.partitions:
            raise TopicUnavailable("the topic has more partitions than are read here yet")
        last = last.extended(hub.partitions)
        if not hub.knows(last):
            stream.from_now(OTHER_TOPIC)
        elif hub.has_read(last) and hub.reaches(last):
            stream.from_log(last)
        else:
            bounds = await hub.bounds()
            if not bounds.hold(last.starts()) or not bounds.hold(last.next):
                stream.from_now(TOO_OLD)
            elif hub.reaches(last):
                stream.from_log(last)  # another instance was a little ahead
            else:
                self._make_room()
                stream.from_reader(last)

    def _make_room(self) -> None:
        """Let go of the client that takes nothing for longest, if half of the streams are behind. Raises Busy."""
        behind = [stream for stream in self._open if stream.behind is not None]
        if len(behind) < self.most // 2:
            return
        slowest = min(behind, key=lambda stream: stream.idle_since)
        if self.hub.clock() - slowest.idle_since < SLOW_S:
            raise Busy("too many clients are catching up on this instance")
        self.slow()
        slowest.cut()

    def close(self) -> None:
        """End every stream; one whose client does not take what was sent is cut off."""
        self.hub.close()
        for stream in self._open:
            asyncio.get_running_loop().call_later(END_S, stream.cut)

    def __len__(self) -> int:
        return len(self._open)
