"""One bug costs a command; many in a row mean that the code is wrong, and everything stops."""

from datetime import datetime

import pytest
from command_support.builders import NOW, TOPICS, create, envelope, new_id, refused_record
from command_support.failing_store import FailingStore
from command_support.memory.database import MemoryDatabase
from command_support.memory.store import MemoryStore

from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.note import Decision, Note
from notes_command.errors import BadDeploy, Conflict, StoreError
from notes_command.pipeline.decode import Envelope
from notes_command.pipeline.process import BatchProcessor
from notes_contracts import Code, CreateNote


def explode(present: Note | None, command: CreateNote, now: datetime) -> Decision:
    if command.title == "boom":
        raise ZeroDivisionError
    return HANDLERS[CreateNote](present, command, now)


@pytest.fixture
def database() -> MemoryDatabase:
    return MemoryDatabase()


@pytest.fixture
def processor(database: MemoryDatabase) -> BatchProcessor:
    handlers: Handlers = {**HANDLERS, CreateNote: explode}
    return BatchProcessor(MemoryStore(database, TOPICS), lambda: NOW, new_id, handlers)


def bug(count: int = 1) -> list[Envelope]:
    return [envelope(create(title="boom")) for _ in range(count)]


def fine(count: int = 1) -> list[Envelope]:
    return [envelope(create()) for _ in range(count)]


async def test_twenty_in_a_row_are_paid_for_and_the_next_stops_everything(
    processor: BatchProcessor, database: MemoryDatabase
) -> None:
    for one in bug(20):
        await processor.process([one])
    assert len(database.dead_letters) == 20
    with pytest.raises(BadDeploy, match="21 in a row"):
        await processor.process(bug())
    assert len(database.inbox) == len(database.dead_letters) == 20, "the last one was rolled back"


async def test_in_a_row_goes_on_across_batches(processor: BatchProcessor) -> None:
    await processor.process([*fine(25), *bug(12)])
    with pytest.raises(BadDeploy):
        await processor.process([*bug(9), *fine(25)])


async def test_the_same_batch_tried_again_is_no_longer_row_than_before(processor: BatchProcessor) -> None:
    await processor.process(bug(15))
    batch = bug(6)
    for _ in range(3):
        with pytest.raises(BadDeploy, match="21 in a row"):
            await processor.process(batch)


async def test_one_success_ends_the_row(processor: BatchProcessor, database: MemoryDatabase) -> None:
    await processor.process(bug(19))
    await processor.process(fine())
    await processor.process(bug(19))
    await processor.process([*fine(), *bug(18)])
    assert len(database.inbox) == 19 + 1 + 19 + 19


async def test_what_comes_after_a_success_counts_anew(processor: BatchProcessor, database: MemoryDatabase) -> None:
    await processor.process([*fine(30), *bug(10)])
    await processor.process([*bug(10), *fine(30), *bug(10)])
    assert len(database.inbox) == 90


async def test_a_few_among_many_are_no_bad_deploy(processor: BatchProcessor, database: MemoryDatabase) -> None:
    """Thirty poisoned commands in a batch of five hundred, never two together: they are paid for one by one."""
    batch = [one for _ in range(30) for one in (*bug(), *fine(15))]
    await processor.process(batch)
    assert len(database.dead_letters) == 30


@pytest.mark.parametrize(("bugs", "others", "stops"), [(10, 10, True), (9, 11, False), (10, 9, False), (50, 51, False)])
async def test_half_of_a_batch_of_twenty_or_more(
    processor: BatchProcessor, database: MemoryDatabase, bugs: int, others: int, stops: bool
) -> None:
    batch = [one for _ in range(min(bugs, others)) for one in (*fine(), *bug())]
    batch += [*bug(bugs - others), *fine(others - bugs)]
    if stops:
        with pytest.raises(BadDeploy):
            await processor.process(batch)
        assert database.inbox == {}
    else:
        await processor.process(batch)
        assert len(database.dead_letters) == bugs


async def test_records_that_reach_no_handler_neither_count_nor_end_the_row(processor: BatchProcessor) -> None:
    await processor.process(bug(10))
    await processor.process(bug(10))
    await processor.process([refused_record(Code.UNDECODABLE, None)])
    with pytest.raises(BadDeploy):
        await processor.process(bug())


async def test_a_batch_that_is_decided_again_counts_once(database: MemoryDatabase) -> None:
    errors: list[StoreError | None] = [Conflict("again"), None]
    store = FailingStore(MemoryStore(database, TOPICS), lambda _: errors.pop(0))
    handlers: Handlers = {**HANDLERS, CreateNote: explode}
    await BatchProcessor(store, lambda: NOW, new_id, handlers).process(bug(11))
    assert len(database.dead_letters) == 11
