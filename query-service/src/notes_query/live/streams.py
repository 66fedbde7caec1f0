"""The open streams of changes: where each begins, and how many there may be."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

from notes_query.errors import Busy, TopicUnavailable
from notes_query.live.hub import Hub
from notes_query.live.position import StreamPosition, decode
from notes_query.live.stream import Readers, Stream
from notes_query.projections.read_model import Serving

HEARTBEAT_S: Final = 15.0
SLOW_S: Final = 1.0
"""Seconds after which a client that takes nothing has to make room for another."""
END_S: Final = 1.0
"""Seconds that a client may take to receive what was sent, when the service stops."""
OTHER_TOPIC: Final = "This id is of another topic of events. Read the notes anew; changes go on from now."
TOO_OLD: Final = "This id is older than the topic of events. Read the notes anew; changes go on from now."


@dataclass(slots=True)
class Streams:
    """Opens streams, at most `most` at a time, half of them behind the log. `slow` is called for each slow client."""

    hub: Hub
    serving: Serving
    most: int = 2_000
    heartbeat_s: float = HEARTBEAT_S
    slow: Callable[[], None] = lambda: None
    _open: set[Stream] = field(default_factory=set)
    readers: Readers = field(init=False)

    def __post_init__(self) -> None:
        self.readers = Readers(self.hub)

    async def open(self, last_event_id: str | None) -> Stream:
        """Return a stream from now on, or from that id on. The caller has to close it.

        Raises InvalidCursor, Busy, Building, and TopicUnavailable if Kafka does not answer in time.
        """
        last = decode(last_event_id) if last_event_id else None
        self.serving.collection("notes")
        if len(self._open) >= self.most or self.hub.closed:
            raise Busy(f"{len(self._open)} streams are open on this instance, which is as many as it takes")
        stack = AsyncExitStack()
        stream = Stream(self.hub, self.readers, self.heartbeat_s, self.slow, stack)
        self._open.add(stream)
        stack.callback(self._open.discard, stream)
        try:
            await stack.enter_async_context(self.hub.listening(last))
            await self._begin(stream, last)
        except BaseException:
            await stack.aclose()
            raise
        return stream

    async def _begin(self, stream: Stream, last: StreamPosition | None) -> None:
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
        """If half of the streams are behind, end that of the client that has taken nothing for longest. Raises Busy."""
        behind = [stream for stream in self._open if stream.behind is not None]
        if len(behind) < self.most // 2:
            return
        slowest = min(behind, key=lambda stream: stream.idle_since)
        if self.hub.clock() - slowest.idle_since < SLOW_S:
            raise Busy("too many clients are catching up on this instance")
        self.slow()
        slowest.was_cut.set()

    def close(self) -> None:
        """End every stream. A client that does not take what was sent within END_S is cut off."""
        self.hub.close()
        for stream in self._open:
            asyncio.get_running_loop().call_later(END_S, stream.was_cut.set)

    def __len__(self) -> int:
        return len(self._open)
