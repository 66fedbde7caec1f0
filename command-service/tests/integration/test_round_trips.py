"""What a batch costs the servers, counted: one more question for each command would be seen here, on any machine."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from aiokafka.client import AIOKafkaClient
from command_support.builders import create, envelope, new_id, refused_record, update
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_command.outbox import relay as relay_module
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.handover import Handover
from notes_command.outbox.producer import MAX_REQUEST, RelayProducer
from notes_command.outbox.relay import Relay
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.process import BatchProcessor
from notes_command.pipeline.rows import Topics
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine
from notes_command.signals import Signal
from notes_contracts import Code, random_id

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
SIZES = (1, 10, 500)
SWITCHES = {1: 28, 10: 120, 500: 170}
"""Calls of the event loop for a batch, from its records to its acknowledged events, at most."""
BATCHES = 3
"""The least of so many counts: events leave in up to four requests, whose answers come apart on a busy machine."""


@dataclass(eq=False)
class Asked:
    """What was sent to PostgreSQL, by its first words, and to Kafka, by kind of request."""

    statements: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)

    def __call__(self, query: Any) -> None:
        self.statements[" ".join(query.query.split()[:2])] += 1


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    asked, send = Asked(), AIOKafkaClient.send

    async def counted(self: Any, node: Any, request: Any, **options: Any) -> Any:
        asked.requests[type(request).__name__] += 1
        return await send(self, node, request, **options)

    monkeypatch.setattr(AIOKafkaClient, "send", counted)
    return asked


@pytest.fixture
async def engine(postgres_database: str, asked: Asked) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(postgres_database, 1)  # each connection asks for the types that it does not know yet

    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.driver_connection.add_query_logger(asked)

    yield engine
    await engine.dispose()


@pytest.fixture
def processor(engine: AsyncEngine, write_side: Any) -> BatchProcessor:
    names = write_side.settings
    topics = Topics(names.topic_events, names.topic_outcomes, names.topic_command_dead_letters)
    return BatchProcessor(PostgresStore(engine, topics), now=lambda: NOW, new_id=random_id)


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_any_size_is_two_statements(size: int, processor: BatchProcessor, asked: Asked) -> None:
    """What is known, everything stored."""
    notes = [new_id() for _ in range(size)]
    await processor.process([envelope(create(note)) for note in notes] + [envelope(update(new_id(), "of none"))])
    asked.statements.clear()
    mixed = [envelope(update(note, "another body")) for note in notes] + [envelope(create()) for _ in notes]
    await processor.process(mixed)
    assert asked.statements == {"SELECT id::text,": 1, "WITH claim": 1}


async def test_a_batch_with_a_dead_letter_is_decided_again_behind_locks(
    processor: BatchProcessor, asked: Asked
) -> None:
    """Begin and claim, known outcomes, notes, dead letters, everything else stored, commit."""
    await processor.process([refused_record(Code.UNDECODABLE, new_id())])
    asked.statements.clear()
    await processor.process([envelope(create()), refused_record(Code.UNDECODABLE, new_id())])
    assert asked.statements == {
        "SELECT id::text,": 2,
        "BEGIN; SELECT": 1,
        "INSERT INTO": 1,
        "WITH claim": 1,
        "COMMIT": 1,
    }


@pytest.mark.parametrize("size", SIZES)
async def test_rows_leave_in_two_statements_and_as_few_requests_as_the_producer_can_make(
    size: int, engine: AsyncEngine, processor: BatchProcessor, write_side: Any, asked: Asked
) -> None:
    """Read and delete; the producer sends what the first partition has, and then all others together."""
    outbox, producer = PostgresOutbox(engine), RelayProducer(Cluster(write_side.settings.kafka))
    relay = Relay(outbox, producer, Signal(), MAX_REQUEST, Destinations(Health()))
    try:
        await processor.process([envelope(create())])
        await relay.step()  # leases, floor, and the producer's start
        await processor.process([envelope(create()) for _ in range(size)])
        await outbox.mark.advance(outbox._run)
        asked.statements.clear()
        asked.requests.clear()
        await relay.step()
    finally:
        await producer.close()
    assert await outbox.backlog() == []
    assert asked.requests.keys() == {"ProduceRequest"}
    assert asked.requests["ProduceRequest"] <= 3
    own = {words: count for words, count in asked.statements.items() if words.startswith(("WITH present", "DELETE"))}
    assert own == {"WITH present": 1, "DELETE FROM": 1}


@pytest.fixture
async def in_memory(
    engine: AsyncEngine, write_side: Any, asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[BatchProcessor, Relay]]:
    """Everything before was sent, and that is proven: what the one stores goes to the other in memory."""
    monkeypatch.setattr(relay_module, "DELETE_S", 60.0)
    names, handover = write_side.settings, Handover()
    topics = Topics(names.topic_events, names.topic_outcomes, names.topic_command_dead_letters)
    processor = BatchProcessor(PostgresStore(engine, topics, "", handover), now=lambda: NOW, new_id=random_id)
    outbox, producer = PostgresOutbox(engine), RelayProducer(Cluster(names.kafka))
    relay = Relay(outbox, producer, Signal(), MAX_REQUEST, Destinations(Health()), handover)
    try:
        while handover.take(range(12)) is None or producer._shared is None:  # a step was slow, and let go of it
            await processor.process([envelope(create()) for _ in range(200)])  # every partition has a leader then
            await settled(relay)
            outbox.mark._checked_at = float("-inf")
            await outbox.raise_mark()
        later = time.monotonic() + 60  # nothing that is done by time falls into what is counted
        relay._read_at = relay.leases.leased_at = outbox.mark._checked_at = later
        await asyncio.sleep(0)  # the driver tells of a statement a moment later
        asked.statements.clear()
        asked.requests.clear()
        yield processor, relay
    finally:
        await producer.close()


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_just_stored_leaves_without_being_read_and_with_few_task_switches(
    size: int, in_memory: tuple[BatchProcessor, Relay], asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing but what is stored (creates need no look), and the producer's requests; deleted behind, many at once."""
    (processor, relay), loop, found = in_memory, asyncio.get_running_loop(), []
    switches = Mock(wraps=loop.call_soon)
    monkeypatch.setattr(loop, "call_soon", switches)
    for _ in range(BATCHES):
        for forget in (switches.reset_mock, asked.statements.clear, asked.requests.clear):
            forget()
        await processor.process([envelope(create()) for _ in range(size)])
        assert await relay.step() is False
        found.append(switches.call_count)
        statements = dict(asked.statements)
        await relay._delete()
        assert await relay.outbox.backlog() == []
        await asyncio.sleep(0)  # the driver tells of a statement a moment later
        assert statements.pop("DELETE FROM", 0) <= (size == 500), "only what is much is deleted at once"
        assert statements == {"WITH claim": 1}
        assert asked.requests.keys() == {"ProduceRequest"}
        assert asked.requests["ProduceRequest"] <= 4
    assert min(found) <= SWITCHES[size], f"{found} task switches"


async def test_a_look_for_rows_of_others_leaves_what_waits_in_memory_there(
    in_memory: tuple[BatchProcessor, Relay], asked: Asked
) -> None:
    """However much that is: at full batches there always is more than the relay reads at once."""
    processor, relay = in_memory
    for _ in range(4):
        await processor.process([envelope(create()) for _ in range(1500)])
        await asyncio.sleep(0)
        asked.statements.clear()
        relay._read_at = float("-inf")
        await settled(relay)
        await asyncio.sleep(0)
        assert asked.statements == {"DELETE FROM": 1, "WITH present": 1}
        assert relay.handover.take(range(12)) == []
    assert await relay.outbox.backlog() == []


async def settled(relay: Relay) -> None:
    """Step until everything has arrived, however slow Kafka is."""
    await relay.step()
    while relay._writers:
        await asyncio.gather(*relay._writers.values())
        await relay.step()
    await asyncio.gather(*relay.leases.end())


async def test_a_relay_with_nothing_to_send_does_nothing_but_look_for_rows(
    engine: AsyncEngine, processor: BatchProcessor, write_side: Any, asked: Asked
) -> None:
    """Leases apart, which are renewed by time. The low-water mark is raised behind what was deleted, and rests then."""
    outbox, producer = PostgresOutbox(engine), RelayProducer(Cluster(write_side.settings.kafka))
    relay = Relay(outbox, producer, Signal(), MAX_REQUEST, Destinations(Health()))
    try:
        await processor.process([envelope(create()) for _ in range(3)])
        await settled(relay)
        last = outbox.mark
        while last._checks_left:
            last._checked_at = float("-inf")
            await outbox.raise_mark()
        last._checked_at = time.monotonic() + 60
        await asyncio.sleep(0)  # the driver tells of a statement a moment later
        assert last.position > 6
        asked.statements.clear()
        for _ in range(5):
            await relay.step()
    finally:
        await producer.close()
    asked.statements.pop("WITH free", None)
    assert asked.statements == {"WITH present": 5}


async def test_what_a_command_adds_to_kafka_is_small(
    processor: BatchProcessor, engine: AsyncEngine, write_side: Any
) -> None:
    """Its event and its outcome: attributes, ids, digest; 1,400 bytes and the body, once."""
    body = "b" * 300
    await processor.process([envelope(create(body=body)) for _ in range(100)])
    rows = (await PostgresOutbox(engine).read(range(12), 1000)).records
    assert len(rows) == 200
    assert sum(row.size - 100 for row in rows) / 100 <= 1400 + len(body)
