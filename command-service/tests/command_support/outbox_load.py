"""Events that go into the outbox all the time, and what comes of them on Kafka."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from command_support.builders import new_id, updated_event
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.pipeline.decide import Result
from notes_command.pipeline.rows import Topics
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine
from notes_command.settings import Settings
from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from tests.harness.kafka_io import partitions_of

LOOK_S = 0.02
WITHIN_S = 60.0
WRITERS = 4


def notes_of_every_partition(each: int) -> list[str]:
    found: dict[int, list[str]] = {number: [] for number in range(PARTITIONS)}
    while any(len(notes) < each for notes in found.values()):
        note = new_id()
        notes = found[partition_of(note.encode(), PARTITIONS)]
        if len(notes) < each:
            notes.append(note)
    return [note for notes in found.values() for note in notes]


@dataclass(frozen=True, slots=True)
class Arrival:
    note: str
    version: int
    partition: int
    at: float
    identity: tuple[Any, ...]


@dataclass
class OutboxLoad:
    """`stored`: when, by note and version. `late_s`: how long this process itself was kept from running."""

    settings: Settings
    engine: AsyncEngine
    notes: list[str] = field(default_factory=lambda: notes_of_every_partition(4))
    versions: dict[str, int] = field(default_factory=dict)
    stored: dict[tuple[str, int], float] = field(default_factory=dict)
    arrived: list[Arrival] = field(default_factory=list)
    distinct: set[tuple[str, int]] = field(default_factory=set)
    late_s: float = 0.0
    ending: bool = False
    _busy: list[asyncio.Lock] = field(default_factory=lambda: [asyncio.Lock() for _ in range(WRITERS)])

    @property
    def store(self) -> PostgresStore:
        topics = Topics(
            self.settings.topic_events, self.settings.topic_outcomes, self.settings.topic_command_dead_letters
        )
        return PostgresStore(self.engine, topics)

    async def put(self, each: int = 1) -> None:
        """Store the next events of all notes, in several transactions at once: positions do not commit in order."""
        await asyncio.gather(*(self._put(writer, each) for writer in range(WRITERS)))

    async def _put(self, writer: int, each: int) -> None:
        async with self._busy[writer]:  # as the lock on a note's row does: one transaction after the other
            events = []
            for _ in range(each):
                for note in self.notes[writer::WRITERS]:
                    self.versions[note] = self.versions.get(note, 0) + 1
                    events.append(updated_event(note, self.versions[note]))
            async with self.store.transaction("load", []) as unit:
                await unit.save(Result(messages=[*events]))
            now = time.monotonic()
            self.stored |= {(event.content.note_id, event.content.version): now for event in events}

    async def trickle(self) -> None:
        """Store events until told to end."""
        while not self.ending:
            await self.put()
            began = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self.late_s += max(0.0, time.monotonic() - began - 2 * LOOK_S)

    async def read(self) -> None:
        """Note all that arrives, until cancelled."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.settings.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=20,
        )
        await consumer.start()
        try:
            numbers = await partitions_of(consumer, self.settings.topic_events)
            consumer.assign([TopicPartition(self.settings.topic_events, number) for number in numbers])
            while True:
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    new = [_arrival(record, time.monotonic()) for record in records]
                    self.arrived += new
                    self.distinct |= {(one.note, one.version) for one in new}
        finally:
            await consumer.stop()

    async def all_arrived(self) -> None:
        wanted = len(self.stored)
        deadline = time.monotonic() + WITHIN_S
        while len(self.distinct) < wanted:
            assert time.monotonic() < deadline, f"did not arrive, by partition: {self._missing()}"
            await asyncio.sleep(LOOK_S)

    def _missing(self) -> Counter[int]:
        return Counter(partition_of(note.encode(), PARTITIONS) for note, _ in self.stored.keys() - self.distinct)

    def taken_over_after(self, hurt_at: float) -> float:
        """Return the seconds from then on until every partition had an event that was stored later."""
        first: dict[int, float] = {}
        for one in self.arrived:
            if self.stored.get((one.note, one.version), 0.0) > hurt_at:
                first.setdefault(one.partition, one.at)
        assert len(first) == PARTITIONS
        return max(first.values()) - hurt_at

    def repeats(self) -> int:
        """See that first occurrences are in order and complete, and repeats the same; return how many there are."""
        seen: dict[str, dict[int, tuple[Any, ...]]] = {note: {} for note in self.versions}
        repeats = 0
        for one in self.arrived:
            known = seen[one.note]
            if one.version in known:
                repeats += 1
                assert known[one.version] == one.identity, "a repeat differs from what it repeats"
            else:
                assert one.version == len(known) + 1, "first occurrences are in order"
                known[one.version] = one.identity
            assert one.partition == partition_of(one.note.encode(), PARTITIONS)
        assert {note: len(known) for note, known in seen.items()} == self.versions
        return repeats


def _arrival(record: Any, at: float) -> Arrival:
    headers = dict(record.headers)
    note, version = record.key.decode(), int(headers["ce_sequence"])
    return Arrival(note, version, record.partition, at, (headers["ce_id"], record.value, record.headers))


@asynccontextmanager
async def loaded(settings: Settings) -> AsyncIterator[OutboxLoad]:
    """Read what arrives; nothing is stored by itself."""
    engine = create_engine(settings.postgres)
    load = OutboxLoad(settings, engine)
    reading = asyncio.create_task(load.read())
    try:
        yield load
    finally:
        reading.cancel()
        await asyncio.wait([reading])
        await engine.dispose()


@asynccontextmanager
async def trickling(load: OutboxLoad) -> AsyncIterator[None]:
    """Store events all the time."""
    load.ending = False
    task = asyncio.create_task(load.trickle())
    try:
        yield
    finally:
        load.ending = True
        await task
