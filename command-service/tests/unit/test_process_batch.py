"""What the pipeline does where a transaction fails."""

import pytest
from command_support.builders import NOW, TOPICS, create, faulty, incoming, new_id, update
from command_support.failing_store import FailingStore, Fails

from notes_command.adapters.memory.database import MemoryDatabase
from notes_command.adapters.memory.store import MemoryStore
from notes_command.application.incoming import Incoming
from notes_command.application.ports import BadRow, Conflict, StoreError, Unavailable
from notes_command.application.process_batch import CONFLICTS_BEFORE_HALVING, BatchProcessor
from notes_command.application.result import Result
from notes_contracts import Code


class Setting:
    def __init__(self, fails: Fails = lambda _: None) -> None:
        self.database = MemoryDatabase()
        self.store = FailingStore(MemoryStore(self.database, TOPICS), fails)
        self.processor = BatchProcessor(self.store, now=lambda: NOW, new_id=new_id)

    async def process(self, *batch: Incoming) -> list[Result]:
        return await self.processor.process(batch)

    def answers(self, *batch: Incoming) -> list[Code | str]:
        found = [self.database.inbox[incoming.command_id or ""] for incoming in batch]
        return [outcome.code or outcome.status for outcome in found]


def errors(*first: StoreError | None) -> Fails:
    left = iter(first)
    return lambda _: next(left, None)


def refusing(*bad: Incoming) -> Fails:
    """Refuse every result that holds the whole of a bad record: its outcome, unless we gave the record up."""
    ids = {incoming.command_id for incoming in bad}

    def fails(result: Result) -> StoreError | None:
        hit = any(one.command_id in ids and one.code is not Code.INTERNAL for one in result.outcomes)
        return BadRow("invalid byte sequence") if hit else None

    return fails


async def test_a_batch_is_one_transaction() -> None:
    setting, batch = Setting(), [incoming(create()) for _ in range(50)]
    assert [len(result.outcomes) for result in await setting.process(*batch)] == [50]


async def test_after_a_conflict_the_batch_is_decided_again_on_what_is_there_now() -> None:
    """Somebody else stores the note between our reading and our writing."""
    late = incoming(create())

    def somebody_was_faster(result: Result) -> StoreError | None:
        if len(setting.store.attempts) > 1:
            return None
        setting.database.notes.update(result.created)
        return Conflict("duplicate key")

    setting = Setting(somebody_was_faster)
    (result,) = await setting.process(late)
    assert setting.answers(late) == [Code.NOTE_ALREADY_EXISTS]
    assert (result.created, len(setting.store.attempts)) == ({}, 2)


async def test_a_batch_that_conflicts_for_ever_is_halved_and_then_handed_back() -> None:
    setting, batch = Setting(lambda _: Conflict("again")), [incoming(create()) for _ in range(2)]
    with pytest.raises(Conflict):
        await setting.process(*batch)
    sizes = [len(result.outcomes) for result in setting.store.attempts]
    assert sizes == [2] * CONFLICTS_BEFORE_HALVING + [1] * (CONFLICTS_BEFORE_HALVING + 1)
    assert setting.database.inbox == {}


@pytest.mark.parametrize("size", [1, 2, 3, 9])
async def test_one_bad_row_is_found_and_given_up_and_the_others_are_stored(size: int) -> None:
    for place in range(size):
        batch = [incoming(create()) for _ in range(size)]
        setting = Setting(refusing(batch[place]))
        await setting.process(*batch)
        expected: list[Code | str] = ["accepted"] * size
        expected[place] = Code.INTERNAL
        assert setting.answers(*batch) == expected
        (letter,) = setting.database.dead_letters.values()
        assert (letter.source, letter.code, letter.reason) == (
            batch[place].source,
            Code.INTERNAL,
            "invalid byte sequence",
        )
        assert setting.database.inbox[batch[place].command_id or ""].status == "failed"


async def test_a_bad_row_is_found_in_few_steps() -> None:
    batch = [incoming(create()) for _ in range(256)]
    setting = Setting(refusing(batch[200]))
    await setting.process(*batch)
    assert len(setting.store.attempts) <= 2 * 8 + 2, "two halves a step, eight steps, and the giving up"


async def test_bisecting_keeps_the_order_of_the_records() -> None:
    first = create()
    edits = [incoming(update(first.note_id, f"{n}")) for n in range(7)]
    setting = Setting(refusing(edits[3]))
    results = await setting.process(incoming(first), *edits)
    assert len(results) > 1
    stored = setting.database.notes[first.note_id]
    assert (stored.body, stored.version) == ("6", 7)
    rows = [kept.row for _, kept in sorted(setting.database.outbox.items()) if kept.row.topic == TOPICS.events]
    assert [row.sequence for row in rows] == [1, 2, 3, 4, 5, 6, 7]


async def test_two_bad_rows_in_one_batch_cost_two_commands() -> None:
    batch = [incoming(create()) for _ in range(8)]
    setting = Setting(refusing(batch[0], batch[7]))
    await setting.process(*batch)
    assert setting.answers(*batch) == [Code.INTERNAL, *["accepted"] * 6, Code.INTERNAL]


async def test_a_store_that_is_away_is_not_healed_here() -> None:
    batch = [incoming(create()) for _ in range(4)]
    setting = Setting(errors(Unavailable("gone")))
    with pytest.raises(Unavailable):
        await setting.process(*batch)
    assert (len(setting.store.attempts), setting.database.inbox) == (1, {})
    await setting.process(*batch)
    assert setting.answers(*batch) == ["accepted"] * 4


async def test_what_was_stored_before_the_store_went_away_is_not_decided_again() -> None:
    """The first half is in the inbox when the same batch is handed in again."""
    batch = [incoming(create()) for _ in range(2)]
    setting = Setting(errors(BadRow("halve"), None, Unavailable("gone")))
    with pytest.raises(Unavailable):
        await setting.process(*batch)
    before = dict(setting.database.inbox)
    assert len(before) == 1
    (result,) = await setting.process(*batch)
    assert (result.duplicates, len(result.outcomes)) == (1, 1)
    assert setting.database.inbox.items() >= before.items()


async def test_a_record_without_a_command_id_is_given_up_without_an_outcome() -> None:
    record = faulty(Code.UNDECODABLE, None)
    setting = Setting(errors(BadRow("no")))
    await setting.process(record)
    (letter,) = setting.database.dead_letters.values()
    assert (letter.code, letter.reason, setting.database.inbox) == (Code.INTERNAL, "no", {})
