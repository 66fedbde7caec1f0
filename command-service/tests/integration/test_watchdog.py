"""What dies inside aiokafka stays dead; the watchdog starts the consumer again, on a real broker."""

import asyncio
import gc
import json
import signal

import pytest
from aiokafka import AIOKafkaConsumer
from command_support.processes import serving
from command_support.verdicts import assert_versions_in_order

from notes_chassis.kafka import supervisor
from notes_chassis.kafka.watchdog import Watchdog
from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import command, header, new_id, read_until
from tests.harness.metrics import shown
from tests.harness.waiting import eventually

KILLS = {
    "coordination": lambda consumer: consumer._coordinator._coordination_task.cancel(),
    "fetcher": lambda consumer: consumer._fetcher._fetch_task.cancel(),
}


def live_consumer(group):
    (found,) = [
        one for one in gc.get_objects() if type(one) is AIOKafkaConsumer and one._group_id == group and not one._closed
    ]
    return found


def creates(count):
    return [command(CreateNote(note_id=new_id(), title="T")) for _ in range(count)]


@pytest.mark.parametrize("task", KILLS)
async def test_a_dead_task_of_aiokafka_is_found_and_healed(write_side, task):
    before = shown("notes_command_consumer_restarts_total")
    commands = creates(40)
    async with write_side.running():
        await write_side.publish(commands[:20])
        await write_side.outcomes(20)
        KILLS[task](live_consumer(write_side.settings.command_group))
        await write_side.publish(commands[20:])
        await write_side.read_until(write_side.settings.topic_outcomes, has(40))
        # Without its coordination it goes on reading for a while.
        await eventually(lambda: shown("notes_command_consumer_restarts_total"), lambda found: found != before)
        await write_side.publish(creates(20))
        outcomes = await write_side.read_until(write_side.settings.topic_outcomes, has(60))
    assert one_each(outcomes).keys() >= {dict(record.headers)["ce_id"].decode() for record in commands}
    assert shown("notes_command_consumer_restarts_total") - before == 1
    assert len(identities(await write_side.events(60))) == 60, "nothing has two effects"


async def test_a_fetcher_that_hangs_is_found_by_its_lag(write_side, monkeypatch):
    monkeypatch.setattr(supervisor, "CHECK_S", 0.5)
    monkeypatch.setattr(supervisor, "Watchdog", lambda: Watchdog(still_s=3.0))
    before = shown("notes_command_consumer_restarts_total")
    async with write_side.running():
        await write_side.publish(creates(1))
        await write_side.outcomes(1)
        consumer, hanging = live_consumer(write_side.settings.command_group), asyncio.Event()

        async def hangs(*_, **__):
            hanging.set()
            await asyncio.Event().wait()

        monkeypatch.setattr(consumer._fetcher, "fetched_records", hangs)
        async with asyncio.timeout(30):  # the fetch that is under way still works
            await hanging.wait()
        await write_side.publish(creates(20))
        assert len(one_each(await write_side.read_until(write_side.settings.topic_outcomes, has(21)))) == 21
    assert shown("notes_command_consumer_restarts_total") - before == 1


async def test_an_instance_that_was_stopped_beyond_its_session_loses_and_doubles_nothing(write_side):
    """It wakes with a batch in hand that another instance has done meanwhile."""
    notes = [new_id() for _ in range(24)]
    settings = write_side.settings
    first = [command(CreateNote(note_id=note, title="T")) for note in notes]
    rest = [command(UpdateNote(note_id=note, body=f"{turn}")) for turn in range(100) for note in notes]
    async with serving(settings, NOTES_COMMAND_BATCH="20") as one:
        await write_side.publish(first)
        await write_side.outcomes(len(first))
        await write_side.publish(rest)
        await write_side.outcomes(len(first) + 40)
        one.send_signal(signal.SIGSTOP)
        async with serving(settings):
            wanted = len(first) + len(rest)
            await read_until(settings.kafka, settings.topic_outcomes, has(wanted), 90)
            one.send_signal(signal.SIGCONT)
            more = [command(UpdateNote(note_id=note, body="last")) for note in notes]
            await write_side.publish(more)
            outcomes = await read_until(settings.kafka, settings.topic_outcomes, has(wanted + len(notes)), 90)
            events = await write_side.read_until(
                settings.topic_events, lambda found: len(identities(found)) >= wanted + len(notes)
            )
    assert {outcome["status"] for outcome in one_each(outcomes).values()} == {"accepted"}
    assert_versions_in_order(events, notes, 102)
    rows = await write_side.fetch("SELECT id::text, version, body FROM notes")
    assert {tuple(row) for row in rows} == {(note, 102, "last") for note in notes}


def identities(records):
    return {header(record, "ce_id") for record in records}


def has(count):
    return lambda found: len({json.loads(record.value)["command_id"] for record in found}) >= count


def one_each(outcomes):
    """Return the outcome of each command; a repeat is the same, byte for byte."""
    seen = {}
    for record in outcomes:
        same = seen.setdefault(json.loads(record.value)["command_id"], (header(record, "ce_id"), record.value))
        assert same == (header(record, "ce_id"), record.value)
    return {command_id: json.loads(value) for command_id, (_, value) in seen.items()}
