"""The stores, twin and real; and the whole service in this process, on real servers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from notes_query.adapters.kafka.header_names import tolerate_any_header_name
from notes_query.adapters.memory import MemoryDeadLetters, MemoryNotes, MemoryOutcomes
from notes_query.adapters.mongo.database import Database
from notes_query.adapters.mongo.dead_letters import MongoDeadLetterStore
from notes_query.adapters.mongo.indexes import create_indexes
from notes_query.adapters.mongo.notes import MongoNoteStore
from notes_query.adapters.mongo.outcomes import MongoOutcomeStore
from notes_query.adapters.mongo.reader import MongoNoteReader
from notes_query.main import build
from notes_query.settings import Settings


@dataclass
class Stores:
    """One of each port."""

    notes: Any
    reader: Any
    outcomes: Any
    letters: Any


@pytest.fixture
async def database(mongo_database: str) -> AsyncIterator[Database]:
    database = Database(mongo_database, timeout_s=10)
    await create_indexes(database)
    yield database
    await database.close()


@pytest.fixture(params=["memory", "mongo"])
def stores(request: pytest.FixtureRequest, database: Database) -> Stores:
    if request.param == "memory":
        notes = MemoryNotes()
        return Stores(notes, notes, MemoryOutcomes(), MemoryDeadLetters())
    return Stores(
        MongoNoteStore(database),
        MongoNoteReader(database),
        MongoOutcomeStore(database),
        MongoDeadLetterStore(database),
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
    async def running(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
        tolerate_any_header_name()
        app, process, let_readers_go = build(settings)
        transport = httpx.ASGITransport(app)
        async with (
            process.lifespan(app),
            httpx.AsyncClient(transport=transport, base_url="http://query", timeout=30) as client,
        ):
            yield client
            let_readers_go()
        assert not process.failed

    return running


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
def until() -> Callable[..., Awaitable[Any]]:
    """Give what asks until the answer is true, or fails after a deadline."""

    async def until(ask: Callable[[], Awaitable[Any]], within_s: float = 30) -> Any:
        async with asyncio.timeout(within_s):
            while not (answer := await ask()):
                await asyncio.sleep(0.02)
        return answer

    return until
