"""Connections that a server closed, or that go on to one that is no longer the primary."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from command_support.builders import NOW, TOPICS, create, envelope, new_id
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.dead_letters import DeadLetterFilter
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.errors import Unavailable
from notes_command.gateway.outcomes import OutcomeWaiters
from notes_command.migrations import migrate
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.process import BatchProcessor
from notes_command.pipeline.retention import Retention
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import Trust, borrowed, connect, create_engine
from notes_command.signals import CommitListener
from notes_command.snapshots.republish import PostgresSnapshots
from tests.harness.waiting import eventually

READ_ONLY = "SET default_transaction_read_only = on"
"""What a failover leaves: an old connection whose server reads and does not write."""


class Pools:
    def __init__(self, url: str) -> None:
        self.url, self.trust = url, Trust()
        self.pipeline = create_engine(url, 1, self.trust)
        self.requests = create_engine(url, 1, self.trust)

    async def everywhere(self, statement: str) -> set[int]:
        """Run it on every pooled connection; return their backends."""
        return {await _on(engine, statement) for engine in (self.pipeline, self.requests)}

    async def process(self, *commands: Any) -> None:
        processor = BatchProcessor(PostgresStore(self.pipeline, TOPICS), now=lambda: NOW, new_id=new_id)
        await processor.process([envelope(command) for command in commands])


async def _on(engine: AsyncEngine, statement: str) -> int:
    async with borrowed(engine) as connection:
        await connection.execute(statement)
        return int(await connection.fetchval("SELECT pg_backend_pid()"))


@pytest.fixture
async def pools(postgres_database: str) -> AsyncIterator[Pools]:
    pools = Pools(postgres_database)
    yield pools
    await pools.pipeline.dispose()
    await pools.requests.dispose()


async def test_sessions_that_the_server_has_ended_are_replaced_before_anybody_notices(pools: Pools) -> None:
    backends = await pools.everywhere("SELECT 1")
    stranger = await asyncpg.connect(pools.url)
    await stranger.fetch("SELECT pg_terminate_backend(pid, 5000) FROM unnest($1::int[]) AS t (pid)", list(backends))
    await stranger.close()

    note = create()
    await pools.process(note)
    found = await PostgresStore(pools.requests, TOPICS).note(note.note_id)
    assert found is not None
    assert backends.isdisjoint(await pools.everywhere("SELECT 1"))


async def test_a_server_that_is_silent_is_waited_for_as_long_as_the_client_wants() -> None:
    async with silent_server() as url:
        engine = create_engine(url, 1)
        async with asyncio.timeout(4):  # connecting alone would take longer
            with pytest.raises(Unavailable):
                await OutcomeWaiters(PostgresStore(engine, TOPICS)).outcome(new_id(), 0.1)
        await engine.dispose()


async def test_a_connection_on_which_somebody_gave_up_is_not_given_to_the_next(pools: Pools) -> None:
    """It would wait until the server says that the statement has ended, and a silent one never does."""
    (before,) = {await _on(pools.requests, "SELECT 1")}
    stranger = await asyncpg.connect(pools.url)
    waiting = asyncio.create_task(_on(pools.requests, "SELECT pg_sleep(3600)"))
    await eventually(lambda: stranger.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()
    assert await _on(pools.requests, "SELECT 1") != before
    await stranger.close()


async def test_a_connection_whose_statement_took_too_long_is_not_given_to_the_next(
    pools: Pools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent server would keep the next one waiting as long, and the one after that."""
    monkeypatch.setattr("notes_command.postgres.COMMAND_TIMEOUT_S", 0.5)
    (before,) = {await _on(pools.requests, "SELECT 1")}
    with pytest.raises(TimeoutError):
        await _on(pools.requests, "SELECT pg_sleep(3600)")
    assert await _on(pools.requests, "SELECT 1") != before


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Give the URL of a server that takes connections and never says anything."""
    writers = []
    async with await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0) as server:
        yield f"postgresql://notes@127.0.0.1:{server.sockets[0].getsockname()[1]}/notes?sslmode=disable"
        for writer in writers:
            writer.close()


async def test_a_server_that_takes_no_connection_is_waited_for_by_the_pipeline_and_by_the_relay(
    postgres_database: str,
) -> None:
    parts = urlsplit(postgres_database)
    engine = create_engine(parts._replace(path="/nowhere").geturl(), 1)  # 53300, too many clients, comes the same way
    try:
        with pytest.raises(Unavailable, match="3D000"):
            await PostgresStore(engine, TOPICS).read_without_locks([new_id()], [])
        with pytest.raises(Unavailable, match="3D000"):
            await PostgresOutbox(engine).lease()
    finally:
        await engine.dispose()


async def test_a_batch_goes_to_the_new_primary_at_once_and_nobody_reads_from_the_old_one(pools: Pools) -> None:
    old = await pools.everywhere(READ_ONLY)

    note = create()
    await pools.process(note)
    assert await PostgresStore(pools.requests, TOPICS).note(note.note_id) is not None
    assert old.isdisjoint(await pools.everywhere("SELECT 1"))


async def test_the_relay_notices_an_old_primary_by_its_lease(pools: Pools) -> None:
    old = await pools.everywhere(READ_ONLY)

    assert len(await PostgresOutbox(pools.pipeline).lease()) == 12
    assert old.isdisjoint(await pools.everywhere("SELECT 1"))


EVERYTHING: dict[str, Callable[[AsyncEngine], Awaitable[object]]] = {
    "redrive": lambda engine: PostgresDeadLetters(engine, "t").redrive(DeadLetterFilter(), 10, force=True),
    "drop dead letters": lambda engine: PostgresDeadLetters(engine, "t").drop(DeadLetterFilter(), 10),
    "unpark": lambda engine: PostgresOutbox(engine).unpark("note"),
    "drop parked": lambda engine: PostgresOutbox(engine).drop("note"),
    "republish one": lambda engine: PostgresSnapshots(engine, "t").one(new_id()),
    "republish all": lambda engine: PostgresSnapshots(engine, "t").after("all", None, 10),
    "retention": lambda engine: Retention(engine, lambda: NOW).delete_old(10),
}


@pytest.mark.parametrize("name", EVERYTHING)
async def test_whatever_an_operator_does_goes_to_the_new_primary_at_once(pools: Pools, name: str) -> None:
    old = await pools.everywhere(READ_ONLY)

    await EVERYTHING[name](pools.pipeline)
    assert old.isdisjoint(await pools.everywhere("SELECT 1"))


async def test_the_listener_leaves_a_server_that_only_reads(pools: Pools, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("notes_command.signals.CHECK_S", 0.05)
    monkeypatch.setattr("notes_command.signals.RECONNECT_S", 0.05)
    trusted, heard = pools.trust.since, asyncio.Event()
    listening = asyncio.create_task(CommitListener(pools.url, [heard.set], trust=pools.trust).run())
    stranger, name = await asyncpg.connect(pools.url), pools.url.rpartition("/")[2]
    try:
        async with asyncio.timeout(30):
            await heard.wait()
            old = await pools.everywhere("SELECT 1")
            await stranger.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
            while pools.trust.since == trusted:
                await stranger.fetch(  # again and again: this need not be its latest statement
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database()"
                    " AND query LIKE '%transaction_read_only%' AND pid <> pg_backend_pid()"
                )
                await asyncio.sleep(0.01)
            heard.clear()
            await stranger.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')
            await heard.wait()
    finally:
        await stranger.close()
        listening.cancel()
        await asyncio.wait([listening])
    assert old.isdisjoint(await pools.everywhere("SELECT 1"))


@pytest.mark.parametrize(
    "form",
    [
        "postgres://{user}@{server}{path}?application_name=who&connect_timeout=3&options=-c%20work_mem%3D8MB",
        "postgresql+asyncpg://{user}@{server}{path}?sslmode=prefer&ssl_min_protocol_version=TLSv1.2",
        "postgresql://{user}@127.0.0.1:1,{server}{path}?target_session_attrs=read-write&keepalives=1",
        "postgresql://{user}@{path}?host={host}&port={port}&ssl=disable",
    ],
)
async def test_every_way_to_write_an_address_works_everywhere(postgres_database: str, form: str) -> None:
    parts = urlsplit(postgres_database)
    user, _, server = parts.netloc.rpartition("@")
    url = form.format(user=user, server=server, path=parts.path, host=parts.hostname, port=parts.port)
    await migrate(url)
    engine = create_engine(url)
    async with borrowed(engine) as pooled:
        assert await pooled.fetchval("SELECT current_database()") == parts.path[1:]
        if "application_name" in url:
            assert await pooled.fetchval("SHOW application_name") == "who"
            assert await pooled.fetchval("SHOW work_mem") == "8MB"
    await engine.dispose()
    listening = await connect(url)
    assert await listening.fetchval("SHOW timezone") == "UTC"
    await listening.close()
