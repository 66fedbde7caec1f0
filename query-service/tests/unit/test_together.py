"""A large batch goes in shares: notes stay whole, a few are under way at a time, and a failure waits for the others."""

import asyncio
import random
from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_query.errors import StoreUnavailable
from notes_query.projecting import project_events as module
from notes_query.projecting.counts import Counts
from notes_query.projecting.project_events import MAX_CONCURRENT_CHUNKS, chunks_of, concurrently, in_chunks


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 20)


def messages_of(samples: Samples, notes: int, versions: int) -> list[Any]:
    """Give the events of some notes, mixed, each note's in order."""
    ids = [samples.id(f"{number}") for number in range(notes)] * versions
    random.Random(5).shuffle(ids)
    reached = dict.fromkeys(ids, 0)
    made = []
    for note in ids:
        reached[note] += 1
        made.append(samples.created(note) if reached[note] == 1 else samples.updated(note, reached[note]))
    return made


def test_a_note_is_in_one_share_with_its_records_in_order(samples: Samples, small: None):
    records = [samples.record(message) for message in messages_of(samples, 40, 3)]

    shares = chunks_of(records)

    assert len(shares) == 6
    keys = [{record.key for record in share} for share in shares]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 40
    assert sum(map(len, shares)) == len(records)
    for share in shares:
        assert [record for record in records if record in share] == share


def test_a_batch_that_is_no_two_shares_is_left_whole(samples: Samples, small: None):
    records = [samples.record(samples.created())] * 39

    assert chunks_of(records) == [records]
    assert chunks_of([]) == [[]]


async def test_shares_come_to_the_same_as_one_event_at_a_time(samples: Samples, side: Side, small: None):
    messages = messages_of(samples, 40, 3)

    counts = await side.project([samples.record(message) for message in messages])

    assert (counts.applied, counts.parked, counts.ignored) == (120, 0, 0)
    for note in {message.note_id for message in messages}:
        own = [message for message in messages if message.note_id == note]
        assert side.notes.documents[note] == samples.document(*own)


async def test_readers_are_left_some_threads(samples: Samples, small: None):
    under_way, most, full, goes_on = 0, 0, asyncio.Event(), asyncio.Event()

    async def process(records: Any) -> Counts:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way >= MAX_CONCURRENT_CHUNKS:
            full.set()
        await goes_on.wait()
        under_way -= 1
        return Counts(applied=len(records))

    records = [samples.record(message) for message in messages_of(samples, 40, 3)]
    processing = asyncio.create_task(in_chunks(records, process))
    async with asyncio.timeout(5):
        await full.wait()
    assert under_way == MAX_CONCURRENT_CHUNKS
    goes_on.set()

    assert (await processing).applied == 120
    assert most == MAX_CONCURRENT_CHUNKS


async def test_nothing_is_under_way_any_more_when_it_fails():
    goes_on, ended = asyncio.Event(), []

    async def fail() -> Counts:
        raise StoreUnavailable("away")

    async def slow() -> Counts:
        await goes_on.wait()
        ended.append("slow")
        return Counts(applied=1)

    both = asyncio.create_task(concurrently([fail(), slow()]))
    await asyncio.wait([both], timeout=0.05)
    assert not both.done()
    goes_on.set()

    with pytest.raises(StoreUnavailable):
        await both
    assert ended == ["slow"]
    assert await concurrently([slow(), slow()]) == Counts(applied=2)
