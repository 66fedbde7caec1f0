"""A store with its outbox, in memory or in PostgreSQL: what the shared suite asks of either."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from command_support.builders import TOPIC, TOPICS
from command_support.memory.database import MemoryDatabase
from command_support.memory.outbox import MemoryOutbox
from command_support.memory.store import MemoryStore
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.outbox.row import Record
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.decide import Result
from notes_command.pipeline.store import PostgresStore
from notes_contracts.topics import PARTITIONS

ALL_SHARDS = range(PARTITIONS)


@dataclass(frozen=True)
class World:
    """Everything the suite needs to know about one implementation."""

    store: PostgresStore | MemoryStore
    new_outbox: Callable[[], PostgresOutbox | MemoryOutbox]
    """Each outbox is another instance's."""
    end_leases: Callable[[], Awaitable[None]]
    """Let the time of all leases have run out a second ago."""

    async def save(self, result: Result, partition: int = 0) -> None:
        async with self.store.transaction(TOPIC, [partition]) as unit:
            await unit.save(result)

    async def rows(self, shards: Sequence[int] = ALL_SHARDS, limit: int = 1000) -> list[Record]:
        return (await self.new_outbox().read(shards, limit)).records


def memory_world() -> World:
    database = MemoryDatabase(lock_timeout_s=5)

    async def end_leases() -> None:
        for lease in database.leases.values():
            lease.until = database.clock() - 1

    return World(MemoryStore(database, TOPICS), lambda: MemoryOutbox(database), end_leases)


def postgres_world(engine: AsyncEngine) -> World:
    async def end_leases() -> None:
        async with engine.begin() as connection:
            statement = "UPDATE relay_leases SET until = clock_timestamp() - interval '1 second'"
            await connection.exec_driver_sql(statement)

    return World(PostgresStore(engine, TOPICS), lambda: PostgresOutbox(engine), end_leases)
