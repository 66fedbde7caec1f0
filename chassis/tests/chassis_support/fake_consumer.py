"""aiokafka's consumer as far as the consuming loop uses it: a log, a position, committed offsets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from chassis_support.records import TOPIC, Record


@dataclass
class FakeConsumer:
    """`log` is what the partitions hold; `fetch` moves the position as aiokafka does, when records are handed out.

    `commit_errors` are raised by the next commits, one each.
    """

    log: list[Record] = field(default_factory=list)
    beginning: dict[TopicPartition, int] = field(default_factory=dict)
    committed_offsets: dict[TopicPartition, int] = field(default_factory=dict)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    commits: list[dict[TopicPartition, int]] = field(default_factory=list)
    commit_errors: list[Exception] = field(default_factory=list)
    committed_errors: dict[TopicPartition, list[Exception]] = field(default_factory=dict)
    metadata: str = ""
    seek_error: Exception | None = None
    on_hold: set[TopicPartition] = field(default_factory=set)

    def fetch(self, limit: int = 500) -> tuple[Record, ...]:
        there = [record for record in self.log if TopicPartition(TOPIC, record.partition) not in self.on_hold]
        found = [record for record in there if record.offset >= self._position(record.partition)][:limit]
        for record in found:
            self.positions[TopicPartition(TOPIC, record.partition)] = record.offset + 1
        return tuple(found)

    @property
    def _coordinator(self) -> "FakeConsumer":
        return self

    async def fetch_committed_offsets(
        self, partitions: Iterable[TopicPartition]
    ) -> dict[TopicPartition, OffsetAndMetadata]:
        for partition in partitions:
            if errors := self.committed_errors.get(partition):
                raise errors.pop(0)
        known = self.committed_offsets
        return {tp: OffsetAndMetadata(known[tp], self.metadata) for tp in partitions if tp in known}

    async def end_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        ends = {tp: self.beginning.get(tp, 0) for tp in partitions}
        for record in self.log:
            tp = TopicPartition(TOPIC, record.partition)
            ends[tp] = max(ends.get(tp, 0), record.offset + 1)
        return ends

    async def beginning_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {partition: self.beginning.get(partition, 0) for partition in partitions}

    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None:
        assert offsets, "a commit without offsets would commit the positions of all partitions"
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        plain = {tp: offset for tp, (offset, _) in offsets.items()}
        self.commits.append(plain)
        self.committed_offsets.update(plain)
        self.metadata = next(iter(offsets.values()))[1]

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if self.seek_error:
            raise self.seek_error
        self.positions[partition] = offset

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(TOPIC, record.partition) for record in self.log)

    def partitions_for_topic(self, topic: str) -> set[int]:
        return {record.partition for record in self.log if record.topic == topic}

    def pause(self, *partitions: TopicPartition) -> None:
        self.on_hold |= set(partitions)

    def paused(self) -> set[TopicPartition]:
        return set(self.on_hold)

    def resume(self, *partitions: TopicPartition) -> None:
        self.on_hold -= set(partitions)

    async def position(self, partition: TopicPartition) -> int:
        return self._position(partition.partition)

    def _position(self, number: int) -> int:
        tp = TopicPartition(TOPIC, number)
        return self.positions.get(tp, self.committed_offsets.get(tp, self.beginning.get(tp, 0)))
