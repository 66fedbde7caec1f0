"""Order per note, whoever relays: killed again and again, or beside a transaction that somebody holds open."""

import asyncio
import json
import time
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
from command_support.outbox_load import loaded, trickling
from command_support.processes import serving

from notes_chassis.health import Health
from notes_chassis.kafka.cluster import Cluster
from notes_command.outbox import store as outbox_module
from notes_command.outbox.destinations import Destinations
from notes_command.outbox.producer import MAX_REQUEST, RelayProducer
from notes_command.outbox.relay import Relay
from notes_command.outbox.store import PostgresOutbox
from notes_command.signals import Signal
from tests.harness.waiting import eventually

KILLS = 4
ROWS = 12_000
BURST = 1_000
EACH = 10
READ, BACKLOG = outbox_module._READ_ALL, outbox_module._BACKLOG
EVERY_SHARD = (list(range(12)), 1000)


async def test_order_holds_though_the_relays_are_killed_again_and_again(write_side):
    settings = write_side.settings
    async with AsyncExitStack() as lives, loaded(settings) as load:
        processes = [await lives.enter_async_context(serving(settings)) for _ in range(2)]
        async with held(settings), trickling(load):
            for kill in range(KILLS):
                seen = len(load.arrived)
                await eventually(lambda: len(load.arrived), lambda found: found >= seen + BURST, within_s=60)
                processes[kill % 2].kill()
                processes[kill % 2] = await lives.enter_async_context(serving(settings))
        await load.all_arrived()
        load.repeats()
        assert len(load.stored) > KILLS * BURST


async def test_a_held_transaction_does_not_slow_the_relay_down(write_side, record_property):
    """What was deleted since stays in the table and its indexes: a relay that reads over it gets slower and slower."""
    async with loaded(write_side.settings) as load, relaying(load) as outbox:
        free = await rows_a_second(load)
        async with held(write_side.settings):
            beside = await rows_a_second(load)
            last = (await write_side.fetch("SELECT last_value FROM outbox_position_seq"))[0][0]
            await eventually(lambda: outbox.mark.position, lambda found: found == last + 1)
            fresh, all_over = [
                await blocks(write_side, READ, *EVERY_SHARD, floor, 10**9, 0, -1, [], []) for floor in (last + 1, 0)
            ]
            await write_side.fetch("ANALYZE outbox")  # as autovacuum does within a minute
            counted = await blocks(write_side, BACKLOG, last + 1)
        load.repeats()
    record_property(
        "relay",
        (
            f"relay: {free:,.0f} rows/s, {beside:,.0f} beside a held transaction; "
            f"{fresh} blocks a read, {all_over} without the floor"
        ),
    )
    assert fresh * 10 < all_over, "an empty outbox costs next to nothing to read"
    assert counted * 10 < all_over, "nor does it to count"
    assert beside > free / 3


async def blocks(write_side, statement, *parameters):
    """Return how many blocks one run of a statement touches."""
    found = await write_side.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *parameters)
    plan = json.loads(found[0][0])[0]["Plan"]
    return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


async def rows_a_second(load):
    began, wanted = time.monotonic(), len(load.stored) + ROWS
    while len(load.stored) < wanted:
        await load.put(EACH)
    await load.all_arrived()
    return ROWS / (time.monotonic() - began)


@asynccontextmanager
async def held(settings):
    """Hold a snapshot and a transaction id, having read the outbox."""
    connection = await asyncpg.connect(settings.postgres)
    try:
        async with connection.transaction(isolation="repeatable_read"):
            await connection.fetchval("SELECT count(*) FROM outbox")
            await connection.fetchval("SELECT pg_current_xact_id()::text")
            yield
    finally:
        await connection.close()


@asynccontextmanager
async def relaying(load):
    signal, outbox = Signal(), PostgresOutbox(load.engine)
    relay = Relay(outbox, RelayProducer(Cluster(load.settings.kafka)), signal, MAX_REQUEST, Destinations(Health()))
    running = asyncio.create_task(relay.run())
    awake = asyncio.create_task(keep_awake(signal))
    try:
        yield outbox
    finally:
        for task in (running, awake):
            task.cancel()
        await asyncio.wait([running, awake])


async def keep_awake(signal):
    while True:
        signal.set()
        await asyncio.sleep(0.02)
