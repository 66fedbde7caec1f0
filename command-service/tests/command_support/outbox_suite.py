"""What every Outbox promises: the relay's order and nobody else's rows."""

import asyncio
import json
from uuid import UUID

import pytest
from command_support.builders import (
    NOW,
    cause,
    dead_letter,
    new_id,
    note,
    outcome,
    outcome_message,
    source,
    updated_event,
)
from command_support.world import ALL_SHARDS, World

from notes_command.domain.events import NoteCreated
from notes_command.outbox.row import Destination, RowName
from notes_command.pipeline.decide import Message, Result
from notes_contracts import Code, partition_of
from notes_contracts.topics import PARTITIONS

HARD_HEADERS = (
    ("ce_id", b"\xff\xfe"),
    ("nothing", None),
    ("empty", b""),
    ("twice", b"one"),
    ("twice", b"two"),
    ("näme \0", b"\0"),
)


class OutboxSuite:
    async def test_an_event_becomes_its_record(self, world: World) -> None:
        kept, why = note(), cause(authtype="user", authid='Zoë, "{x}"')
        event = NoteCreated(kept.id, 1, NOW, "𝔘", "b\n", ("null",), None)
        message = Message(new_id(), event, why)
        await world.save(Result(messages=[message]))
        (row,) = await world.rows()
        assert (row.topic, row.note) == ("notes.events", ("notes.events", kept.id))
        assert (row.key, row.partition) == (kept.id.encode(), partition_of(kept.id.encode(), PARTITIONS))
        assert json.loads(row.value or b"") == {
            "note_id": kept.id,
            "version": 1,
            "occurred_at": "2026-01-02T03:04:05.678Z",
            "title": "𝔘",
            "body": "b\n",
            "tags": ["null"],
            "author": None,
        }
        assert "𝔘".encode() in (row.value or b""), "UTF-8, not escaped"
        assert dict(row.headers) == {
            "ce_specversion": b"1.0",
            "content-type": b"application/json",
            "ce_id": message.id.encode(),
            "ce_type": b"notes.event.note-created.v1",
            "ce_source": b"/notes/command-service",
            "ce_time": b"2026-01-02T03:04:05.678Z",
            "ce_subject": kept.id.encode(),
            "ce_sequence": b"1",
            "ce_correlationid": b"correlation",
            "ce_causationid": why.command_id.encode(),
            "traceparent": b"00-trace",
            "ce_authtype": b"user",
            "ce_authid": 'Zoë, "{x}"'.encode(),
        }

    async def test_an_outcome_without_a_note_is_keyed_by_its_command(self, world: World) -> None:
        answer = outcome(status="failed", note_id=None, version=None, code=Code.INTERNAL, message="m", digest=None)
        await world.save(Result(messages=[outcome_message(answer)]))
        (row,) = await world.rows()
        assert row.key == answer.command_id.encode()
        assert {"ce_subject", "ce_sequence"}.isdisjoint(dict(row.headers))
        assert json.loads(row.value or b"")["error"] == {"code": "internal", "message": "m"}

    @pytest.mark.parametrize(("key", "value"), [(b"\xffkey", b"\0value"), (None, None), (b"", b"")])
    async def test_a_dead_letter_keeps_every_byte(self, world: World, key: bytes | None, value: bytes | None) -> None:
        at = source(partition=3, offset=2**40, key=key, value=value, headers=HARD_HEADERS)
        await world.save(Result(dead_letters=[dead_letter(source=at, reason="wäs")]))
        (row,) = await world.rows()
        assert (row.topic, row.partition, row.key, row.value) == ("notes.commands.dead-letters", 0, key, value)
        assert row.headers[: len(HARD_HEADERS)] == HARD_HEADERS
        assert dict(row.headers[len(HARD_HEADERS) :]) == {
            "dead-letter-code": b"undecodable",
            "dead-letter-reason": "wäs".encode(),
            "dead-letter-topic": b"notes.commands",
            "dead-letter-partition": b"3",
            "dead-letter-offset": b"1099511627776",
            "dead-letter-time": b"2026-01-02T03:04:05.678Z",
        }

    async def test_rows_come_in_the_order_in_which_they_were_stored(self, world: World) -> None:
        events = [updated_event(new_id()) for _ in range(30)]
        await world.save(Result(messages=[*events[:20]]))
        await world.save(Result(messages=[*events[20:]]))
        rows = await world.rows()
        assert [dict(row.headers)["ce_id"].decode() for row in rows] == [one.id for one in events]  # type: ignore[union-attr]
        assert await world.rows(limit=7) == rows[:7]

    async def test_only_the_rows_of_the_shards_asked_for(self, world: World) -> None:
        await world.save(Result(messages=[updated_event(str(UUID(int=n))) for n in range(50)]))
        rows = await world.rows()
        assert {row.partition for row in rows} == set(ALL_SHARDS)
        assert await world.rows([3, 4]) == [row for row in rows if row.partition in {3, 4}]
        assert await world.rows([]) == []

    async def test_a_row_is_there_until_it_is_deleted(self, world: World) -> None:
        await world.save(Result(messages=[updated_event(new_id()) for _ in range(3)]))
        first, second, third = await world.rows()
        assert await world.rows() == [first, second, third]
        await world.new_outbox().delete([first.name, third.name, RowName(10**15, new_id())])
        assert await world.rows() == [second]

    async def test_a_parked_row_is_out_of_the_way_and_named(self, world: World) -> None:
        events = [updated_event(new_id()) for _ in range(3)]
        await world.save(Result(messages=[*events]))
        outbox = world.new_outbox()
        first, second, third = await world.rows()
        await outbox.park([second.name], "too large")
        assert await world.rows() == [first, third]
        await world.save(Result(messages=[updated_event(events[1].content.note_id)]))
        assert [row.blocked for row in await world.rows()] == [False, False, True]

    async def test_a_row_is_parked_behind_another_only_while_that_is_parked(self, world: World) -> None:
        note_id, outbox = new_id(), world.new_outbox()
        await world.save(Result(messages=[updated_event(note_id, version) for version in (1, 2, 3)]))
        first, second, third = await world.rows()
        await outbox.park_behind([second.name], "behind")
        assert await world.rows() == [first, second, third], "the first was let go, or dropped, meanwhile"
        await outbox.park([second.name], "too large")
        await outbox.park_behind([first.name, third.name], "behind")
        assert [row.position for row in await world.rows()] == [first.position]

    async def test_the_backlog_counts_what_waits_and_what_is_parked_by_destination(self, world: World) -> None:
        outbox = world.new_outbox()
        assert await outbox.backlog() == []
        notes = [note for note in (str(UUID(int=n)) for n in range(40)) if partition_of(note.encode(), 12) in {3, 4}]
        await world.save(Result(messages=[updated_event(note) for note in notes]))
        rows = await world.rows()
        await outbox.park([rows[0].name], "too large")
        found = {one.destination: one for one in await outbox.backlog()}
        assert found.keys() == {("notes.events", 3), ("notes.events", 4)}
        for destination, one in found.items():
            own = [row for row in rows[1:] if row.destination == destination]
            assert (one.rows, one.parked) == (len(own), rows[0].destination == destination)
            assert 0 < one.oldest_s < 60

    async def test_destinations_that_are_held_are_left_out_and_read_by_themselves(self, world: World) -> None:
        await world.save(Result(messages=[updated_event(str(UUID(int=n))) for n in range(50)]))
        outbox, rows = world.new_outbox(), await world.rows()
        held = Destination("notes.events", 3)
        others = [row for row in rows if row.destination != held]
        own = [row for row in rows if row.destination == held]
        assert (await outbox.read(ALL_SHARDS, 1000, aside={held})).records == others
        await outbox.delete([row.name for row in others])
        assert (await outbox.read(ALL_SHARDS, 1000, aside={held})).records == []
        assert await outbox.read_of(held, 1) == own[:1]
        assert (await outbox.read(ALL_SHARDS, 1000)).records == own, "once it is held no more"

    async def test_positions_that_wait_elsewhere_are_left_out(self, world: World) -> None:
        await world.save(Result(messages=[updated_event(new_id()) for _ in range(5)]))
        outbox, rows = world.new_outbox(), await world.rows()
        waiting = range(rows[1].position, rows[3].position)
        assert (await outbox.read(ALL_SHARDS, 1000, waiting=waiting)).records == [rows[0], rows[3], rows[4]]

    async def test_rows_are_read_up_to_a_number_of_bytes_but_always_one(self, world: World) -> None:
        await world.save(Result(messages=[updated_event(new_id(), body="x" * 3_000) for _ in range(5)]))
        outbox, rows = world.new_outbox(), await world.rows()
        for max_bytes, count in ((1, 1), (7_000, 3), (1_000_000, 5)):
            found = await outbox.read(ALL_SHARDS, 1000, max_bytes=max_bytes)
            assert (found.records, found.whole) == (rows[:count], count == 5)
        assert not (await outbox.read(ALL_SHARDS, 5)).whole, "a sixth may be there"
        assert (await outbox.read([], 5)).whole
        assert await outbox.read_of(rows[0].destination, 1000, max_bytes=1) == rows[:1]

    async def test_a_lease_is_kept_from_others_and_renewed_by_its_owner(self, world: World) -> None:
        owner, other = world.new_outbox(), world.new_outbox()
        assert await owner.lease() == set(ALL_SHARDS)
        assert await other.lease() == frozenset()
        assert await owner.lease() == set(ALL_SHARDS)

    async def test_a_lease_that_ran_out_is_taken_over(self, world: World) -> None:
        killed, other = world.new_outbox(), world.new_outbox()
        await killed.lease()
        await world.end_leases()
        assert await other.lease() == set(ALL_SHARDS)
        assert await killed.lease() == frozenset(), "whoever was thought dead does not get it back"

    async def test_a_released_lease_is_free_at_once(self, world: World) -> None:
        owner, other = world.new_outbox(), world.new_outbox()
        await owner.lease()
        await other.release()
        assert await other.lease() == frozenset(), "nobody releases what is another's"
        await owner.release()
        assert await other.lease() == set(ALL_SHARDS)

    async def test_two_owners_never_hold_the_same_shard(self, world: World) -> None:
        outboxes = [world.new_outbox() for _ in range(4)]
        for _ in range(5):
            held = await asyncio.gather(*(outbox.lease() for outbox in outboxes))
            assert sum(map(len, held)) == len(frozenset().union(*held)) == PARTITIONS
            await world.end_leases()
