"""Destinations that cannot be written: each costs itself, is named, and heals; a record at fault costs its note."""

import asyncio

import pytest
from command_support.builders import TOPIC, TOPICS, dead_letter, source, updated_event
from command_support.fake_producer import missing
from command_support.memory.outbox import MemoryOutbox
from command_support.memory.store import MemoryStore
from command_support.relay_setting import DEAD_LETTERS, THREE, A, B, C, Setting
from prometheus_client import REGISTRY

from notes_command.outbox import destinations, relay
from notes_command.outbox.producer import Sent
from notes_command.outbox.row import Destination, Record
from notes_command.pipeline.decide import Result


def refuse(position: int) -> Sent | None:
    return Sent([], "PolicyViolationError", refused=True) if position == 2 else None


def unwritable(destination: Destination, error: str) -> float | None:
    labels = {"topic": destination.topic, "partition": str(destination.partition), "error": error}
    return REGISTRY.get_sample_value("notes_command_relay_unwritable", labels)


async def test_a_destination_that_cannot_be_written_stops_no_other_and_is_named_until_it_can_be() -> None:
    setting = Setting()
    setting.producer.fails = lambda record: missing(record) if record.destination == THREE else None
    await setting.store(A, C)
    await setting.relay.step()
    await setting.store(B, C)
    await setting.settled()
    assert (setting.sent(), setting.left(), setting.parked()) == ([2, 4], [1, 3], [])
    part = setting.health.parts["relay"]
    assert (part.ok, part.reason) == (
        False,
        "cannot be written: notes.events partition 3: UnknownTopicOrPartitionError",
    )
    assert unwritable(THREE, "UnknownTopicOrPartitionError") == 1
    tried = [call for call in setting.producer.calls if call[0] in {1, 3}]
    assert {len(call) for call in tried[1:]} == {1}, "tried with its first record alone"

    setting.producer.fails = lambda _: None
    await setting.settled()
    assert (setting.sent(), setting.left()) == ([2, 4, 1, 3], [])
    assert setting.health.parts["relay"].ok
    assert unwritable(THREE, "UnknownTopicOrPartitionError") is None


async def test_more_rows_than_are_read_at_once_for_a_sick_destination_do_not_starve_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay, "BATCH", 2)
    setting = Setting()
    setting.producer.fails = lambda record: missing(record) if record.destination == THREE else None
    await setting.store(A, B, A, B, A, C)
    await setting.settled()
    assert setting.sent() == [6]


async def test_nobody_waits_for_a_destination_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "GRACE_S", 0.01)
    setting = Setting()
    answer = setting.producer.silent[THREE] = asyncio.Event()
    await setting.store(A, B, C)
    await setting.relay.step()
    await setting.store(A, C)
    await setting.relay.step()
    assert (setting.sent(), setting.producer.parted) == ([3, 5], 1)
    answer.set()
    setting.producer.silent.clear()
    await setting.settled()
    assert setting.sent()[2:] == [1, 2, 4], "the rest of a slow writer's records is read again behind those in hand"
    assert setting.left() == []


async def test_a_destination_that_goes_away_while_the_refused_one_is_looked_for_parks_nothing() -> None:
    setting = Setting()
    await setting.store(A, B, A)
    setting.producer.fails = lambda record: refuse(2) if len(setting.producer.calls) == 1 else missing(record)
    await setting.settled()
    assert setting.parked() == []


async def test_dead_letters_without_a_key_are_parked_one_by_one_and_events_go_on() -> None:
    setting = Setting()
    dead_letters = [
        dead_letter(source=source(offset=offset, key=None), note_id=None, command_id=None) for offset in (1, 2)
    ]
    async with MemoryStore(setting.database, TOPICS).transaction(TOPIC, [0]) as unit:
        await unit.save(Result(messages=[updated_event(A)], dead_letters=dead_letters))
    keyless = Sent([], "InvalidRecordError", refused=True)
    setting.producer.fails = lambda record: keyless if record.destination == DEAD_LETTERS else None
    await setting.settled()
    assert (len(setting.sent()), len(setting.parked()), len(setting.left())) == (1, 2, 2)


async def test_a_sick_destination_is_forgotten_with_its_shard() -> None:
    setting = Setting()
    setting.producer.fails = missing
    await setting.store(A)
    await setting.relay.step()
    await setting.relay.release()
    await MemoryOutbox(setting.database).lease()
    setting.relay.leases.leased_at = float("-inf")
    await setting.relay.step()
    assert setting.destinations.open_circuits == {}
    assert setting.health.parts["relay"].ok
    assert unwritable(THREE, "UnknownTopicOrPartitionError") is None


async def test_what_is_in_hand_of_each_failing_destination_is_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them may fail at once, and each waits for its own answer."""
    setting, read_of, read = Setting(limit=10_000_000), MemoryOutbox.read_of, []

    async def noted(outbox: MemoryOutbox, destination: Destination, limit: int, **named: int) -> list[Record]:
        found = await read_of(outbox, destination, limit, **named)
        read.append(sum(record.size for record in found))
        return found

    monkeypatch.setattr(MemoryOutbox, "read_of", noted)
    setting.producer.fails = missing
    for _ in range(6):
        await setting.store(A, body="x" * 100_000)
    await setting.settled()
    assert 200_000 < max(read) < destinations.TRIED_BYTES + 101_000
    setting.producer.fails = lambda _: None
    await setting.settled()
    assert (setting.sent(), setting.left()) == ([1, 2, 3, 4, 5, 6], [])
