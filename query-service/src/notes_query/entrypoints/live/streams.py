"""The streams of changes that are open: where each begins, and that there are not too many."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from notes_query.application.changes.position import Position, decode
from notes_query.application.errors import Busy
from notes_query.application.serving import Serving
from notes_query.entrypoints.live.bounds import within
from notes_query.entrypoints.live.hub import Hub
from notes_query.entrypoints.live.stream import Stream

HEARTBEAT_S: Final = 15.0
READER_WAIT_S: Final = 5.0
END_S: Final = 1.0
OTHER_TOPIC: Final = "This id is of another topic of events. Read the notes anew; changes go on from now."
TOO_OLD: Final = "This id is older than the topic of events. Read the notes anew; changes go on from now."


@dataclass(slots=True)
class Streams:
    """Opens streams, at most `most` at a time. `slow` is called for each client that is dropped for being slow."""

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
        elif not hub.knows(last):
            stream.from_now(OTHER_TOPIC)
        elif hub.has_read(last) and hub.reaches(last):
            stream.from_log(last)
        else:
            bounds = await hub.bounds()
            if not within(last.starts(), bounds) or not within(last.next, bounds):
                stream.from_now(TOO_OLD)
            elif hub.reaches(last):
                stream.from_log(last)  # another instance was a little ahead
            else:
                await self._catch_up(stream, last)

    async def _catch_up(self, stream: Stream, last: Position) -> None:
        """Give the stream a reader of its own: there are only a few, since each costs memory and a connection."""
        try:
            async with asyncio.timeout(READER_WAIT_S):
                await self.hub.readers.acquire()
        except TimeoutError:
            raise Busy("too many clients are catching up on this instance") from None
        stream.reader.callback(self.hub.readers.release)
        stream.from_reader(last, await stream.reader.enter_async_context(self.hub.reader(last)))

    def close(self) -> None:
        """End every stream; one whose client does not take what was sent is cut off."""
        self.hub.close()
        if self._open:
            asyncio.get_running_loop().call_later(END_S, self._cut)

    def _cut(self) -> None:
        for stream in self._open:
            stream.cut()

    def __len__(self) -> int:
        return len(self._open)
