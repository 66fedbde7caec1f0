"""The relay: outbox rows → Kafka, ordered; also while a transaction holds an old snapshot of the outbox."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from uuid import uuid4

import asyncpg

from tools.bench.contestants import OURS, Running, Usage, running, watched
from tools.bench.documents import AT_MOST_S, Documents
from tools.bench.workload import Author
from tools.sandbox import RunError, Sandbox, connected, publish

LOOK_S = 0.02
RUN_OUT_S = 3.0
"""Seconds until the relay knows that the leases are not its own any more: it renews them every half second."""
_TAKE = "UPDATE relay_leases SET owner = $1, until = 'infinity'"
_GIVE = "UPDATE relay_leases SET until = '-infinity'"
_LEASED = "SELECT count(*) FROM relay_leases WHERE owner = $1 AND until = 'infinity'"


async def measure(
    addresses: dict[str, str], commands: int, rounds: int, *, held: bool, held_s: float = 60.0
) -> tuple[list[float], Usage]:
    """Return outbox rows relayed per second, two for each command (its event and its outcome), of each round.

    And what the processes took, the filling included.

    The service's relay is kept from its shards by a lease of our own while commands fill the outbox. The clock runs
    from the end of that lease until the outbox is empty. `held`: a REPEATABLE READ transaction that has read the
    outbox and has an xid is open all the time. The outbox is filled and drained beside it for `held_s` seconds before
    the rounds that count. Raises RunError: it did not end, or not everything was sent.
    """
    author = Author(seed=3)
    async with running(addresses, OURS) as processes, connected(processes.made.postgres) as connection:
        warm = author.creates(200)
        await publish(processes.made, warm.records)
        await Documents(processes.made, OURS).wait_for(warm.last_notes(), processes, AT_MOST_S)
        async with _holding(processes.made) if held else nullcontext():
            began = time.perf_counter()
            while held and time.perf_counter() - began < held_s:
                await _fill_and_drain(processes, connection, author, commands)
            async with watched(processes.all_pids) as usage:
                rates = [await _fill_and_drain(processes, connection, author, commands) for _ in range(rounds)]
        return rates, usage


async def _fill_and_drain(processes: Running, connection: asyncpg.Connection, author: Author, commands: int) -> float:
    us = uuid4()
    async with asyncio.timeout(AT_MOST_S):
        while await connection.fetchval(_LEASED, us) != 12:
            await connection.execute(_TAKE, us)
        await asyncio.sleep(RUN_OUT_S)
        before = await connection.fetchval("SELECT count(*) FROM inbox")
        await publish(processes.made, author.creates(commands).records)
        while await connection.fetchval("SELECT count(*) FROM inbox") < before + commands:
            processes.check()
            await asyncio.sleep(0.2)
        rows = await connection.fetchval("SELECT count(*) FROM outbox")
        if rows != 2 * commands:
            raise RunError(f"{rows} rows were in the outbox before the clock started, not {2 * commands}")
        await connection.execute(_GIVE)
        started = time.perf_counter()
        while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
            processes.check()
            await asyncio.sleep(LOOK_S)
        return float(rows / (time.perf_counter() - started))


@asynccontextmanager
async def _holding(made: Sandbox) -> AsyncIterator[None]:
    async with connected(made.postgres) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM outbox")
        await connection.fetchval("SELECT pg_current_xact_id()::text")
        yield
