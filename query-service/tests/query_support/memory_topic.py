"""The topic of events without Kafka."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from notes_query.errors import TopicUnavailable, Truncated
from notes_query.live.tail import Bounds, Read


class MemoryTopic:
    """EventTopic. `away`: whoever asks is told that Kafka is."""

    def __init__(self, name: str = "events", partitions: int = 3) -> None:
        self.name = self.identity = name
        self.first = [0] * partitions
        self.logs: list[list[Any]] = [[] for _ in range(partitions)]
        self.more = asyncio.Event()
        self.away = False
        self.readers = 0

    def append(self, partition: int, record: Any) -> int:
        """Add a record, anything with partition and offset that can be set; return its offset."""
        offset = self.first[partition] + len(self.logs[partition])
        changes = {"partition": partition, "offset": offset}
        placed = record._replace(**changes) if hasattr(record, "_replace") else replace(record, **changes)
        self.logs[partition].append(placed)
        self.more.set()
        return offset

    def truncate(self, partition: int, first: int) -> None:
        """Let go of the records below `first`."""
        del self.logs[partition][: first - self.first[partition]]
        self.first[partition] = first

    def bounds(self) -> Bounds:
        """Return what is there."""
        ends = tuple(first + len(log) for first, log in zip(self.first, self.logs, strict=True))
        return Bounds(tuple(self.first), ends)

    async def tail(self) -> "MemoryTail":
        if self.away:
            raise TopicUnavailable("away")
        self.readers += 1
        return MemoryTail(self)


class MemoryTail:
    """EventTail."""

    def __init__(self, topic: MemoryTopic) -> None:
        self._topic = topic
        self._next: list[int] = []

    async def bounds(self) -> Bounds:
        if self._topic.away:
            raise TopicUnavailable("away")
        return self._topic.bounds()

    def seek(self, starts: Sequence[int]) -> None:
        self._next = list(starts)

    async def read(self, at_most: int, wait_s: float) -> Read:
        found = self._drained(at_most)
        if not found:
            self._topic.more.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._topic.more.wait()
            except TimeoutError:
                pass
            found = self._drained(at_most)
        return Read(found, tuple(self._next))

    def _drained(self, at_most: int) -> list[Any]:
        if self._topic.away:
            raise TopicUnavailable("away")
        found: list[Any] = []
        for partition, log in enumerate(self._topic.logs[: len(self._next)]):  # of others it was not told
            begin = self._next[partition] - self._topic.first[partition]
            if begin < 0:
                raise Truncated(f"partition {partition} begins at {self._topic.first[partition]}")
            records = log[begin : begin + at_most - len(found)]
            self._next[partition] += len(records)
            found += records
        return found

    async def close(self) -> None:
        self._topic.readers -= 1
