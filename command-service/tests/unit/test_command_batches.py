"""What is stored is told to clients, metrics and log, whatever comes of the rest of the batch."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from command_support.builders import NOW, TOPICS, clocks_agree, new_id
from command_support.failing_store import FailingStore, Fails
from command_support.kafka_records import Record, binary, created
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore

from notes_chassis.kafka.lag import Tracker
from notes_command.errors import BadRow, Blocked, StoreError, Unavailable
from notes_command.pipeline import batches
from notes_command.pipeline.batches import CommandBatches
from notes_command.pipeline.decide import Outcome, Result
from notes_command.pipeline.process import BatchProcessor
from tests.harness.metrics import shown


def accepted() -> float:
    return shown("notes_command_outcomes_total", status="accepted", code="")


class Setting:
    def __init__(self, fails: Fails) -> None:
        self.database, self.told = MemoryDatabase(), list[Outcome]()
        processor = BatchProcessor(FailingStore(MemoryStore(self.database, TOPICS), fails), lambda: NOW, new_id)
        self.batches = CommandBatches(
            processor, self._stored, Tracker("group", lambda: datetime.now(UTC)), clocks_agree
        )

    def _stored(self, results: Sequence[Result]) -> None:
        self.told += [outcome for result in results for outcome in result.answers()]


def errors(*first: StoreError | None) -> Fails:
    left = iter(first)
    return lambda _: next(left, None)


def creates(*partitions: int) -> list[Record]:
    return [
        binary(created(note_id=note), key=note.encode(), ce_id=new_id().encode(), partition=partition, offset=offset)
        for offset, (note, partition) in enumerate((new_id(), one) for one in partitions)
    ]


async def test_what_was_stored_before_the_store_went_away_is_told_once() -> None:
    setting, batch, before = Setting(errors(BadRow("halve"), None, Unavailable("gone"))), creates(3, 3), accepted()
    with pytest.raises(Unavailable):
        await setting.batches(batch)
    assert [outcome.command_id for outcome in setting.told] == list(setting.database.inbox)
    assert (len(setting.told), accepted() - before) == (1, 1)
    await setting.batches(batch)
    assert {outcome.command_id for outcome in setting.told} == set(setting.database.inbox)
    assert (len(setting.database.inbox), accepted() - before) == (2, 2)


async def test_what_was_stored_before_another_part_was_blocked_is_told() -> None:
    setting, before = Setting(errors(BadRow("halve"), None, Blocked("held"))), accepted()
    await setting.batches(creates(3, 7))
    assert accepted() - before == 2


async def test_what_cannot_be_told_is_stored_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(batches, "observe_age", fail)
    setting = Setting(errors(None))
    setting.batches.stored = fail
    await setting.batches(creates(3))
    assert len(setting.database.inbox) == 1


async def test_a_batch_that_comes_to_nothing_tells_nothing() -> None:
    setting, before = Setting(lambda _: Unavailable("gone")), accepted()
    for _ in range(2):
        with pytest.raises(Unavailable):
            await setting.batches(creates(3))
    assert (setting.told, accepted() - before) == ([], 0)
