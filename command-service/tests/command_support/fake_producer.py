"""Kafka as the relay sees it."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from notes_command.errors import ProducerUnavailable
from notes_command.outbox.producer import Sent
from notes_command.outbox.row import Destination, Record, RowName


@dataclass
class FakeProducer:
    """Takes what is sent, in order, up to the first record that `fails` has a failure for.

    A destination in `silent` does not answer until its event is set. `calls` are the positions of every call,
    `parted` is how often the producer was left to slow writers, `others` the brokers that were made beside this one.
    """

    fails: Callable[[Record], Sent | None] = lambda _: None
    taken: list[Record] = field(default_factory=list)
    calls: list[list[int]] = field(default_factory=list)
    silent: dict[Destination, asyncio.Event] = field(default_factory=dict)
    away: bool = False
    parted: int = 0
    others: int = 0
    closed: int = 0

    async def ready(self) -> None:
        if self.away:
            raise ProducerUnavailable("KafkaConnectionError")

    async def send(self, destination: Destination, records: deque[Record]) -> Sent:
        await self.ready()
        assert {record.destination for record in records} == {destination}
        self.calls.append([record.position for record in records])
        arrived: list[RowName] = []
        while records:
            record = records.popleft()
            if destination in self.silent:
                await self.silent[destination].wait()
            if failure := self.fails(record):
                return Sent([*failure.acknowledged, *arrived], failure.error, failure.refused)
            self.taken.append(record)
            arrived.append(record.name)
        return Sent(arrived)

    def detach(self) -> None:
        self.parted += 1

    def separate(self, answer_s: float) -> "FakeProducer":
        assert answer_s > 0
        self.others += 1
        return self

    async def close(self) -> None:
        self.closed += 1


def missing(_: Record) -> Sent:
    return Sent([], "UnknownTopicOrPartitionError")
