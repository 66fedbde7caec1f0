"""The soak finds nothing where nothing is wrong, and every kind of fault that is planted."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from pymongo import AsyncMongoClient

from notes_contracts import COMMANDS
from tests.harness.forked_sandbox import forked_sandbox
from tests.servers.addresses import Servers
from tests.servers.kafka import Topics
from tools.sandbox import KINDS, Program, Sandbox, publish, sandbox
from tools.soak.checks import Findings, check_answers, check_read_store, check_write_side
from tools.soak.pair import all_done, caught_up, running
from tools.soak.plan import Plan
from tools.soak.readers import Reader

__all__ = ["forked_sandbox"]


@pytest.fixture
def made(
    *,
    servers: Servers,
    topics: Topics,
    postgres_database: str,
    mongo_database: str,
    tmp_path: Path,
    forked_sandbox: None,
) -> Sandbox:
    return Sandbox(
        kafka=servers.kafka,
        postgres=postgres_database,
        mongo=mongo_database,
        topics={kind: getattr(topics, kind) for kind in KINDS},
        group=topics.commands,
        query_group=f"{topics.commands}-query",
        logs=tmp_path,
        session_ms=6_000,
    )


@pytest.fixture
async def own(servers: Servers, tmp_path: Path) -> AsyncIterator[Sandbox]:
    """Give a sandbox as the soak makes it, where the other tests take what the suite has made already."""
    async with sandbox(vars(servers), tmp_path / "soak" / "logs", session_ms=6_000) as found:
        yield found


async def test_what_is_planted_is_found_and_nothing_else(own: Sandbox):
    made, plan = own, Plan(300, seed=2)
    async with running(made, {"command": 1}):
        await publish(made, plan.records())
        await all_done(made)

    clean = await checked(made, plan)
    assert clean.well, clean
    assert clean.counts["events"] == sum(one.version for one in plan.notes.values())
    assert clean.counts["outcomes"] == len(plan.fates)

    event, outcome = await first_of(made, "events"), await first_of(made, "outcomes")
    await send(made, "events", event)
    assert (await checked(made, plan)).well, "the same record again is a repeat"

    await send(made, "events", event, value=event.value + b" ")
    assert kinds(await checked(made, plan)) == {"doubled"}

    ahead = event.value.replace(b'"version":1,', b'"version":999,')
    await send(made, "events", event, value=ahead)
    assert "out of order" in kinds(await checked(made, plan))

    await send(made, "outcomes", outcome, value=outcome.value.replace(b'"command_id":"', b'"command_id":"0'))
    assert "wrong" in kinds(await checked(made, plan))

    connection = await asyncpg.connect(made.postgres)
    await connection.execute("DELETE FROM notes WHERE id = $1::uuid", event.key.decode())
    await connection.close()
    assert f"note in the table {event.key.decode()}: None" in (await checked(made, plan)).found["lost"][0]


@dataclass
class ReadSide:
    """A read side that has everything, and the documents behind it."""

    made: Sandbox
    plan: Plan
    api: Program
    database: Any

    async def checked(self) -> Findings:
        findings = Findings()
        await check_answers([self.api], self.plan, findings)
        await check_read_store(self.made, findings)
        return findings


@pytest.fixture
async def read_side(made: Sandbox) -> AsyncIterator[ReadSide]:
    plan, findings, done = Plan(300, seed=3), Findings(), asyncio.Event()
    async with (
        running(made, {"command": 1, "projector": 1, "api": 1}) as instances,
        AsyncMongoClient(made.mongo) as client,
    ):
        reading = asyncio.create_task(Reader(instances["api"][0], plan, findings).run(done))
        await publish(made, plan.records())
        await all_done(made)
        await caught_up(made)
        done.set()
        await reading
        assert findings.well, findings
        await asyncio.gather(*(one.stop() for one in instances["projector"]))
        yield ReadSide(made, plan, instances["api"][0], client.get_default_database())


async def test_what_gets_older_what_is_planted_in_documents_and_what_fails_is_found_and_nothing_else(
    read_side: ReadSide,
):
    clean = await read_side.checked()
    assert clean.well, clean
    assert clean.counts["answers compared"] == 3 * len(read_side.plan.notes) + len(read_side.plan.fates)
    [notes] = [one for one in await read_side.database.list_collection_names() if re.fullmatch(r"notes_v\d+_\d+", one)]
    note_id = next(id_ for id_, one in read_side.plan.notes.items() if one.status == "active" and one.version > 1)

    reader = Reader(read_side.api, read_side.plan, Findings())
    async with httpx.AsyncClient(base_url=read_side.api.url) as client:
        await reader.look_at_note(client, note_id)
        await reader.look_at_list(client)
        assert reader.findings.well, reader.findings
        await read_side.database[notes].update_one({"_id": note_id}, {"$inc": {"version": -1}})
        await reader.look_at_note(client, note_id)
        assert len(reader.findings.found["wrong"]) == 1
        await read_side.database[notes].update_one({"_id": note_id}, {"$inc": {"version": 1}})

        await read_side.database[notes].update_one({"_id": note_id}, {"$set": {"title": "planted"}})
        await read_side.database[f"{notes}_parked"].insert_one({"_id": "x", "kind": "fork", "note_id": note_id})
        await read_side.database["outcomes"].delete_many({"_id": {"$in": list(read_side.plan.fates)}})
        found = await read_side.checked()
        assert kinds(found) == {"differing", "parked"}
        differing = found.found["differing"]
        assert any("planted" in one and one.startswith(f"GET /notes/{note_id}") for one in differing), "over HTTP"
        assert any("planted" in one and one.startswith("verify: notes") for one in differing), "by verify"
        assert any("GET /commands/" in one for one in differing)
        assert f"{notes}_parked: note {note_id}: fork" in found.found["parked"]

        assert read_side.api.process is not None
        read_side.api.process.kill()
        await read_side.api.process.wait()
        await reader.look_at_note(client, note_id)
        assert len(reader.findings.found["wrong"]) == 2, "nobody had said that it was killed"
        read_side.api.ready = False
        await reader.look_at_note(client, note_id)
        assert len(reader.findings.found["wrong"]) == 2
        assert reader.findings.counts["reads refused while their API was down"] == 1


def test_all_commands_and_all_fates_are_in_the_plan():
    plan = Plan(10_000, seed=1)
    sent = {dict(record.headers).get("ce_type", b"").decode() for record in plan.records()}
    assert set(COMMANDS) <= sent
    assert {code for _, _, code in plan.fates.values()} == {
        None,
        "note_already_exists",
        "note_archived",
        "note_deleted",
        "note_not_found",
        "too_many_tags",
        "undecodable",
        "version_conflict",
    }


async def checked(made: Sandbox, plan: Plan) -> Findings:
    findings = Findings()
    await check_write_side(made, plan, findings)
    return findings


def kinds(found: Findings) -> set[str]:
    return {name for name, sentences in found.found.items() if sentences}


async def first_of(made: Sandbox, kind: str):
    consumer = AIOKafkaConsumer(
        made.topics[kind], bootstrap_servers=made.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with consumer:
        return await consumer.getone()


async def send(made: Sandbox, kind: str, record, value: bytes | None = None):
    async with AIOKafkaProducer(bootstrap_servers=made.kafka) as producer:
        await producer.send_and_wait(
            made.topics[kind],
            value or record.value,
            record.key,
            partition=record.partition,
            headers=list(record.headers),
        )
