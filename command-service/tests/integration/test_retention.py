"""Old rows go, a few at a time, and the pipeline does not notice."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from command_support.builders import TOPIC, created, dead_letter, new_id, note, outcome, source
from command_support.world import World, postgres_world

from notes_command import app
from notes_command.pipeline import retention
from notes_command.pipeline.decide import Result
from notes_command.pipeline.retention import DEAD_LETTERS_KEPT, INBOX_KEPT, Retention
from notes_command.postgres import create_engine
from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import command
from tests.harness.waiting import eventually

NOW = datetime.now(UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
AT_ONCE_S = 10


@pytest.fixture
async def world(postgres_database: str) -> AsyncIterator[World]:
    engine = create_engine(postgres_database)
    yield postgres_world(engine)
    await engine.dispose()


@pytest.fixture
async def keeper(postgres_database: str) -> AsyncIterator[Retention]:
    engine = create_engine(postgres_database, pool_size=10)
    yield Retention(engine, lambda: NOW)
    await engine.dispose()


@pytest.fixture
async def connection(postgres_database: str) -> AsyncIterator["asyncpg.Connection"]:
    connection = await asyncpg.connect(postgres_database)
    yield connection
    await connection.close()


def old(count, kept=INBOX_KEPT):
    return [outcome(at=NOW - kept - (1 + number) * MINUTE) for number in range(count)]


async def test_an_inbox_row_is_kept_45_days_and_a_dead_letter_30(world, keeper) -> None:
    assert (timedelta(days=45), timedelta(days=30)) == (INBOX_KEPT, DEAD_LETTERS_KEPT)
    kept, gone = outcome(at=NOW - INBOX_KEPT + HOUR), outcome(at=NOW - INBOX_KEPT - MINUTE)
    dead_letters = [dead_letter(at=NOW - DEAD_LETTERS_KEPT + sign * HOUR) for sign in (1, -1)]
    await world.save(Result(outcomes=[kept, gone], dead_letters=dead_letters))
    assert await keeper.delete_old(100) == (1, 1)
    assert set(await world.store.outcomes([kept.command_id, gone.command_id])) == {kept.command_id}
    assert await keeper.delete_old(100) == (0, 0)


async def test_what_is_old_by_one_clock_alone_is_kept(world, keeper) -> None:
    """PostgreSQL's clock may be weeks ahead, and so may ours: the other one keeps what was decided now."""
    await world.save(Result(outcomes=old(1), dead_letters=[dead_letter(at=NOW - DEAD_LETTERS_KEPT - MINUTE)]))
    behind = Retention(keeper.engine, lambda: NOW - HOUR)
    assert await behind.delete_old(100) == (0, 0)
    await world.save(Result(outcomes=[outcome(at=NOW)]))
    ahead = Retention(keeper.engine, lambda: NOW + 2 * INBOX_KEPT)
    assert await ahead.delete_old(100) == (1, 1)


async def test_dead_letters_are_counted_by_state_up_to_a_limit(world, keeper, monkeypatch) -> None:
    await world.save(Result(dead_letters=[dead_letter(source=source(offset=number)) for number in range(3)]))
    assert await keeper.count_dead_letters() == {"open": 3, "redriven": 0, "dropped": 0}
    monkeypatch.setattr(retention, "COUNTED", 2)
    assert (await keeper.count_dead_letters())["open"] == 2


async def test_the_oldest_go_first_and_no_more_than_asked(world, keeper) -> None:
    rows = old(10)
    await world.save(Result(outcomes=rows))
    assert await keeper.delete_old(4) == (4, 0)
    left = await world.store.outcomes([row.command_id for row in rows])
    assert set(left) == {row.command_id for row in rows[:6]}


async def test_many_instances_delete_each_row_once_and_wait_for_nobody(world, keeper) -> None:
    await world.save(Result(outcomes=old(200)))
    done = await asyncio.gather(*(keeper.delete_old(50) for _ in range(10)))
    assert sum(rows for rows, _ in done) == 200


async def test_rows_that_a_long_transaction_of_the_pipeline_holds_are_left_for_later(world, keeper) -> None:
    rows = old(6)
    one = dead_letter(at=NOW - DEAD_LETTERS_KEPT - MINUTE)
    await world.save(Result(outcomes=rows, dead_letters=[one]))
    async with asyncio.timeout(AT_ONCE_S), world.store.transaction(TOPIC, [0]) as unit:
        held = "SELECT 1 FROM inbox WHERE command_id = ANY($1::uuid[]) FOR UPDATE"
        await unit.connection.fetch(held, [row.command_id for row in rows[:2]])
        await unit.connection.execute("SELECT 1 FROM dead_letters FOR UPDATE")
        await unit.save(Result(outcomes=old(3)))
        assert await keeper.delete_old(100) == (4, 0)
        assert set(await unit.outcomes([row.command_id for row in rows])) == {row.command_id for row in rows[:2]}
    assert await keeper.delete_old(100) == (5, 1), "when it is over, so are they"


async def test_the_pipeline_stores_while_a_deletion_is_not_over(world, connection) -> None:
    rows = old(5)
    await world.save(Result(outcomes=rows))
    async with asyncio.timeout(AT_ONCE_S), connection.transaction():
        await connection.execute(retention.INBOX, INBOX_KEPT, 100, NOW)
        await connection.execute(retention.DEAD_LETTERS, DEAD_LETTERS_KEPT, 100, NOW)
        noted, fresh = note(), outcome()
        await world.save(created(noted))
        await world.save(Result(outcomes=[fresh], dead_letters=[dead_letter()]))
        known = await world.store.outcomes([fresh.command_id, rows[0].command_id])
        assert set(known) == {fresh.command_id, rows[0].command_id}, "until it is over, the old ones are known"


async def test_old_rows_are_found_without_reading_the_others(world, connection) -> None:
    await world.save(Result(outcomes=[outcome(at=NOW) for _ in range(3000)]))
    await connection.execute("ANALYZE inbox")
    plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {retention.INBOX}", INBOX_KEPT, 1000, NOW))
    assert "Index Scan using inbox_at" in plan, plan
    assert "Tid Scan" in plan, plan


async def test_an_id_older_than_that_is_decided_anew(write_side) -> None:
    """What README.md says of a command that comes again too late: it is a new one."""
    noted = new_id()
    create, update = command(CreateNote(note_id=noted, title="T")), command(UpdateNote(note_id=noted, body="B"))
    other = command(UpdateNote(note_id=noted, body="C"))
    async with write_side.running():
        await write_side.publish([create, update, other])
        await write_side.outcomes(3)
        await write_side.publish([update])
        await write_side.outcomes(4)
    assert len(await write_side.events(3)) == 3, "younger, it changes nothing"
    await write_side.fetch("UPDATE inbox SET at = at - $1::interval", INBOX_KEPT)
    async with write_side.running():
        await eventually(
            lambda: write_side.fetch("SELECT count(*) FROM inbox"), lambda found: not found[0][0], within_s=60
        )
        await write_side.publish([create, update])
        outcomes = await write_side.outcomes(6)
        events = await write_side.events(4)
    late = [json.loads(record.value) for record in outcomes[-2:]]
    assert [(one["status"], (one["error"] or {}).get("code"), one["version"]) for one in late] == [
        ("rejected", "note_already_exists", None),
        ("accepted", None, 4),
    ]
    assert [json.loads(record.value)["body"] for record in events[1:]] == ["B", "C", "B"]


async def test_a_machine_that_has_not_set_its_clock_decides_nothing_that_would_be_forgotten(
    write_side, keeper, monkeypatch
) -> None:
    """Its commands wait; they are decided once, with a time that retention may trust."""
    asked = command(CreateNote(note_id=new_id(), title="T"))
    real, booted = app.now, datetime(1970, 1, 1, tzinfo=UTC)
    monkeypatch.setattr(app, "now", lambda: real() if clock_is_set else booted)
    clock_is_set = False
    async with write_side.running() as client:
        await write_side.publish([asked])
        await eventually(
            lambda: client.get("/readyz"), lambda found: "ClocksDiffer: this machine" in found.text, within_s=60
        )
        assert await write_side.fetch("SELECT FROM inbox") == []
        clock_is_set = True
        await write_side.outcomes(1)
    await keeper.delete_old(100)
    ((at,),) = await write_side.fetch("SELECT at FROM inbox")
    assert abs(at - real()) < HOUR
