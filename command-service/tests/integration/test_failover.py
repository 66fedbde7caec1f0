"""After a failover to a replica that lagged behind, positions are given out again: what has them now is other rows."""

import time

import pytest
from command_support.builders import TOPIC, new_id, updated_event
from command_support.live_relay import live_relay

from notes_command.outbox import relay as relay_module
from notes_command.outbox.store import PostgresOutbox
from notes_command.pipeline.decide import Result
from notes_command.pipeline.store import PostgresStore
from notes_command.postgres import create_engine


@pytest.fixture
async def live(write_side):
    async with live_relay(write_side.settings) as live:
        yield live


async def fail_over(write_side, position):
    """Leave what a replica has that got nothing after that position, and end all sessions."""
    await write_side.fetch("DELETE FROM outbox WHERE position > $1", position)
    await write_side.fetch("SELECT setval('outbox_position_seq', greatest($1, 1), $1 > 0)", position)
    await write_side.fetch(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def last_position(write_side):
    return (await write_side.fetch("SELECT last_value FROM outbox_position_seq"))[0][0]


async def all_arrive(live, write_side, notes):
    await live.sent()
    topic = write_side.settings.topic_events
    await write_side.read_until(topic, lambda found: set(notes) <= {one.key.decode() for one in found})


async def test_what_the_old_server_had_acknowledged_is_not_deleted_on_the_new_one(live, write_side, monkeypatch):
    monkeypatch.setattr(relay_module, "DELETE_S", 60.0)
    monkeypatch.setattr(relay_module, "GRACE_S", 30.0)
    await live.handing_over()
    live.relay._read_at = time.monotonic() + 60
    before = await last_position(write_side)
    await live.save(*((new_id(), 1) for _ in range(10)))
    await live.relay.step()
    assert len(live.relay._acknowledged) >= 10, "in Kafka, and not deleted yet"
    await fail_over(write_side, before)
    notes = [new_id() for _ in range(10)]
    await live.save(*((note, 1) for note in notes))
    assert await last_position(write_side) == before + 10
    await all_arrive(live, write_side, notes)


async def test_what_the_old_server_had_refused_is_not_parked_on_the_new_one(live, write_side):
    note = new_id()
    await live.save((note, 1), (note, 2))
    first, second = (await live.outbox.read(range(12), 10)).records
    await fail_over(write_side, 0)
    await live.save((note, 1), (note, 2))
    await live.outbox.park([first.name], "too large")
    await live.outbox.park_behind([second.name], "behind")
    assert await live.outbox.parked_rows(10) == []


async def test_a_row_let_go_on_the_old_server_is_not_taken_for_another_on_the_new_one(live, write_side):
    note = new_id()
    await live.save((note, 1))
    (row,) = (await live.outbox.read(range(12), 10)).records
    await live.outbox.park([row.name], "too large")
    let_go = await live.outbox.unpark(note)
    assert await live.outbox.left(let_go) == {row.position: None}
    await fail_over(write_side, 0)
    await live.save((note, 1))
    assert await live.outbox.left(let_go) == {}


async def test_what_others_store_below_the_low_water_mark_of_the_old_server_is_counted_and_sent(live, write_side):
    """No statement of the relay fails: its pool replaces what was closed while it lay there."""
    await live.save(*((new_id(), 1) for _ in range(20)))
    await live.proven()
    requests = create_engine(write_side.settings.postgres, 1)
    shown = PostgresOutbox(requests)
    for _ in range(3):
        shown.mark._checked_at = float("-inf")
        await shown.raise_mark()
    assert live.outbox.mark.position == shown.mark.position == 21
    await fail_over(write_side, 10)
    elsewhere = create_engine(write_side.settings.postgres, 1)
    notes = [new_id() for _ in range(15)]  # 11 to 25: the sequence is as far as it was
    other = PostgresStore(elsewhere, live.topics, "other")
    await other.save(TOPIC, [0], Result(messages=[updated_event(note) for note in notes]), {})
    for outbox in (live.outbox, shown):
        assert sum(one.rows for one in await outbox.backlog()) == 15
    await all_arrive(live, write_side, notes)
    await requests.dispose()
    await elsewhere.dispose()


async def test_a_wrong_mark_is_noticed_by_a_look_at_all_of_the_outbox(live, write_side):
    await live.save((new_id(), 1))
    await live.outbox.backlog()
    live.outbox.mark.position, live.outbox.mark._checked_at = 1000, float("inf")
    assert sum(one.rows for one in await live.outbox.backlog()) == 0
    assert sum(one.rows for one in await live.outbox.backlog(whole=True)) == 1
    assert live.outbox.mark.position == 0
