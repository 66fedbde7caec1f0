"""Parts of the road alone: the relay, a rebuild, and both services with nothing to do."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from statistics import median
from typing import Any
from uuid import uuid4

import asyncpg

from tools.bench.pair import Pair, running, watched
from tools.bench.results import Entry, judged, spread
from tools.bench.workload import Author
from tools.sandbox import connected, publish, run
from tools.stack.errors import StackError

RUN_OUT_S = 3.0
"""Seconds until the relay knows that the leases are not its own any more: it renews them every half second."""
SETTLED_S = 5.0
"""Seconds after the last command in which its traces go: offsets that follow behind, rows that are deleted."""
CHUNK = 20_000
BATCH = 1_000
_TAKE = "UPDATE relay_leases SET owner = $1, until = 'infinity'"
_GIVE = "UPDATE relay_leases SET until = '-infinity'"
_LEASED = "SELECT count(*) FROM relay_leases WHERE owner = $1 AND until = 'infinity'"


async def relay(addresses: dict[str, str], rounds: int, commands: int, beside_s: float | None = None) -> Entry:
    """Return outbox rows relayed per second, two for each command (its event and its outcome).

    The service's relay is kept from its shards by a lease of our own while commands fill the outbox. The clock runs
    from the end of that lease until the outbox is empty. `beside_s`: a REPEATABLE READ transaction that has read the
    outbox and has an xid is open all the time. The outbox is filled and drained beside it for so many seconds before
    the rounds that count. Raises StackError: it did not end, or not everything was sent.
    """
    author = Author(seed=3)
    async with running(addresses) as pair, connected(pair.made.postgres) as connection:
        await pair.store(author.write(200))
        async with nullcontext() if beside_s is None else _open_transaction(pair):
            began = time.perf_counter()
            while beside_s and time.perf_counter() - began < beside_s:
                await _fill_and_drain(pair, connection, author, commands)
            async with watched(pair.pids) as usage:
                rates = [await _fill_and_drain(pair, connection, author, commands) for _ in range(rounds)]
    found, goals = {"rows_per_s": median(rates)}, {"rows_per_s": 10_000}
    return judged({"rows_per_s": spread(rates), **usage}, found, goals, ratios=False)


async def _fill_and_drain(pair: Pair, connection: asyncpg.Connection, author: Author, commands: int) -> float:
    us = uuid4()
    while await connection.fetchval(_LEASED, us) != 12:
        await connection.execute(_TAKE, us)
    await asyncio.sleep(RUN_OUT_S)
    wanted = await connection.fetchval("SELECT count(*) FROM inbox") + commands
    await publish(pair.made, author.write(commands).records)

    async def filled() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM inbox") >= wanted)

    async def empty() -> bool:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)")

    await pair.until(filled, "full outbox", look_s=0.2)
    rows = await connection.fetchval("SELECT count(*) FROM outbox")
    if rows != 2 * commands:
        raise StackError(f"{rows} rows were in the outbox before the clock started, not {2 * commands}")
    await connection.execute(_GIVE)
    started = time.perf_counter()
    await pair.until(empty, "empty outbox", look_s=0.02)
    return float(rows / (time.perf_counter() - started))


@asynccontextmanager
async def _open_transaction(pair: Pair) -> AsyncIterator[None]:
    async with connected(pair.made.postgres) as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetchval("SELECT count(*) FROM outbox")
        await connection.fetchval("SELECT pg_current_xact_id()::text")
        yield


async def rebuild(addresses: dict[str, str], rounds: int, events: int) -> Entry:
    """Return events rebuilt per second, and documents inserted per second by `insert_many`, of rounds in turn.

    Raises StackError.
    """
    author, ours, raw = Author(seed=17), list[float](), list[float]()
    async with running(addresses) as pair:
        for start in range(0, events, CHUNK):
            await pair.store(author.write(min(CHUNK, events - start)))
        await pair.drain(events)
        stored = await (await pair.documents("notes")).find().to_list(None)
        async with watched(pair.pids) as usage:
            for _ in range(rounds):
                served = await pair.build("notes")
                raw.append(await _insert_raw(pair, stored))
                started = time.perf_counter()
                await run(pair.made, "notes_query", "rebuild", "notes")
                ours.append(events / (time.perf_counter() - started))
                await run(pair.made, "notes_query", "drop", str(served))
    figures = {"events_per_s": spread(ours), "insert_many_per_s": spread(raw), **usage}
    return judged(figures, {"insert_many": median(ours) / median(raw)}, {"insert_many": 0.25})


async def _insert_raw(pair: Pair, documents: list[dict[str, Any]]) -> float:
    """Insert copies of all documents into a collection without indexes of its own, a thousand at once."""
    target = pair.database.raw_copies
    await target.drop()
    started = time.perf_counter()
    for start in range(0, len(documents), BATCH):
        await target.insert_many(documents[start : start + BATCH], ordered=False)
    return len(documents) / (time.perf_counter() - started)


async def idle(addresses: dict[str, str], rounds: int, seconds: float) -> Entry:
    """Return the share of a core that each service takes, and both together, while nobody asks. Raises StackError."""
    shares: dict[str, list[float]] = {"command": [], "query": []}
    async with running(addresses) as pair:
        await pair.store(Author(seed=19).write(200))
        await asyncio.sleep(SETTLED_S)
        for _ in range(rounds):
            async with watched(pair.pids) as usage:
                await asyncio.sleep(seconds)
            for name, of in shares.items():
                of.append(usage["cpu_s"][name] / seconds)
    both = [sum(one) for one in zip(*shares.values(), strict=True)]
    figures = {name: spread(of) for name, of in (shares | {"both": both}).items()}
    return judged(figures, {"of a core": median(both)}, {"of a core": 0.01}, ratios=False, at_most=True)
