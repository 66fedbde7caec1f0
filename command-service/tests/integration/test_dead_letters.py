"""Dead letters in PostgreSQL: found by every filter, sent back in one transaction, in order, and only when safe."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid5

import pytest
from command_support.builders import LATER, NOW, TOPIC, created, dead_letter, new_id, note, source
from command_support.world import World, postgres_world

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_command.dead_letters import store as adapter
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.pipeline.decide import DeadLetter, Result
from notes_command.postgres import create_engine
from notes_contracts import Code

ANY = DeadLetterFilter(state=None)
OPEN = DeadLetterFilter()
offsets = count()


@pytest.fixture
async def world(postgres_database: str) -> AsyncIterator[World]:
    engine = create_engine(postgres_database)
    yield postgres_world(engine)
    await engine.dispose()


@pytest.fixture
async def dead_letters(postgres_database: str) -> AsyncIterator[PostgresDeadLetters]:
    engine = create_engine(postgres_database)
    yield PostgresDeadLetters(engine, TOPIC)
    await engine.dispose()


def one(kind: str = "update-note", partition: int = 3, **changes: object) -> DeadLetter:
    headers = (("ce_id", b"x"), ("ce_type", f"notes.command.{kind}.v1".encode()))
    return dead_letter(source=source(partition=partition, offset=next(offsets), headers=headers), **changes)


def places(found: object) -> list[Position]:
    return [dead_letter.position for dead_letter in found]


def place(dead_letter: DeadLetter) -> Position:
    return Position(dead_letter.source.topic, dead_letter.source.partition, dead_letter.source.offset)


async def sent_ids(world: World) -> list[str]:
    """Return the ids of the commands in the outbox, in order."""
    return [dict(row.headers)["ce_id"].decode() for row in await world.rows() if row.topic == TOPIC]


def again(dead_letter: DeadLetter) -> str:
    return str(uuid5(UUID(dead_letter.command_id), "redrive"))


async def test_every_filter_finds_its_own(world, dead_letters) -> None:
    noted = new_id()
    old, new = one(at=NOW), one("tag-note", at=LATER, code=Code.INTERNAL, note_id=noted)
    await world.save(Result(dead_letters=[new, old]))
    for wanted, expected in [
        (DeadLetterFilter(), [old, new]),
        (DeadLetterFilter(since=LATER), [new]),
        (DeadLetterFilter(until=LATER), [old]),
        (DeadLetterFilter(since=NOW, until=LATER + timedelta(seconds=1)), [old, new]),
        (DeadLetterFilter(reason="internal"), [new]),
        (DeadLetterFilter(subject=noted), [new]),
        (DeadLetterFilter(type="notes.command.tag-note.v1"), [new]),
        (DeadLetterFilter(type="notes.command.update-note.v1", reason="internal"), []),
        (DeadLetterFilter(state="dropped"), []),
        (DeadLetterFilter(ids=(place(new), Position("nowhere", 0, 0))), [new]),
        (ANY, [old, new]),
    ]:
        assert places(await dead_letters.find(wanted, 100)) == [place(dead_letter) for dead_letter in expected], wanted
    assert places(await dead_letters.find(ANY, 1)) == [place(old)]


async def test_a_list_has_no_contents_and_one_whole_has_everything(world, dead_letters) -> None:
    headers = (("ce_type", b"notes.command.create-note.v1"), ("none", None), ("same", b"\xff"), ("same", b""))
    record = source(key=None, value=b"\0\xff" * 10, headers=headers)
    await world.save(Result(dead_letters=[dead_letter(source=record, command_id=None)]))
    (listed,) = await dead_letters.find(OPEN, 10)
    assert listed.source == record._replace(value=None, headers=())
    assert 20 < listed.size < 400
    whole = await dead_letters.whole(listed.position)
    assert whole is not None
    assert whole.source == record
    assert (whole.command_id, whole.type, whole.state) == (None, "notes.command.create-note.v1", "open")
    assert await dead_letters.whole(Position(TOPIC, 11, 2**63 - 1)) is None


async def test_sent_back_through_the_outbox_with_the_state_in_one_transaction(world, dead_letters, monkeypatch) -> None:
    dead_letter = one()
    await world.save(Result(dead_letters=[dead_letter]))

    async def refusing(*_: object) -> None:
        raise ConnectionError("cut off before the rows were written")

    with monkeypatch.context() as patch:
        patch.setattr(PostgresDeadLetters, "_to_outbox", refusing)
        with pytest.raises(Exception, match="ConnectionError"):
            await dead_letters.redrive(OPEN, 10, force=False)
    assert [found.state for found in await dead_letters.find(ANY, 10)] == ["open"]
    assert await sent_ids(world) == []
    await dead_letters.redrive(OPEN, 10, force=False)
    assert [found.state for found in await dead_letters.find(ANY, 10)] == ["redriven"]
    assert await sent_ids(world) == [again(dead_letter)]
    (row,) = [row for row in await world.rows() if row.topic == TOPIC]
    assert (row.key, row.value, row.partition) == (dead_letter.source.key, dead_letter.source.value, 3)


async def test_a_notes_dead_letters_are_sent_in_the_order_of_their_records(world, dead_letters, monkeypatch) -> None:
    """Also across the pieces that are read at once, and where an instance's clock was ahead."""
    monkeypatch.setattr(adapter, "MAX_BYTES", 2 * adapter.ROW_BYTES + 400)
    portions = count()
    to_outbox = PostgresDeadLetters._to_outbox

    async def counted(*arguments: Any) -> None:
        next(portions)
        await to_outbox(*arguments)

    monkeypatch.setattr(PostgresDeadLetters, "_to_outbox", counted)
    noted = new_id()
    those = [one(note_id=noted, at=NOW + timedelta(seconds=-number)) for number in range(7)]
    await world.save(Result(dead_letters=those))
    done = await dead_letters.redrive(OPEN, 100, force=False)
    assert places(done.sent) == [place(dead_letter) for dead_letter in those]
    assert await sent_ids(world) == [again(dead_letter) for dead_letter in those]
    assert next(portions) == 4


async def test_a_dead_letter_with_an_older_open_one_of_its_note_is_held(world, dead_letters) -> None:
    noted = new_id()
    first, second, other = one(note_id=noted), one(note_id=noted), one(note_id=new_id())
    await world.save(Result(dead_letters=[first, second, other]))
    done = await dead_letters.redrive(DeadLetterFilter(ids=(place(second), place(other)), state=None), 10, force=False)
    assert places(done.sent) == [place(other)]
    (held,) = done.held
    assert held.dead_letter.position == place(second)
    name = str(place(first))
    assert held.reason == f"an older dead letter of note {noted}, {name}, is still open"
    await dead_letters.drop(DeadLetterFilter(ids=(place(first),), state=None), 1)
    done = await dead_letters.redrive(DeadLetterFilter(ids=(place(second),), state=None), 10, force=False)
    assert (places(done.sent), done.held) == ([place(second)], [])


@pytest.mark.parametrize(
    ("made", "changed", "held"),
    [
        (NOW - timedelta(days=1), NOW - timedelta(days=1), False),
        (NOW - timedelta(days=1), LATER, True),
        (NOW - timedelta(days=1), NOW, True),  # in the letter's own batch: before or after it, nobody knows
        (NOW, NOW, False),  # made by the letter's own batch, and not changed
        (LATER, LATER, True),
    ],
)
async def test_a_dead_letter_of_a_note_changed_since_is_held(world, dead_letters, made, changed, held) -> None:
    noted = note(version=4, created_at=made, updated_at=changed)
    dead_letter = one(note_id=noted.id)
    await world.save(created(noted))
    await world.save(Result(dead_letters=[dead_letter]))
    done = await dead_letters.redrive(OPEN, 10, force=False)
    reasons = [each.reason for each in done.held]
    assert reasons == ([f"note {noted.id} has changed since, and is at version 4"] if held else [])
    forced = await dead_letters.redrive(DeadLetterFilter(ids=(place(dead_letter),), state=None), 10, force=True)
    assert places(forced.sent) == [place(dead_letter)]


async def test_twenty_redrives_and_drops_at_once_touch_each_dead_letter_once(world, dead_letters) -> None:
    those = [one(note_id=new_id()) for _ in range(30)]
    await world.save(Result(dead_letters=those))
    redrives = [dead_letters.redrive(OPEN, 100, force=False) for _ in range(10)]
    drops = [dead_letters.drop(OPEN, 100) for _ in range(10)]
    done = await asyncio.gather(*redrives, *drops)
    sent = [position for result in done[:10] for position in places(result.sent)]
    dropped = [Position.parse(id_) for result in done[10:] for id_ in result]
    assert sorted(sent + dropped) == sorted(place(dead_letter) for dead_letter in those)
    assert len(await sent_ids(world)) == len(sent)


async def test_two_records_of_one_place_are_two_dead_letters_each_named_shown_and_redriven_by_itself(
    world, dead_letters
) -> None:
    nameless = {"command_id": None, "note_id": None}
    first = one(at=NOW, **nameless)
    other = first._replace(source=first.source._replace(value=b"of the topic that was made anew"), at=LATER)
    await world.save(Result(dead_letters=[first]))
    for _ in range(2):
        await world.save(Result(dead_letters=[other]))
        await world.save(Result(dead_letters=[first]))
    known, beside = await dead_letters.find(ANY, 100)
    assert (known.position, beside.position[:3]) == (place(first), place(first)[:3])
    assert beside.id == f"{known.id}#{beside.record}"
    assert Position.parse(beside.id) == beside.position
    assert (await dead_letters.whole(beside.position)).source.value == other.source.value
    done = await dead_letters.redrive(DeadLetterFilter(ids=(beside.position,), state=None), 10, force=True)
    assert [dead_letter.state for dead_letter in await dead_letters.find(ANY, 100)] == ["open", "redriven"]
    await dead_letters.redrive(DeadLetterFilter(ids=(known.position,), state=None), 10, force=True)
    assert len(set(await sent_ids(world))) == 2, "under different command ids"
    assert places(done.sent) == [beside.position]
