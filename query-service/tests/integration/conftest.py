"""The stores, twin and real; and the whole service in this process, on real servers."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from query_support.command_service import CommandService
from query_support.fixed_serving import FixedServing
from query_support.kept_database import KeptDatabase, kept
from query_support.memory_dead_letters import MemoryDeadLetters
from query_support.memory_notes import MemoryNotes
from query_support.memory_outcomes import MemoryOutcomes

from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.app import Only, build
from notes_query.commands.verify import make_verify
from notes_query.composition.indexes import create_build_indexes, create_indexes
from notes_query.composition.shared import Shared
from notes_query.mongo.database import Database
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.record_outcomes import OutcomeStore
from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.reads.count_tags import CountTags
from notes_query.reads.list_notes import ListNotes
from notes_query.reads.served import NoteReader
from notes_query.reads.share import Shares
from notes_query.rebuilding.verify import Report
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.settings import Settings
from tests.harness.programs import until_ended
from tests.harness.waiting import eventually

BUILD = 1
COLLECTIONS = {f"{name}_v{one.version}_{BUILD}": one for name, one in READ_MODELS.items()}
SERVING = FixedServing({one.name: collection for collection, one in COLLECTIONS.items()})


@dataclass
class Stores:
    """One of each port."""

    notes: Any
    reader: Any
    pages: Any
    count_tags: Any
    outcomes: Any
    dead_letters: Any


@pytest.fixture(scope="session")
def kept_database(servers: Any) -> Iterator[KeptDatabase]:
    with kept(servers.mongo) as database:
        yield database


@pytest.fixture
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    """Give a database with its indexes: the test's own if it runs a service, else one that tests have in turn."""
    own = "mongo_database" in request.fixturenames
    url = request.getfixturevalue("mongo_database") if own else request.getfixturevalue("kept_database").url
    database = Database(url, timeout_s=10)
    await create_indexes(database)
    await create_build_indexes(database, COLLECTIONS)
    yield database
    await database.close()
    if not own:
        request.getfixturevalue("kept_database").empty()


@pytest.fixture(params=["memory", "mongo"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        notes = MemoryNotes()
        return Stores(notes, notes, notes, notes.tags, MemoryOutcomes(), MemoryDeadLetters())
    database = request.getfixturevalue("database")  # for the twin it would be made in vain
    lists = Shares(database, SERVING, "lists", 2, 5, waiting=10)
    return Stores(
        FoldStore(database, SERVING.collection("notes")),
        NoteReader(database, SERVING),
        ListNotes(lists),
        CountTags(lists),
        OutcomeStore(database),
        DeadLetters(database),
    )


@pytest.fixture
def settings(servers: Any, topics: Any, mongo_database: str) -> Settings:
    return Settings(
        kafka=servers.kafka,
        mongo=mongo_database,
        topic_events=topics.events,
        topic_outcomes=topics.outcomes,
        topic_event_dead_letters=topics.event_dead_letters,
        query_group=topics.events,
        query_mongo_timeout_s=3,
    )


@pytest.fixture
def running() -> Callable[[Settings], AbstractAsyncContextManager[httpx.AsyncClient]]:
    """Give what runs the service until the block is left, with a client of its HTTP side."""

    @asynccontextmanager
    async def running(
        settings: Settings, only: Only | None = None, read_models: Mapping[str, ReadModel] = READ_MODELS
    ) -> AsyncIterator[httpx.AsyncClient]:
        app, process, let_readers_go = build(settings, only, read_models)
        transport = httpx.ASGITransport(app)
        async with (
            process.lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://query", timeout=30) as client,
        ):
            yield client
            let_readers_go()
        assert not process.supervisor.failed

    return running


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have what a service looks at every few seconds looked at ten times as often."""
    monkeypatch.setattr("notes_query.composition.monitoring.FIGURES_S", 0.5)
    monkeypatch.setattr("notes_query.composition.monitoring.ASK_S", 0.3)
    monkeypatch.setattr("notes_query.composition.monitoring.MISSING_S", 0.2)
    monkeypatch.setattr("notes_query.composition.monitoring.LOOK_S", 0.2)
    monkeypatch.setattr("notes_chassis.kafka.lag.SAY_AGAIN", timedelta(seconds=0.5))
    monkeypatch.setattr("notes_query.composition.monitoring.INTERVAL_S", 0.5)
    monkeypatch.setattr("notes_query.composition.monitoring.HEAL_S", 0.5)


@pytest.fixture
async def send(servers: Any) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Give what sends records to a topic, in order, each acknowledged before the next."""
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all")
    await producer.start()

    async def send(topic: str, *records: Any, partition: int | None = None) -> None:
        for record in records:
            headers = list(record.headers)
            await producer.send_and_wait(topic, record.value, record.key, partition=partition, headers=headers)

    yield send
    await producer.stop()


@pytest.fixture
async def send_many(servers: Any) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Give what sends many records to a topic, in order, and waits for all of them."""
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, acks="all", enable_idempotence=True)
    await producer.start()

    async def send_many(topic: str, records: Any) -> None:
        sent = [await producer.send(topic, one.value, one.key, headers=list(one.headers)) for one in records]
        await asyncio.gather(*sent)

    yield send_many
    await producer.stop()


@pytest.fixture
def command_line(settings: Settings) -> Callable[..., Awaitable[tuple[int, str, str]]]:
    """Give what runs `python -m notes_query` with the test's settings; it returns exit code, output and complaints."""
    said = settings.model_dump(exclude_none=True, exclude={"cors_origins"})
    variables = {f"NOTES_{name.upper()}": str(value) for name, value in said.items()}

    async def command_line(*arguments: str) -> tuple[int, str, str]:
        done = await until_ended("notes_query", *arguments, environment={**os.environ, **variables})
        return done.code, done.out, done.err

    return command_line


@pytest.fixture
def forget(servers: Any) -> Callable[[str, str, int], Awaitable[None]]:
    """Give what deletes the records of a note's partition before an offset, as retention does."""

    async def forget(topic: str, note: str, before: int) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        try:
            at = TopicPartition(topic, partition_of(note.encode(), PARTITIONS))
            await admin.delete_records({at: RecordsToDelete(before_offset=before)})
        finally:
            await admin.close()

    return forget


@pytest.fixture
async def operator(settings: Settings) -> AsyncIterator[Shared]:
    """Give what an operator's commands work with."""
    shared = Shared(settings, READ_MODELS)
    yield shared
    await shared.topic.close()
    await shared.database.close()


@pytest.fixture
def verified(operator: Shared) -> Callable[..., Awaitable[dict[str, Report]]]:
    """Give what verifies the served documents of these read models, all by default."""

    async def verified(*read_models: str, repair: bool = False) -> dict[str, Report]:
        # The active build is moved a moment after all documents are there.
        served = await eventually(operator.builds.served, lambda found: found.keys() >= set(read_models or READ_MODELS))
        verify = make_verify(operator)
        return {
            name: await verify(READ_MODELS[name], served[name], repair=repair) for name in read_models or READ_MODELS
        }

    return verified


@pytest.fixture
async def command_service() -> AsyncIterator[tuple[CommandService, str]]:
    service = CommandService()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    yield service, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
