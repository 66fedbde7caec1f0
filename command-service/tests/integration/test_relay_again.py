"""The relay runs again after whatever ended it, from what is in the outbox and in its order."""

import asyncio
import time

import asyncpg
import pytest
from command_support.builders import TOPIC, dead_letter, new_id, source
from command_support.live_relay import WITHIN_S, live_relay, versions

from notes_command.outbox import leases
from notes_command.outbox import relay as relay_module
from notes_command.pipeline.decide import Result
from tests.harness.waiting import eventually


@pytest.fixture
async def live(write_side):
    async with live_relay(write_side.settings) as live:
        yield live


@pytest.mark.parametrize(("faults", "failures"), [("ready_faults", 1), ("send_faults", 0)])
async def test_a_future_that_a_library_cancelled_does_not_end_it(live, write_side, faults, failures):
    note = new_id()
    async with live.running() as supervisor:
        await live.save((note, 1))
        await write_side.events(1)
        cancelled = [asyncio.CancelledError()]
        setattr(live.producer, faults, cancelled)
        await live.save((note, 2))
        await eventually(lambda: not cancelled)
        await live.save((note, 3))
        assert await arrived(write_side, note, 3) == [1, 2, 3]
        assert supervisor.failed["relay"] == failures


async def test_an_error_that_nobody_knows_does_not_end_it_though_the_leases_were_being_renewed(
    live, write_side, monkeypatch
):
    monkeypatch.setattr(leases, "OVERDUE_S", 60.0)
    note, locking = new_id(), await asyncpg.connect(write_side.settings.postgres)
    async with live.running() as supervisor:
        await live.save((note, 1))
        await write_side.events(1)
        async with locking.transaction():
            await locking.execute("LOCK relay_leases")
            live.relay.leases.leased_at = time.monotonic() - leases.RENEW_S
            live.producer.ready_faults = [ValueError("an answer that makes no sense")]
            await live.save((note, 2))
            await eventually(lambda: supervisor.failed["relay"])
        await live.save((note, 3))
        assert await arrived(write_side, note, 3) == [1, 2, 3]
        assert supervisor.failed == {"relay": 1}
    await locking.close()


async def test_what_was_in_hand_when_it_ended_goes_before_what_is_stored_later(live, write_side):
    note = new_id()
    await live.handing_over()
    live.producer.ready_faults = [ValueError("an answer that makes no sense")]
    await live.save((note, 1))
    async with live.running() as supervisor:
        await eventually(lambda: supervisor.failed["relay"])
        await live.save((note, 2))
        assert await arrived(write_side, note, 2) == [1, 2]


@pytest.mark.parametrize("name", ["\x01" * 3_000_000, "ä" * 1_500_000], ids=["control", "not ASCII"])
async def test_a_record_with_odd_headers_is_not_taken_for_the_last_one(live, write_side, monkeypatch, name):
    """The outbox has such names in six bytes a character: what is behind it was cut off, and must not be overtaken."""
    monkeypatch.setattr(relay_module, "DELETE_S", 60.0)
    note = new_id()
    await live.handing_over()
    hostile = dead_letter(source=source(offset=1, headers=((name, b""),)))
    async with live.store.transaction(TOPIC, [0]) as unit:
        await unit.save(Result(dead_letters=[hostile]))
    for version in (1, 2, 3):
        await live.save((note, version))
    await live.raised()
    assert await live.relay.step()
    await live.save((note, 4))
    await live.sent()
    assert await arrived(write_side, note, 4) == [1, 2, 3, 4]


async def arrived(write_side, note, count):
    """Return the versions of the note's first events on Kafka."""
    async with asyncio.timeout(WITHIN_S):
        topic = write_side.settings.topic_events
        return versions(await write_side.read_until(topic, lambda found: len(versions(found, note)) >= count), note)
