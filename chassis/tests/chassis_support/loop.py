"""A batch consumer with a fake Kafka below and a fake store behind."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import TopicPartition
from chassis_support.fake_consumer import FakeConsumer
from chassis_support.records import TOPIC, record

from notes_chassis.health import Health, Part
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.partitions import ConsumerHandle
from tests.harness.metrics import shown

ONE, TWO = TopicPartition(TOPIC, 1), TopicPartition(TOPIC, 2)
METRICS = ConsumerMetrics("test", "consumer")


class AwayError(Exception):
    """The store is away."""


class BadCodeError(Exception):
    """Requests run into this as well."""


class Loop:
    """Raises the errors that it is given, one for each try, and keeps what it was handed otherwise.

    `stored`: how far the store says that it is, once it was asked `silent` times in vain; None: it does not say. The
    first `deaf` times it cannot be told. `topic_ids`: for which topic it was asked, and told, in turn.
    """

    well = Part(datetime(2026, 1, 1, tzinfo=UTC))

    def __init__(
        self,
        *offsets: tuple[TopicPartition, int],
        errors: Sequence[Exception] = (),
        stored: Mapping[int, int] | None = None,
        silent: int = 0,
        deaf: int = 0,
    ) -> None:
        self.kafka = FakeConsumer([record(partition, offset) for partition, offset in offsets])
        self.stored, self.silent, self.deaf = dict(stored or {}), silent, deaf
        self.topic_ids = list[str]()
        self.errors, self.batches = list(errors), list[list[tuple[int, int]]]()
        self.held: set[int] = set()
        self.health = Health()
        self.consumer = BatchConsumer(
            "things",
            self.process,
            self.health,
            METRICS,
            expected=(AwayError, BadCodeError),
            unready=lambda error: isinstance(error, BadCodeError),
            paused=lambda: self.held,
            marks=None if stored is None else self,
            consumer=ConsumerHandle(lambda: self.kafka),
        )
        self.rebalance = self.consumer.rebalance
        self.rebalance.at_most_s = 5.0

    async def read(self, topic_id: str) -> Mapping[int, int]:
        self.topic_ids.append(topic_id)
        if self.silent:
            self.silent -= 1
            raise AwayError
        return self.stored

    async def write(self, offsets: Mapping[int, int], topic_id: str) -> None:
        self.topic_ids.append(topic_id)
        if self.deaf:
            self.deaf -= 1
            raise AwayError
        self.stored |= offsets

    async def process(self, records: Sequence[Any]) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append([(record.partition, record.offset) for record in records])

    async def turn(self, limit: int = 500) -> None:
        await self.consumer.handle(self.kafka.fetch(limit))
        await self.rebalance.until_idle()

    def count(self, name: str, **labels: str) -> float:
        return shown(f"test_{name}", consumer="things", **labels)
