"""A relay on an outbox and a Kafka in memory."""

import asyncio
from uuid import UUID

from command_support.builders import TOPIC, TOPICS, updated_event
from command_support.fake_producer import FakeProducer
from command_support.memory.database import MemoryDatabase
from command_support.memory.outbox import MemoryOutbox
from command_support.memory.store import MemoryStore

from notes_chassis.health import Health
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.relay import Relay
from notes_command.outbox.row import Destination
from notes_command.pipeline.decide import Result
from notes_command.signals import Signal
from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS


def notes_of(partition: int) -> list[str]:
    found = (str(UUID(int=number)) for number in range(1000))
    return [note for note in found if partition_of(note.encode(), PARTITIONS) == partition][:2]


A, B = notes_of(3)
C, _ = notes_of(4)
THREE, FOUR = Destination("notes.events", 3), Destination("notes.events", 4)
DEAD_LETTERS = Destination("notes.commands.dead-letters", 0)


class Setting:
    def __init__(self, limit: int = 10_000) -> None:
        self.database, self.producer, self.health = MemoryDatabase(), FakeProducer(), Health()
        self.outbox, self.now = MemoryOutbox(self.database), 0.0
        self.destinations = Destinations(self.health, lambda: self.now)
        self.relay = Relay(self.outbox, self.producer, Signal(), limit, self.destinations)

    async def store(self, *notes: str, body: str = "b") -> None:
        async with MemoryStore(self.database, TOPICS).transaction(TOPIC, [0]) as unit:
            await unit.save(Result(messages=[updated_event(one, body=body) for one in notes]))

    async def settled(self) -> None:
        """Step until nothing is under way; failing destinations may be tried again at once."""
        for _ in range(4):
            self.now += 100
            await self.relay.step()
            await asyncio.gather(*self.relay._writers.values())
        await self.relay.step()

    def left(self) -> list[int]:
        return sorted(self.database.outbox)

    def parked(self) -> list[int]:
        return sorted(position for position, row in self.database.outbox.items() if row.parked is not None)

    def sent(self) -> list[int]:
        return [record.position for record in self.producer.taken]
