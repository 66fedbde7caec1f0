from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_contracts import Code
from notes_query.errors import BadDeploy, DocumentRefused, StoreUnavailable
from notes_query.projecting.counts import Counts
from notes_query.projecting.project_events import Isolate


class Processor:
    """Fails on chosen offsets; remembers what got through, in order."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)
        self.done: list[int] = []

    async def __call__(self, records: Any) -> Counts:
        offsets = [record.offset for record in records]
        if self.bad & set(offsets):
            raise RuntimeError("the text of a note")
        self.done += offsets
        return Counts(applied=len(records))


def records(samples: Samples, number: int) -> list[Any]:
    return [samples.raw(b"", offset=offset) for offset in range(number)]


async def test_bad_records_are_dead_letters_and_the_others_are_processed_in_order(samples: Samples, side: Side):
    processor = Processor(3, 17)

    counts = await Isolate(processor, side.dead_letters, lambda: samples.start)(records(samples, 20))

    assert processor.done == [offset for offset in range(20) if offset not in (3, 17)]
    assert (counts.applied, counts.dead_lettered) == (18, 2)
    dead_letters = list(side.dead_letters.dead_letters.values())
    assert [dead_letter.record.offset for dead_letter in dead_letters] == [3, 17]
    assert {dead_letter.code for dead_letter in dead_letters} == {Code.INTERNAL}
    assert all(dead_letter.reason.startswith("RuntimeError in test_isolate.py, line ") for dead_letter in dead_letters)


async def test_a_store_that_is_away_is_not_the_records_fault(samples: Samples, side: Side):
    async def away(_: Any) -> Counts:
        raise StoreUnavailable("away")

    with pytest.raises(StoreUnavailable):
        await Isolate(away, side.dead_letters, lambda: samples.start)(records(samples, 4))

    assert not side.dead_letters.dead_letters


async def test_what_the_store_refuses_for_good_is_the_records_fault(samples: Samples, side: Side):
    async def refuses(some: Any) -> Counts:
        if any(record.offset == 1 for record in some):
            raise DocumentRefused("MongoDB: BulkWriteError 121")
        return Counts(applied=len(some))

    counts = await Isolate(refuses, side.dead_letters, lambda: samples.start)(records(samples, 4))

    assert (counts.applied, counts.dead_lettered) == (3, 1)
    (dead_letter,) = side.dead_letters.dead_letters.values()
    assert (dead_letter.record.offset, dead_letter.reason) == (1, "DocumentRefused: MongoDB: BulkWriteError 121")


async def test_when_nearly_all_fail_it_is_our_fault_and_nothing_is_given_up(samples: Samples, side: Side):
    with pytest.raises(BadDeploy, match=r"RuntimeError in test_isolate\.py"):
        await Isolate(Processor(*range(21)), side.dead_letters, lambda: samples.start)(records(samples, 100))

    assert not side.dead_letters.dead_letters


async def test_many_small_batches_that_fail_are_our_fault_too(samples: Samples, side: Side):
    isolate = Isolate(Processor(*range(100)), side.dead_letters, lambda: samples.start)
    for record in records(samples, 20):
        await isolate([record])
    assert len(side.dead_letters.dead_letters) == 20

    with pytest.raises(BadDeploy):
        await isolate([samples.raw(b"", offset=20)])

    isolate.process = Processor()
    await isolate([samples.raw(b"", offset=20)])
    isolate.process = Processor(21)
    await isolate([samples.raw(b"", offset=21)])
    assert len(side.dead_letters.dead_letters) == 21
