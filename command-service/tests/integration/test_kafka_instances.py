"""Several instances on one group, and what goes wrong inside one."""

import asyncio
import json
from dataclasses import replace
from urllib.parse import urlsplit

from aiokafka.admin import AIOKafkaAdminClient

from notes_chassis.kafka import consumer as consumer_module
from notes_command.pipeline import statements
from notes_contracts import CreateNote, UpdateNote, partition_of
from tests.harness.kafka_io import command, header, new_id, producing, send
from tests.harness.metrics import shown
from tests.harness.proxy import proxied
from tests.harness.waiting import eventually

WRITERS = 20
WRITES = 25


async def test_two_instances_and_twenty_writers_give_dense_versions_in_order(write_side):
    settings = write_side.settings
    notes = [new_id() for _ in range(4)]
    await write_side.publish(command(CreateNote(note_id=note, title="Contended")) for note in notes)

    async def writer(number):
        async with producing(settings.kafka) as producer:
            for turn in range(WRITES):
                update = command(UpdateNote(note_id=notes[turn % len(notes)], body=f"{number}.{turn}"))
                await (await send(producer, settings.topic_commands, update))

    total = WRITERS * WRITES
    async with write_side.running(), write_side.running(), asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(writer(number))
        events = await write_side.events(total + len(notes))
        await write_side.outcomes(total + len(notes))

    versions = {note: [] for note in notes}
    for event in events:
        data = json.loads(event.value)
        versions[data["note_id"]].append(data["version"])
        assert event.partition == partition_of(event.key, 12), "one note's events keep one partition"
        assert header(event, "ce_sequence") == str(data["version"])
    assert {note: list(range(1, len(seen) + 1)) for note, seen in versions.items()} == versions
    assert sum(map(len, versions.values())) == total + len(notes)


async def test_twenty_creates_of_one_note_on_all_partitions_have_one_winner(write_side):
    note = new_id()
    racers = []
    for partition in range(12):
        record = command(CreateNote(note_id=note, title=f"{partition}"))
        racers.append(type(record)(record.key, record.value, record.headers, partition))
    async with write_side.running(), write_side.running():
        await write_side.publish(racers)
        outcomes = await write_side.outcomes(12)
    answers = sorted((json.loads(r.value)["error"] or {"code": "accepted"})["code"] for r in outcomes)
    assert answers == ["accepted"] + ["note_already_exists"] * 11
    assert len(await write_side.events(1)) == 1


async def test_a_batch_whose_handling_raises_is_read_again_and_not_passed_over(write_side, monkeypatch):
    """The trap: the position has moved, and the next commit would pass what was never processed."""
    handle, calls = consumer_module.BatchConsumer._handle, []

    async def failing_once(self, groups):
        calls.append(groups)
        if len(calls) == 1:
            raise RuntimeError("nobody expects this")
        await handle(self, groups)

    monkeypatch.setattr(consumer_module.BatchConsumer, "_handle", failing_once)
    notes = {new_id() for _ in range(30)}
    await write_side.publish(command(CreateNote(note_id=note, title="T")) for note in notes)
    async with write_side.running():
        outcomes = await write_side.outcomes(30)
    assert {json.loads(record.value)["note_id"] for record in outcomes} == notes
    assert len(calls) > 1


async def test_one_row_that_cannot_be_stored_costs_only_itself(write_side, monkeypatch):
    poison, rows = new_id(), statements.note_columns

    def refused(notes):
        return rows([replace(note, title="\0") if note.id == poison else note for note in notes])

    monkeypatch.setattr(statements, "note_columns", refused)
    notes = [new_id() for _ in range(9)]
    commands = [command(CreateNote(note_id=note, title="T")) for note in [*notes[:5], poison, *notes[5:]]]
    await write_side.publish(commands)
    async with write_side.running():
        outcomes = await write_side.outcomes(10)
        (dead_letter,) = await write_side.dead_letters(1)
    status = {json.loads(r.value)["note_id"]: json.loads(r.value)["status"] for r in outcomes}
    assert status == {**dict.fromkeys(notes, "accepted"), poison: "failed"}
    assert dead_letter.key == poison.encode()
    assert header(dead_letter, "dead-letter-code") == "internal"


async def test_postgres_away_loses_nothing_and_heals_by_itself(write_side):
    address = urlsplit(write_side.settings.postgres)
    async with proxied(address.hostname, address.port) as proxy:
        through = write_side.settings.postgres.replace(f":{address.port}/", f":{proxy.port}/")
        async with write_side.running(postgres=through) as http:
            await write_side.publish([command(CreateNote(note_id=new_id(), title="Before"))])
            await write_side.outcomes(1)
            await proxy.cut()
            during = new_id()
            await write_side.publish([command(CreateNote(note_id=during, title="During"))])
            ready = await until(http, lambda body: not body["parts"].get("postgres", {"ok": True})["ok"])
            assert ready.status_code == 200, "commands are still taken: they wait on Kafka"
            assert (await http.get(f"/notes/{during}")).status_code == 503
            await proxy.mend()
            outcomes = await write_side.read_until(  # the cut may have made the first outcome come again
                write_side.settings.topic_outcomes, lambda found: any(during.encode() in r.value for r in found)
            )
            await until(http, lambda body: body["parts"]["postgres"]["ok"])
            assert (await http.get(f"/notes/{during}")).json()["title"] == "During"
    assert json.loads(outcomes[-1].value)["status"] == "accepted"


async def test_offsets_are_not_committed_while_a_batch_waits(write_side):
    """The trap: by default aiokafka commits every five seconds whatever was handed out, done or not."""
    settings, address = write_side.settings, urlsplit(write_side.settings.postgres)
    waiting = command(CreateNote(note_id=new_id(), title="Waiting"))
    async with proxied(address.hostname, address.port) as proxy:
        through = settings.postgres.replace(f":{address.port}/", f":{proxy.port}/")
        await proxy.cut()
        before = waits()
        async with write_side.running(postgres=through) as http:
            await write_side.publish([waiting])
            await until(http, lambda _: waits() > before)
            async with asyncio.timeout(40):
                # The seventh wait ends six seconds after the first began, at the least.
                while waits() < before + 8:
                    assert await committed_offsets(settings) == set()
                    await asyncio.sleep(0.2)
            await proxy.mend()
            assert json.loads((await write_side.outcomes(1))[0].value)["status"] == "accepted"


async def committed_offsets(settings):
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        found = await admin.list_consumer_group_offsets(settings.command_group)
    finally:
        await admin.close()
    return {entry.offset for entry in found.values() if entry.offset > 0}


def waits():
    return shown("notes_command_waits_total", reason="Unavailable")


async def test_a_missing_topic_is_named_and_never_made(write_side):
    absent = f"{write_side.settings.topic_commands}.absent"
    async with write_side.running(topic_commands=absent) as http:
        answer = await until(http, lambda body: not body["ready"])
        assert answer.status_code == 503
        assert absent in answer.json()["parts"]["kafka"]["reason"]
        refused = await http.post("/commands/create-note", json={"title": "T"})
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
        assert refused.headers["retry-after"]
    admin = AIOKafkaAdminClient(bootstrap_servers=write_side.settings.kafka)
    await admin.start()
    assert absent not in await admin.list_topics()
    await admin.close()


async def until(http, holds):
    return await eventually(lambda: http.get("/readyz"), lambda answer: holds(answer.json()), within_s=20)
