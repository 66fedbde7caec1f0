"""A consumer on a real broker, with a topic of its own that can be made anew."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from chassis_support.loop import METRICS

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.pacing import Patience, impatient
from notes_chassis.kafka.subscription import Reading, Subscription
from notes_chassis.kafka.supervisor import ConsumerSupervisor
from notes_chassis.kafka.topic_state import state
from tests.harness.metrics import shown
from tests.harness.waiting import eventually
from tests.servers.kafka import led

WITHIN_S = 25.0


@dataclass
class Consuming:
    kafka: str
    topic: str = field(default_factory=lambda: f"test-{uuid.uuid4().hex[:12]}")
    health: Health = field(default_factory=Health)
    read: list[str] = field(default_factory=list)
    fails: bool = False
    patience: Patience = impatient

    async def process(self, records: Sequence[Any]) -> None:
        self.read += [record.value.decode() for record in records]

    @property
    def part(self) -> Any:
        return self.health.parts.get(self.topic)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        batches = BatchConsumer(self.topic, self.process, self.health, METRICS)
        batches.rebalance.at_most_s = 5.0
        reading = Reading(Cluster(self.kafka), "test", self.topic, self.topic, 500, 6_000, self.patience)
        supervisor = ConsumerSupervisor(
            batches, lambda: Subscription(reading, batches), lambda: state(Cluster(self.kafka), self.topic)
        )
        task = asyncio.create_task(supervisor.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    @asynccontextmanager
    async def admin(self) -> AsyncIterator[Any]:
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=self.kafka)
        await admin.start()
        try:
            yield admin
        finally:
            await admin.close()

    async def create(self, partitions: int = 2, **configs: str) -> None:
        async with self.admin() as admin:
            await eventually(
                lambda: admin.create_topics([NewTopic(self.topic, partitions, 1, topic_configs=configs)]),
                lambda found: not found.topic_errors[0][1],
            )
            await self.seen(partitions)

    async def delete(self) -> None:
        async with self.admin() as admin:
            await admin.delete_topics([self.topic])

    async def grow(self, partitions: int) -> None:
        async with self.admin() as admin:
            await admin.create_partitions({self.topic: NewPartitions(partitions)})
            await self.seen(partitions)

    async def seen(self, partitions: int) -> None:
        """Wait until every partition has a leader that answers; the broker's answer to the change comes before that."""
        async with self.admin() as admin:
            await eventually(lambda: led(admin, [self.topic]), lambda found: found == {self.topic: partitions})

    async def send(self, *values: str, partition: int = 0) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=self.kafka)
        await producer.start()
        try:
            for value in values:
                await producer.send_and_wait(self.topic, value.encode(), partition=partition)
        finally:
            await producer.stop()

    async def until(self, condition: Callable[[], object]) -> None:
        await eventually(
            condition, within_s=WITHIN_S, show=lambda _: f"read {Counter(self.read)}, {self.health.as_json()}"
        )

    def count(self, name: str) -> float:
        return shown(f"test_{name}", consumer=self.topic)
