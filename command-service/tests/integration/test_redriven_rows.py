"""Dead letters on their way back into the outbox: to which partition, in which order, and in how much memory."""

import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import combinations, permutations
from uuid import UUID, uuid5

import pytest
from command_support.builders import NOW, TOPIC, dead_letter, new_id, source
from command_support.world import World, postgres_world
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.pipeline.decide import DeadLetter, Result
from notes_command.postgres import create_engine
from notes_contracts import partition_of

OPEN = DeadLetterFilter()


def place(dead_letter: DeadLetter) -> Position:
    return Position(dead_letter.source.topic, dead_letter.source.partition, dead_letter.source.offset)


def again(dead_letter: DeadLetter) -> str:
    return str(uuid5(UUID(dead_letter.command_id), "redrive"))


@pytest.fixture
async def engine(postgres_database: str) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(postgres_database)
    yield engine
    await engine.dispose()


@pytest.fixture
def world(engine: AsyncEngine) -> World:
    return postgres_world(engine)


@pytest.fixture
def dead_letters(engine: AsyncEngine) -> PostgresDeadLetters:
    return PostgresDeadLetters(engine, TOPIC)


async def test_the_contents_that_are_in_memory_at_once_are_bounded_in_bytes(world, dead_letters) -> None:
    those = [dead_letter(source=source(value=b"v" * 3_000_000), note_id=None) for _ in range(20)]
    for one in those:
        await world.save(Result(dead_letters=[one]))
    tracemalloc.start()
    try:
        await dead_letters.redrive(OPEN, 100, force=True)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40_000_000
    assert sum(one.rows for one in await world.new_outbox().backlog() if one.destination.topic == TOPIC) == 20


async def test_a_notes_dead_letters_of_a_replaced_topic_go_before_those_of_its_successor(world, engine) -> None:
    """Whatever the names of the topics, and wherever the clocks of two instances differ within one of them."""
    noted, dead_letters = new_id(), PostgresDeadLetters(engine, "a")
    times = (("z", 900, 2), ("z", 901, 1), ("a", 1, 4), ("a", 2, 3))
    those = [
        dead_letter(
            source=source(offset=offset)._replace(topic=topic), note_id=noted, at=NOW + timedelta(seconds=seconds)
        )
        for topic, offset, seconds in times
    ]
    await world.save(Result(dead_letters=those))
    held = (await dead_letters.redrive(DeadLetterFilter(ids=(place(those[3]), place(those[2]))), 10, force=False)).held
    assert {one.reason for one in held} == {f"an older dead letter of note {noted}, {place(those[1])}, is still open"}
    await dead_letters.redrive(OPEN, 10, force=False)
    rows = [row for row in await world.rows() if row.topic == "a"]
    assert [dict(row.headers)["ce_id"].decode() for row in rows] == [again(dead_letter) for dead_letter in those]


# (offset, seconds) as they were read: of a topic, of the one made anew under its name, where a clock was ahead.
ANEW = [(100, 0), (101, 2), (102, 1), (5, 86_400), (6, 86_399), (103, 90_000), (104, 89_999)]


async def test_a_notes_dead_letters_of_a_topic_that_was_made_anew_go_behind_those_of_the_old_one(
    world, dead_letters
) -> None:
    noted = new_id()
    those = [
        dead_letter(source=source(offset=offset), note_id=noted, at=NOW + timedelta(seconds=seconds))
        for offset, seconds in ANEW
    ]
    await world.save(Result(dead_letters=those))
    await dead_letters.redrive(OPEN, 10, force=False)
    rows = [row for row in await world.rows() if row.topic == TOPIC]
    assert [dict(row.headers)["ce_id"].decode() for row in rows] == [again(dead_letter) for dead_letter in those]


async def test_only_an_older_one_holds_back_also_of_a_topic_that_was_made_anew(world, dead_letters) -> None:
    """Each of them is redriven while each of the others is open, in a topic of their own."""
    held, older = set(), set(combinations(range(len(ANEW)), 2))
    for left, taken in permutations(range(len(ANEW)), 2):
        noted = new_id()
        those = [
            dead_letter(
                source=source(offset=offset)._replace(topic=f"topic-{left}-{taken}"),
                note_id=noted,
                at=NOW + timedelta(seconds=seconds),
            )
            for offset, seconds in (ANEW[left], ANEW[taken])
        ]
        await world.save(Result(dead_letters=those))
        if (await dead_letters.redrive(DeadLetterFilter(ids=(place(those[1]),)), 10, force=False)).held:
            held.add((left, taken))
    assert held == older


async def test_what_is_taken_of_the_old_topic_does_not_make_the_newest_of_the_new_one_older(
    world, dead_letters
) -> None:
    noted = new_id()
    those = [
        dead_letter(source=source(offset=offset), note_id=noted, at=NOW + timedelta(seconds=seconds))
        for offset, seconds in ((100, 0), (5, 86_400), (6, 86_401))
    ]
    await world.save(Result(dead_letters=those))
    done = await dead_letters.redrive(DeadLetterFilter(ids=(place(those[0]), place(those[1]))), 10, force=False)
    assert (len(done.sent), done.held) == (2, [])


async def test_a_dead_letter_of_a_partition_that_no_relay_reads_goes_where_its_key_belongs(world, dead_letters) -> None:
    await world.save(Result(dead_letters=[dead_letter(source=source(partition=12))]))
    await dead_letters.redrive(OPEN, 10, force=False)
    assert [row.partition for row in await world.rows() if row.topic == TOPIC] == [partition_of(b"key", 12)]


async def test_a_dead_letter_of_a_topic_that_was_replaced_goes_where_its_key_belongs_now(world, engine) -> None:
    those = [dead_letter(source=source(partition=40, key=key)) for key in (b"key", None)]
    await world.save(Result(dead_letters=those))
    await PostgresDeadLetters(engine, "the-new-topic").redrive(OPEN, 10, force=False)
    rows = [row for row in await world.rows() if row.topic == "the-new-topic"]
    assert [row.partition for row in rows] == [partition_of(b"key", 12), 40 % 12]
