"""A large batch goes in two halves at the same time: notes stay whole, and a failure waits for the other half."""

import asyncio
import random
from typing import Any

import pytest

from notes_query.application import together as module
from notes_query.application.errors import StoreUnavailable
from notes_query.application.fold_batch import Counts
from notes_query.application.together import halves_of, together


@pytest.fixture
def halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WORTH_HALVING", 2)


def messages_of(samples: Any, notes: int, versions: int) -> list[Any]:
    """Give the events of some notes, mixed, each note's in order."""
    ids = [samples.id(f"{number}") for number in range(notes)] * versions
    random.Random(5).shuffle(ids)
    reached = dict.fromkeys(ids, 0)
    made = []
    for note in ids:
        reached[note] += 1
        made.append(samples.created(note) if reached[note] == 1 else samples.updated(note, reached[note]))
    return made


def test_a_note_is_in_one_half_with_its_events_in_order(samples: Any, halved: None):
    events = [samples.event(message) for message in messages_of(samples, 40, 3)]

    halves = halves_of(events)

    assert len(halves) == 2
    assert not set.intersection(*({event.note_id for event in half} for half in halves))
    assert sorted(event.id for half in halves for event in half) == sorted(event.id for event in events)
    for half in halves:
        assert [event for event in events if event in half] == half


def test_a_small_batch_is_left_whole(samples: Any):
    events = [samples.event(samples.created())]

    assert halves_of(events) == [events]
    assert halves_of([]) == [[]]


async def test_halves_come_to_the_same_as_one_event_at_a_time(samples: Any, side: Any, halved: None):
    messages = messages_of(samples, 40, 3)

    counts = await side.project([samples.record(message) for message in messages])

    assert (counts.applied, counts.parked, counts.ignored) == (120, 0, 0)
    for note in {message.note_id for message in messages}:
        own = [message for message in messages if message.note_id == note]
        assert side.notes.documents[note] == samples.document(*own)


async def test_nothing_is_under_way_any_more_when_it_fails():
    goes_on, ended = asyncio.Event(), []

    async def fail() -> Counts:
        raise StoreUnavailable("away")

    async def slow() -> Counts:
        await goes_on.wait()
        ended.append("slow")
        return Counts(applied=1)

    both = asyncio.create_task(together([fail(), slow()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not both.done()
    goes_on.set()

    with pytest.raises(StoreUnavailable):
        await both
    assert ended == ["slow"]
    assert await together([slow(), slow()]) == Counts(applied=2)
