"""What one client is sent, in the order in which it is sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Final

from notes_query.application.changes.follower import Follower
from notes_query.application.changes.log import ChangeLog, Entry
from notes_query.application.changes.position import Position, encode
from notes_query.application.errors import Building, StoreUnavailable, TopicUnavailable, Truncated
from notes_query.entrypoints.live.frames import HEARTBEAT, entry_of, frame, opening
from notes_query.entrypoints.live.hub import GONE, Hub

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
        self.reader = AsyncExitStack()
        self._follower: Follower | None = None
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

    def from_reader(self, last: Position, follower: Follower) -> None:
        """Begin with a reader of its own, and go on with the log once that has all that follows."""
        self._follower, self._id = follower, encode(last)

    @property
    def _log(self) -> ChangeLog:
        if self._hub.log is None:
            raise TopicUnavailable("the reader of changes has just gone")
        return self._hub.log

    async def close(self) -> None:
        """Give everything back."""
        await self.reader.aclose()
        await self._stack.aclose()

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Give what is to be sent, until the service goes down or the client was too slow."""
        yield opening(RETRY_MS, self._id)
        if self._reset is not None:
            yield self._reset_frame(self._reset)
        if self._follower is not None:
            async for chunk in self._catch_up(self._follower):
                yield chunk
        async for chunk in self._live():
            yield chunk

    async def _catch_up(self, follower: Follower) -> AsyncIterator[bytes]:
        """Read the topic at the client's pace. Nothing is read while the client does not take what was read."""
        loop = asyncio.get_running_loop()
        said = loop.time()
        while not self._hub.closed and not self._hub.reaches(follower.holding.position):
            try:
                sent = await follower.step()
            except Truncated:
                self.from_now()
                yield self._reset_frame(GONE)
                break
            except (StoreUnavailable, TopicUnavailable, Building):
                sent = []
                await asyncio.sleep(AGAIN_S)
            if sent:
                yield b"".join(entry_of(one).frame for one in sent)
                said = loop.time()
            elif loop.time() - said >= self._heartbeat_s:
                yield HEARTBEAT
                said = loop.time()
        else:
            self.from_log(follower.holding.position)
        await self.reader.aclose()

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
