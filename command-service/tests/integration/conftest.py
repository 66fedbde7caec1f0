"""The command-service in this process, on real servers, with topics and a database of the test's own."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest

from notes_command.app import build
from notes_command.outbox import backlog
from notes_command.settings import Settings
from tests.harness.kafka_io import Sent, header, publish, read_until
from tests.servers.addresses import Servers
from tests.servers.kafka import Topics


@dataclass(frozen=True)
class WriteSide:
    """Publish commands, start the service as often as wanted, read what it says."""

    settings: Settings

    @asynccontextmanager
    async def running(self, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
        """Run one instance; give a client of its HTTP side."""
        app, process, _ = build(self.settings.model_copy(update=changes))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with process.lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://command") as client:
            yield client
            assert not process.supervisor.failed

    async def publish(self, records: Iterable[Sent], **options: Any) -> None:
        await publish(self.settings.kafka, self.settings.topic_commands, records, **options)

    async def outcomes(self, count: int) -> list[Any]:
        return await self.read(self.settings.topic_outcomes, count)

    async def events(self, count: int) -> list[Any]:
        return await self.read(self.settings.topic_events, count)

    async def dead_letters(self, count: int) -> list[Any]:
        return await self.read(self.settings.topic_command_dead_letters, count)

    async def read(self, topic: str, count: int) -> list[Any]:
        return await read_until(self.settings.kafka, topic, lambda found: len(found) >= count)

    async def read_until(self, topic: str, enough: Callable[[list[Any]], bool]) -> list[Any]:
        return await read_until(self.settings.kafka, topic, enough)

    async def fetch(self, statement: str, *parameters: Any) -> list[Any]:
        connection = await asyncpg.connect(self.settings.postgres)
        try:
            return await connection.fetch(statement, *parameters)
        finally:
            await connection.close()


@pytest.fixture
def write_side(servers: Servers, postgres_database: str, topics: Topics, monkeypatch: pytest.MonkeyPatch) -> WriteSide:
    # On a busy machine a look at the outbox takes a second, and the next one would come twenty seconds later.
    monkeypatch.setattr(backlog, "PAUSE_FACTOR", 1)
    return WriteSide(
        Settings(
            kafka=servers.kafka,
            postgres=postgres_database,
            command_group=f"{topics.commands}.group",
            kafka_session_ms=6_000,  # the shortest a broker takes: killed members are missed soon
            topic_commands=topics.commands,
            topic_events=topics.events,
            topic_outcomes=topics.outcomes,
            topic_command_dead_letters=topics.command_dead_letters,
        )
    )


Running = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def by_command(records: Iterable[Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the outcomes read, by command id, in arrival order, each with its ce_id."""
    found: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        data = json.loads(record.value)
        found.setdefault(data["command_id"], []).append({**data, "ce_id": header(record, "ce_id")})
    return found
