"""Streams over a topic in memory, and a client of them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Samples
from query_support.memory_topic import MemoryTopic

from notes_query.errors import StoreUnavailable
from notes_query.live.hub import Hub
from notes_query.live.stream import Stream
from notes_query.live.streams import Streams
from notes_query.projecting.waiters import Level

DEADLINE_S = 10


@dataclass
class World:
    """A topic, documents, and the streams over them."""

    samples: Any
    topic: MemoryTopic = field(default_factory=MemoryTopic)
    documents: dict[str, int] = field(default_factory=dict)
    asked: int = 0
    store_away: bool = False
    slow: int = 0

    def instance(self) -> "World":
        """Return another instance of the service, over the same topic and documents."""
        return World(self.samples, self.topic, self.documents)

    def __post_init__(self) -> None:
        self.reports: list[str | None] = []
        self.hub = Hub(self.topic, self.levels, self.passed, time.monotonic, self.reports.append)
        self.streams = Streams(self.hub, FixedServing({"notes": "notes_v2_1"}), heartbeat_s=60, slow=self.dropped)

    async def levels(self, notes: Collection[str]) -> list[Level]:
        self.asked += 1
        if self.store_away:
            raise StoreUnavailable("away")
        return [Level(note, self.documents[note]) for note in notes if note in self.documents]

    async def passed(self) -> dict[int, int]:
        return {}

    def dropped(self) -> None:
        self.slow += 1

    def event(self, note: str, version: int, partition: int = 0, *, visible: bool = True) -> None:
        """Put an event on the topic."""
        self.topic.append(partition, self.samples.record(self.samples.updated(self.samples.id(note), version)))
        if visible:
            self.visible(note, version)

    def visible(self, note: str, version: int) -> None:
        """Let the document be there."""
        self.documents[self.samples.id(note)] = version

    def names(self, events: list["Event"]) -> list[tuple[str, int]]:
        """Say what the events are about."""
        names = {self.samples.id(name): name for name in "abcdefgh"}
        return [(names[event.data["id"]], event.data["version"]) for event in events]


@dataclass
class Event:
    """As an EventSource sees it."""

    name: str
    id: str
    data: Any


class Client:
    """Reads a stream as a browser would."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.chunks = stream.chunks()
        self.last_id = ""
        self.heartbeats = 0
        self._waiting: list[Event] = []

    async def next(self) -> Event | None:
        """Return the next event; null at the end."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._waiting:
                try:
                    self._read(await anext(self.chunks))
                except StopAsyncIteration:
                    return None
        return self._waiting.pop(0)

    async def some(self, count: int) -> list[Event]:
        """Return that many events."""
        found = [await self.next() for _ in range(count)]
        assert None not in found
        return [event for event in found if event is not None]

    async def begun(self) -> str:
        """Read what a stream begins with; return the id from which to go on."""
        self._read(await anext(self.chunks))
        return self.last_id

    def _read(self, chunk: bytes) -> None:
        for block in chunk.decode().removesuffix("\n\n").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            self.heartbeats += block.startswith(":")
            self.last_id = fields.get("id", self.last_id)
            if "data" in fields:
                self._waiting.append(Event(fields["event"], fields["id"], json.loads(fields["data"])))


@pytest.fixture
async def world(samples: Samples) -> AsyncIterator[World]:
    world = World(samples)
    running = asyncio.create_task(world.hub.run())
    yield world
    running.cancel()
    await asyncio.wait([running])
    assert world.topic.readers == 0


@pytest.fixture
def connect() -> Callable[..., AbstractAsyncContextManager[Client]]:
    """Give what opens a stream, from an id on."""

    @asynccontextmanager
    async def connect(world: World, last: str | None = None) -> AsyncIterator[Client]:
        stream = await world.streams.open(last)
        client = Client(stream)
        try:
            yield client
        finally:
            await client.chunks.aclose()
            await stream.close()

    return connect
