"""How far consuming is behind, in records and in seconds."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from notes_command.entrypoints.metrics import LAG_RECORDS, LAG_SECONDS

log = structlog.get_logger()

LOOK_S: Final = 5.0
ANSWER_S: Final = 4.0


@dataclass(slots=True)
class Lag:
    """What is known about the records before a partition's end. Times are Unix times, in seconds.

    A record not read yet is younger than the last one processed, and younger than the last moment at which nothing
    was left to do. The later of the two is as close as one gets to its age without reading it.
    """

    now: Callable[[], float] = time.time
    _in_flight: dict[TopicPartition, tuple[int, float]] = field(default_factory=dict)
    _reached: dict[TopicPartition, float] = field(default_factory=dict)

    def taken(self, groups: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Note a batch that is being processed: records by partition, in offset order."""
        self._in_flight = {tp: (group[0].offset, group[0].timestamp / 1000) for tp, group in groups.items()}

    def processed(self, groups: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """Note that a batch is done."""
        for partition, group in groups.items():
            self._reach(partition, group[-1].timestamp / 1000)

    def put_down(self) -> None:
        """Note that nothing is being processed."""
        self._in_flight = {}

    def keep(self, assigned: Iterable[TopicPartition]) -> None:
        """Forget what others have now."""
        kept = set(assigned)
        self._reached = {partition: at for partition, at in self._reached.items() if partition in kept}

    def of(self, partition: TopicPartition, position: int, end: int) -> tuple[int, float]:
        """Return records and seconds. `position`: the next offset to be handed out. `end`: that of the next record."""
        now = self.now()
        first, at = self._in_flight.get(partition, (position, 0.0))
        records = max(0, end - first)
        if not records:
            self._reached[partition] = now
            return 0, 0.0
        since = max(at, self._reached.setdefault(partition, at or now))
        return records, max(0.0, now - since)

    def _reach(self, partition: TopicPartition, at: float) -> None:
        # A producer may write any time into its records: never into the future, never back.
        self._reached[partition] = max(self._reached.get(partition, 0.0), min(at, self.now()))


@dataclass(slots=True)
class LagGauges:
    """Asks Kafka for the ends: what a consumer knows of them is old when it has stopped fetching."""

    lag: Lag
    topic: str
    consumer: Callable[[], AIOKafkaConsumer | None]

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                async with asyncio.timeout(ANSWER_S):
                    await self.look()
            except (KafkaError, OSError, TimeoutError) as error:
                log.debug("lag not known", error=str(error))
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Set the gauges. Raises KafkaError, TimeoutError."""
        consumer = self.consumer()
        if consumer is None:
            return
        assigned = consumer.assignment()
        self.lag.keep(assigned)
        ends = await consumer.end_offsets(assigned) if assigned else {}
        behind = [self.lag.of(partition, await consumer.position(partition), end) for partition, end in ends.items()]
        LAG_RECORDS.labels(self.topic).set(sum(records for records, _ in behind))
        LAG_SECONDS.labels(self.topic).set(max((seconds for _, seconds in behind), default=0.0))
