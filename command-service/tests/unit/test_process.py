"""What the pipeline does where a transaction fails."""

import pytest
from command_support.builders import NOW, TOPICS, create, envelope, new_id, refused_record, update
from command_support.failing_store import FailingStore, Fails
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore

from notes_command.errors import BadRow, Blocked, Conflict, ConnectionLost, StoreError, Unavailable
from notes_command.pipeline.decide import Result
from notes_command.pipeline.decode import Envelope
from notes_command.pipeline.process import CONFLICTS, READ_AFTER_CONFLICT, BatchProcessor, PartitionsBlocked
from notes_contracts import Code


class Setting:
    def __init__(self, fails: Fails = lambda _: None) -> None:
        self.database = MemoryDatabase()
        self.store = FailingStore(MemoryStore(self.database, TOPICS), fails)
        self.processor = BatchProcessor(self.store, now=lambda: NOW, new_id=new_id)

    async def process(self, *batch: Envelope) -> list[Result]:
        return await self.processor.process(batch)

    def answers(self, *batch: Envelope) -> list[Code | str]:
        found = [self.database.inbox[envelope.command_id or ""] for envelope in batch]
        return [outcome.code or outcome.status for outcome in found]


def errors(*first: StoreError | None) -> Fails:
    left = iter(first)
    return lambda _: next(left, None)


def refusing(*bad: Envelope) -> Fails:
    """Refuse every result that holds the whole of a bad record: its outcome, unless we gave the record up."""
    ids = {envelope.command_id for envelope in bad}

    def fails(result: Result) -> StoreError | None:
        hit = any(one.command_id in ids and one.code is not Code.INTERNAL for one in result.outcomes)
        return BadRow("invalid byte sequence") if hit else None

    return fails


async def test_a_batch_is_one_transaction() -> None:
    setting, batch = Setting(), [envelope(create()) for _ in range(50)]
    assert [len(result.outcomes) for result in await setting.process(*batch)] == [50]


async def test_after_a_conflict_the_batch_is_decided_again_on_what_is_there_now() -> None:
    """Somebody else stores the note between our reading and our writing."""
    late = envelope(create())

    def somebody_was_faster(result: Result) -> StoreError | None:
        if len(setting.store.attempts) > 1:
            return None
        setting.database.notes.update(result.created)
        return Conflict("duplicate key")

    setting = Setting(somebody_was_faster)
    (result,) = await setting.process(late)
    assert setting.answers(late) == [Code.NOTE_ALREADY_EXISTS]
    assert (result.created, len(setting.store.attempts)) == ({}, 2)


async def test_creates_are_taken_to_be_new_until_one_is_not() -> None:
    setting, first = Setting(), envelope(create())
    await setting.process(first, refused_record(Code.INVALID, new_id()))
    assert setting.store.reads == 0
    (repeated,) = await setting.process(envelope(create()), first)
    assert (repeated.duplicates, setting.answers(first)) == (1, ["accepted"])
    assert len(setting.store.begun) == 3, "decided again, behind locks"
    for _ in range(READ_AFTER_CONFLICT + 1):
        await setting.process(first)
    assert (setting.store.reads, len(setting.store.begun)) == (READ_AFTER_CONFLICT, 3 + READ_AFTER_CONFLICT + 2)


async def test_a_create_of_a_known_note_is_refused_though_nobody_looked_for_it() -> None:
    setting, first, again = Setting(), envelope(create()), create()
    await setting.process(first)
    second = envelope(create(first.note_id))
    await setting.process(second, envelope(again))
    assert setting.answers(second) == [Code.NOTE_ALREADY_EXISTS]
    assert setting.store.reads == 0


async def test_a_create_of_a_known_note_with_too_many_tags_is_told_that_the_note_is_there() -> None:
    """It stores no note, so no conflict would say that the note is there."""
    setting, first = Setting(), envelope(create())
    await setting.process(first)
    second = envelope(create(first.note_id, tags=tuple(f"tag-{number}" for number in range(21))))
    await setting.process(second)
    assert setting.answers(second) == [Code.NOTE_ALREADY_EXISTS]


async def test_what_is_no_create_is_looked_for_with_all_of_its_batch() -> None:
    setting, first = Setting(), envelope(create())
    await setting.process(first)
    await setting.process(first, envelope(update(first.note_id or "", "another body")))
    assert (setting.store.reads, len(setting.store.begun)) == (1, 2)


def blocking(*held: Envelope, error: StoreError) -> Fails:
    """Fail every result that holds one of these records."""
    ids = {envelope.command_id for envelope in held}
    return lambda result: error if any(one.command_id in ids for one in result.outcomes) else None


def in_partition(number: int, offset: int = 0) -> Envelope:
    record = envelope(create())
    return record._replace(source=record.source._replace(partition=number, offset=offset))


@pytest.mark.parametrize("error", [Blocked("a lock was not had"), Conflict("a deadlock, again and again")])
async def test_only_the_partition_of_what_somebody_else_holds_waits(error: StoreError) -> None:
    held, behind, others = in_partition(3), in_partition(3, 1), [in_partition(number) for number in (0, 7)]
    setting = Setting(blocking(held, error=error))
    with pytest.raises(PartitionsBlocked) as caught:
        await setting.process(others[0], held, behind, others[1])
    assert {number: str(one) for number, one in caught.value.blocked.items()} == {3: str(error)}
    assert setting.answers(*others) == ["accepted", "accepted"]
    assert set(setting.database.inbox) == {one.command_id for one in others}
    assert sum(len(result.outcomes) for result in setting.processor.results) == 2

    # From now on the others do not even try together with it, and do not wait for its lock.
    setting.store.begun.clear()
    later = in_partition(0, 1)
    with pytest.raises(PartitionsBlocked):
        await setting.process(held, behind, later)
    assert setting.store.begun[0] == (frozenset({0}), True)
    assert set(setting.store.begun[1:]) == {(frozenset({3}), False)}
    assert setting.answers(later) == ["accepted"]

    setting.store.fails = lambda _: None
    await setting.process(held, behind)
    assert setting.answers(held, behind) == ["accepted", "accepted"]
    await setting.process(held, later)
    assert setting.store.begun[-1] == (frozenset({0, 3}), True)


async def test_everything_blocked_is_said_of_every_partition_and_nothing_is_stored() -> None:
    """A lock of a table, say."""
    setting, batch = Setting(lambda _: Blocked("held")), [in_partition(number) for number in range(3)]
    with pytest.raises(PartitionsBlocked) as caught:
        await setting.process(*batch)
    assert (set(caught.value.blocked), setting.database.inbox) == ({0, 1, 2}, {})
    assert len(setting.store.attempts) == 4, "once together, once each"


async def test_a_batch_that_conflicts_for_ever_is_handed_back() -> None:
    setting, batch = Setting(lambda _: Conflict("again")), [envelope(create()) for _ in range(2)]
    with pytest.raises(PartitionsBlocked):
        await setting.process(*batch)
    assert [len(result.outcomes) for result in setting.store.attempts] == [2] * CONFLICTS
    assert setting.database.inbox == {}


@pytest.mark.parametrize(("failures", "stored"), [(1, True), (2, False)])
async def test_a_lost_connection_is_replaced_once_at_once(failures: int, *, stored: bool) -> None:
    record = envelope(create())
    setting = Setting(errors(*[ConnectionLost("closed")] * failures))
    if stored:
        await setting.process(record)
    else:
        with pytest.raises(ConnectionLost):
            await setting.process(record)
    assert (setting.database.inbox != {}) is stored


@pytest.mark.parametrize("size", [1, 2, 3, 9])
async def test_one_bad_row_is_found_and_given_up_and_the_others_are_stored(size: int) -> None:
    for place in range(size):
        batch = [envelope(create()) for _ in range(size)]
        setting = Setting(refusing(batch[place]))
        await setting.process(*batch)
        expected: list[Code | str] = ["accepted"] * size
        expected[place] = Code.INTERNAL
        assert setting.answers(*batch) == expected
        (dead_letter,) = setting.database.dead_letters.values()
        assert (dead_letter.source, dead_letter.code, dead_letter.reason) == (
            batch[place].source,
            Code.INTERNAL,
            "invalid byte sequence",
        )
        assert setting.database.inbox[batch[place].command_id or ""].status == "failed"


async def test_a_bad_row_is_found_in_few_steps() -> None:
    batch = [envelope(create()) for _ in range(256)]
    setting = Setting(refusing(batch[200]))
    await setting.process(*batch)
    assert len(setting.store.attempts) <= 2 * 8 + 2, "two halves a step, eight steps, and the giving up"


async def test_bisecting_keeps_the_order_of_the_records() -> None:
    first = create()
    edits = [envelope(update(first.note_id, f"{n}")) for n in range(7)]
    setting = Setting(refusing(edits[3]))
    results = await setting.process(envelope(first), *edits)
    assert len(results) > 1
    stored = setting.database.notes[first.note_id]
    assert (stored.body, stored.version) == ("6", 7)
    rows = [kept.row for _, kept in sorted(setting.database.outbox.items()) if kept.row.topic == TOPICS.events]
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6, 7]


async def test_two_bad_rows_in_one_batch_cost_two_commands() -> None:
    batch = [envelope(create()) for _ in range(8)]
    setting = Setting(refusing(batch[0], batch[7]))
    await setting.process(*batch)
    assert setting.answers(*batch) == [Code.INTERNAL, *["accepted"] * 6, Code.INTERNAL]


async def test_a_store_that_is_away_is_not_healed_here() -> None:
    batch = [envelope(create()) for _ in range(4)]
    setting = Setting(errors(Unavailable("gone")))
    with pytest.raises(Unavailable):
        await setting.process(*batch)
    assert (len(setting.store.attempts), setting.database.inbox) == (1, {})
    await setting.process(*batch)
    assert setting.answers(*batch) == ["accepted"] * 4


async def test_what_was_stored_before_the_store_went_away_is_not_decided_again() -> None:
    """The first half is in the inbox when the same batch is handed in again."""
    batch = [envelope(create()) for _ in range(2)]
    setting = Setting(errors(BadRow("halve"), None, Unavailable("gone")))
    with pytest.raises(Unavailable):
        await setting.process(*batch)
    before = dict(setting.database.inbox)
    assert len(before) == 1
    (result,) = await setting.process(*batch)
    assert (result.duplicates, len(result.outcomes)) == (1, 1)
    assert setting.database.inbox.items() >= before.items()


async def test_a_record_without_a_command_id_is_given_up_without_an_outcome() -> None:
    record = refused_record(Code.UNDECODABLE, None)
    setting = Setting(errors(BadRow("no")))
    await setting.process(record)
    (dead_letter,) = setting.database.dead_letters.values()
    assert (dead_letter.code, dead_letter.reason, setting.database.inbox) == (Code.INTERNAL, "no", {})
