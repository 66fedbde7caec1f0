"""What one client is sent, in the order in which it is sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Final

from notes_query.errors import Building, StoreUnavailable, TopicUnavailable, Truncated
from notes_query.live.change_log import ChangeLog, Entry
from notes_query.live.follower import Follower
from notes_query.live.frames import HEARTBEAT, entry_of, frame, opening
from notes_query.live.holding import Sent
from notes_query.live.hub import GONE, Hub
from notes_query.live.position import Position, encode
from notes_query.live.readers import Loan

RETRY_MS: Final = 2_000
AT_ONCE: Final = 200
"""Entries in one chunk, at most: what a client does not take yet is not copied for it."""
AGAIN_S: Final = 1.0
SLOW: Final = "This client takes changes more slowly than they come. Connect again with the id of this event."


class Stream:
    """A client's place in the log. Its memory does not grow with what it has not taken yet."""

    def __init__(self, hub: Hub, heartbeat_s: float, slow: Callable[[], None], stack: AsyncExitStack) -> None:
        self._hub = hub
        self._heartbeat_s = heartbeat_s
        self._slow = slow
        self._stack = stack
        self._loan: Loan | None = None
        self._behind: Position | None = None
        self.idle_since = float("inf")
        """When this stream began to wait for its client, while it is behind."""
        self._has: Position | None = None
        self._place = 0
        self._id = ""
        self._reset: str | None = None
        self.cut: Callable[[], object] = lambda: None
        """Ends a client that does not take what was sent; set by whoever sends."""

    def from_now(self, reset: str | None = None) -> None:
        """Begin with what comes; `reset` says why the client's id is of no use."""
        if self._hub.holding is None:
            raise TopicUnavailable("the reader of changes has just gone")
        self._id, self._reset, self._has = self._hub.holding.id, reset, None
        self._place = self._log.end

    def from_log(self, last: Position) -> None:
        """Begin with what the log has and the client has not."""
        self._has, self._id, self._place = last, encode(last), self._log.first

    def from_reader(self, last: Position) -> None:
        """Begin with readers of its own, and go on with the log once that has all that follows."""
        self._behind, self._id = last, encode(last)

    @property
    def is_behind(self) -> bool:
        """Whether the log does not have what comes next."""
        return self._behind is not None

    @property
    def _log(self) -> ChangeLog:
        if self._hub.log is None:
            raise TopicUnavailable("the reader of changes has just gone")
        return self._hub.log

    async def close(self) -> None:
        """Give everything back."""
        await self._give_back()
        await self._stack.aclose()

    async def _give_back(self) -> None:
        loan, self._loan = self._loan, None
        if loan is not None:
            await self._hub.readers.give_back(loan)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give what is to be sent, until the service goes down or the client was too slow."""
        yield opening(RETRY_MS, self._id)
        if self._reset is not None:
            yield self._reset_frame(self._reset)
        while self._behind is not None:
            async with aclosing(self._catch_up(self._behind)) as chunks:
                async for chunk in chunks:
                    yield chunk
        async for chunk in self._live():
            yield chunk

    async def _catch_up(self, behind: Position) -> AsyncGenerator[bytes]:
        """Take a turn with a reader: read the topic at the client's pace, until the log has what follows."""
        hub = self._hub
        async with aclosing(self._waiting_for_turn(behind)) as heartbeats:
            async for heartbeat in heartbeats:
                yield heartbeat
        try:
            if hub.closed:
                self._behind = None
            elif self._loan is not None:
                async with aclosing(self._turn(self._loan)) as chunks:
                    async for chunk in chunks:
                        yield chunk
        finally:
            await self._give_back()

    async def _waiting_for_turn(self, behind: Position) -> AsyncGenerator[bytes]:
        taking = asyncio.create_task(self._hub.readers.take(behind))
        try:
            while not (await asyncio.wait([taking], timeout=self._heartbeat_s))[0] and not self._hub.closed:
                yield HEARTBEAT
        finally:
            taking.cancel()
            await asyncio.wait([taking])
            if not taking.cancelled() and taking.exception() is None:
                self._loan = taking.result()
        if self._loan is None and not self._hub.closed:
            try:
                taking.result()
            except TopicUnavailable:
                await asyncio.sleep(AGAIN_S)

    async def _turn(self, loan: Loan) -> AsyncGenerator[bytes]:
        hub, loop = self._hub, asyncio.get_running_loop()
        said = loop.time()
        while not hub.closed and loan.follower is not None and not hub.readers.turn_is_over(loan):
            position = loan.follower.holding.position.extended(hub.partitions)
            if hub.reaches(position):
                self._behind = None
                self.from_log(position)
                return
            try:
                sent = await self._step(loan.follower, len(position.next))
            except Truncated:
                self._behind = None
                self.from_now()
                yield self._reset_frame(GONE)
                return
            except (StoreUnavailable, TopicUnavailable, Building):
                sent = []
                await asyncio.sleep(AGAIN_S)
            self._behind = loan.follower.holding.position
            chunk = b"".join(entry_of(one).frame for one in sent)
            if not chunk and loop.time() - said >= self._heartbeat_s:
                chunk = HEARTBEAT
            if chunk:
                loan.idle_since = self.idle_since = hub.clock()
                yield chunk
                loan.idle_since, self.idle_since = None, float("inf")
                said = loop.time()

    async def _step(self, follower: Follower, partitions: int) -> list[Sent]:
        if 0 < self._hub.partitions < partitions:
            raise Truncated("the topic was made anew, with fewer partitions")
        return await follower.step()

    async def _live(self) -> AsyncIterator[bytes]:
        hub, log = self._hub, self._log
        while not hub.closed:
            entries = log.since(self._place, AT_ONCE)
            if entries is None:
                self._slow()
                yield frame("slow", {"reason": SLOW}, self._id)
                return
            if entries:
                self._place += len(entries)
                self._id = entries[-1].id
                if chunk := b"".join(entry.frame for entry in entries if self._lacks(entry)):
                    yield chunk
            elif not await hub.news(self._heartbeat_s):
                yield HEARTBEAT

    def _lacks(self, entry: Entry) -> bool:
        return self._has is None or entry.late or not self._has.covers(entry.partition, entry.offset)

    def _reset_frame(self, reason: str) -> bytes:
        return frame("reset", {"reason": reason}, self._id)
