"""The soak finds nothing where nothing is wrong, and every kind of fault that is planted."""

import os
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from tests.servers.addresses import Servers
from tests.servers.kafka import Topics
from tools.soak.checks import Findings, check
from tools.soak.instances import running
from tools.soak.plan import Plan
from tools.soak.system import System
from tools.soak.upstream import all_done, publish


@pytest.fixture
def made(servers: Servers, topics: Topics, postgres_database: str, tmp_path: Path) -> System:
    kinds = ("commands", "events", "outcomes", "command_dead_letters")
    names = {kind: getattr(topics, kind) for kind in kinds}
    environment = {
        **os.environ,
        "NOTES_KAFKA": servers.kafka,
        "NOTES_POSTGRES": postgres_database,
        "NOTES_COMMAND_GROUP": topics.commands,
        "NOTES_COMMAND_PORT": "0",
        **{f"NOTES_TOPIC_{kind.upper()}": name for kind, name in names.items()},
    }
    return System(servers.kafka, postgres_database, names, topics.commands, tmp_path, environment)


async def test_what_is_planted_is_found_and_nothing_else(made: System):
    plan = Plan(300, seed=2)
    async with running(made, 1):
        await publish(made, plan.records(), 0, lambda _: None)
        await all_done(made)

    clean = await check(made, plan)
    assert clean.well, clean
    assert (clean.events, clean.outcomes) == (sum(one.version for one in plan.notes.values()), len(plan.fates))

    event, outcome = await first_of(made, "events"), await first_of(made, "outcomes")
    await send(made, "events", event)
    assert (await check(made, plan)).well, "the same record again is a repeat"

    await send(made, "events", event, value=event.value + b" ")
    assert kinds(await check(made, plan)) == {"doubled"}

    ahead = event.value.replace(b'"version":1,', b'"version":999,')
    await send(made, "events", event, value=ahead)
    assert "disordered" in kinds(await check(made, plan))

    await send(made, "outcomes", outcome, value=outcome.value.replace(b'"command_id":"', b'"command_id":"0'))
    assert "wrong" in kinds(await check(made, plan))

    connection = await asyncpg.connect(made.postgres)
    await connection.execute("DELETE FROM notes WHERE id = $1::uuid", event.key.decode())
    await connection.close()
    assert f"note {event.key.decode()} is not in the store" in (await check(made, plan)).lost


def kinds(found: Findings) -> set[str]:
    return {name for name in ("lost", "doubled", "disordered", "wrong") if getattr(found, name)}


async def first_of(made: System, kind: str):
    consumer = AIOKafkaConsumer(
        made.topics[kind], bootstrap_servers=made.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        return await consumer.getone()


async def send(made: System, kind: str, record, value: bytes | None = None):
    async with AIOKafkaProducer(bootstrap_servers=made.kafka) as producer:
        await producer.send_and_wait(
            made.topics[kind],
            value or record.value,
            record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
