"""What a stranger holds in PostgreSQL stops what needs it, and nothing else."""

import json
from typing import Any

import asyncpg

from notes_contracts import CreateNote, UpdateNote, partition_of
from notes_contracts.topics import PARTITIONS
from tests.harness.kafka_io import command, new_id
from tests.harness.waiting import eventually


def in_partitions(count: int) -> list[str]:
    """Return ids of notes, each of another partition."""
    found: dict[int, str] = {}
    while len(found) < count:
        note_id = new_id()
        found.setdefault(partition_of(note_id.encode(), PARTITIONS), note_id)
    return list(found.values())


async def consumer_part(http: Any) -> dict[str, Any]:
    part: dict[str, Any] = (await http.get("/readyz")).json()["parts"]["consumer"]
    return part


async def test_a_row_that_a_stranger_locks_stops_its_partition_alone_and_is_named(write_side: Any) -> None:
    locked, *others = in_partitions(4)
    async with write_side.running() as http:
        await write_side.publish([command(CreateNote(note_id=note, title="A title")) for note in (locked, *others)])
        await write_side.outcomes(4)
        stranger = await asyncpg.connect(write_side.settings.postgres)
        held = stranger.transaction()
        await held.start()
        await stranger.execute("SELECT FROM notes WHERE id = $1::uuid FOR UPDATE", locked)

        await write_side.publish([command(UpdateNote(note_id=note, body="1")) for note in (locked, *others)])
        part = await eventually(lambda: consumer_part(http), lambda found: not found["ok"])
        assert f"partition {partition_of(locked.encode(), PARTITIONS)} waits" in part["reason"]
        assert "lock" in part["reason"]
        # The others were decided meanwhile, and so is what comes for them later.
        await write_side.publish([command(UpdateNote(note_id=note, body="2")) for note in (locked, *others)])
        outcomes = await write_side.outcomes(10)
        assert [json.loads(one.value)["note_id"] for one in outcomes].count(locked) == 1, "its creation alone"

        await held.rollback()
        await stranger.close()
        outcomes = await write_side.outcomes(12)
        assert [json.loads(one.value)["status"] for one in outcomes] == ["accepted"] * 12
        assert (await http.get(f"/notes/{locked}")).json()["body"] == "2"
        await eventually(lambda: consumer_part(http), lambda found: found["ok"])


async def test_a_table_that_a_stranger_locks_is_waited_for_and_said(write_side: Any) -> None:
    """A migration, VACUUM FULL, an index that is built: everything waits, nothing is a dead letter."""
    notes = in_partitions(3)
    async with write_side.running() as http:
        await write_side.publish([command(CreateNote(note_id=new_id(), title="A title"))])
        await write_side.outcomes(1)
        stranger = await asyncpg.connect(write_side.settings.postgres)
        held = stranger.transaction()
        await held.start()
        await stranger.execute("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE")
        await write_side.publish([command(CreateNote(note_id=note, title="A title")) for note in notes])
        await eventually(lambda: consumer_part(http), lambda found: not found["ok"])
        await held.rollback()
        await stranger.close()
        outcomes = await write_side.outcomes(4)
        assert [json.loads(one.value)["status"] for one in outcomes] == ["accepted"] * 4
