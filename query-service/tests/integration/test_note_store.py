"""The twin and MongoDB do the same."""

import asyncio
import random
from typing import Any

import pytest

from notes_query.application.fold_batch import Mark, Writes, fold_batch
from notes_query.projections.note import evolve


def history(samples: Any, last: int, note: str | None = None) -> list[Any]:
    return [samples.created(note), *(samples.updated(note, version) for version in range(2, last + 1))]


def document(samples: Any, version: int, note: str | None = None) -> Any:
    return samples.document(*history(samples, version, note))


async def stored(stores: Any, note: str) -> Any:
    documents, _ = await stores.notes.load([note])
    return documents.get(note)


async def test_what_is_written_is_loaded_whole(samples: Any, stores: Any):
    one, two = document(samples, 1), document(samples, 3, samples.other)

    await stores.notes.write(Writes(inserts=[one, two]))

    assert await stores.notes.load([samples.note, samples.other, samples.id("?")]) == (
        {samples.note: one, samples.other: two},
        [],
    )


async def test_only_a_newer_version_takes_the_place_of_one_that_is_there(samples: Any, stores: Any):
    await stores.notes.write(Writes(inserts=[document(samples, 3)]))

    for version in (1, 3, 5, 4):
        new = document(samples, version) | {"title": f"{version}"}
        assert await stores.notes.write(Writes(replaces=[new])) == set()

    assert (await stored(stores, samples.note))["title"] == "5"


async def test_an_insert_changes_nothing_of_a_note_that_is_there_and_says_so(samples: Any, stores: Any):
    waiting = samples.event(samples.updated(version=3))
    await stores.notes.write(Writes(inserts=[document(samples, 1)], parks=[waiting]))
    fresh = document(samples, 1, samples.other)

    writes = Writes(inserts=[document(samples, 5), fresh], unparks=[(samples.note, 3), (samples.other, 3)])
    assert await stores.notes.write(writes) == {samples.note}

    documents, parked = await stores.notes.load([samples.note, samples.other])
    assert documents == {samples.note: document(samples, 1), samples.other: fresh}
    assert [item[:2] for item in parked] == [(samples.note, 3)]


async def test_documents_that_are_not_looked_for_are_not_loaded_and_what_waits_is(samples: Any, stores: Any):
    waiting = samples.event(samples.updated(version=3))
    inserts = [document(samples, 1), document(samples, 1, samples.other)]
    await stores.notes.write(Writes(inserts=inserts, parks=[waiting]))

    documents, parked = await stores.notes.load([samples.note, samples.other], {samples.note})

    assert list(documents) == [samples.other]
    assert [item[:2] for item in parked] == [(samples.note, 3)]
    assert (await stores.notes.load([samples.note], {samples.note}))[0] == {}


async def test_a_text_that_looks_like_an_expression_is_stored_as_it_is(samples: Any, stores: Any):
    strange = {"title": "$body", "body": "$$ROOT", "tags": ["$title", "{$literal: 1}"]}
    await stores.notes.write(Writes(inserts=[document(samples, 1)]))

    await stores.notes.write(Writes(replaces=[document(samples, 2) | strange]))

    assert await stored(stores, samples.note) == document(samples, 2) | strange


async def test_a_replace_never_inserts(samples: Any, stores: Any):
    await stores.notes.write(Writes(replaces=[document(samples, 2)]))

    assert await stored(stores, samples.note) is None


async def test_twenty_writers_leave_the_newest(samples: Any, stores: Any):
    versions = list(range(1, 21))
    random.Random(5).shuffle(versions)

    async def write(version: int) -> None:
        if await stores.notes.write(Writes(inserts=[document(samples, version)])):
            await stores.notes.write(Writes(replaces=[document(samples, version)]))

    await asyncio.gather(*map(write, versions))

    assert await stored(stores, samples.note) == document(samples, 20)


async def test_a_mark_needs_the_version_it_was_made_for(samples: Any, stores: Any):
    await stores.notes.write(Writes(inserts=[document(samples, 2)]))

    await stores.notes.write(Writes(marks=[Mark(samples.note, 1, parked=True)]))
    assert (await stored(stores, samples.note))["parked"] is False
    await stores.notes.write(Writes(marks=[Mark(samples.note, 2, parked=True)]))
    assert (await stored(stores, samples.note))["parked"] is True


async def test_waiting_events_are_kept_byte_for_byte_once_each_and_go(samples: Any, stores: Any):
    event = samples.event(samples.updated(version=3))
    record = event.record._replace(headers=(*event.record.headers, ("x", None), ("y", b"\xff\x00"), ("x", b"2")))
    event = event._replace(record=record)
    writes = Writes(parks=[event, samples.event(samples.updated(samples.other, 2))])

    await stores.notes.write(writes)
    await stores.notes.write(writes)

    _, waiting = await stores.notes.load([samples.note])
    assert waiting == [(samples.note, 3, record)]
    assert await stores.notes.count_parked() == (2, 0)
    assert sorted(await stores.notes.waiting_notes(10)) == sorted([samples.note, samples.other])
    assert len(await stores.notes.waiting_notes(1)) == 1
    assert await stores.reader.has_waiting(samples.note)

    await stores.notes.write(Writes(unparks=[(samples.note, 3), (samples.note, 4)]))

    assert await stores.notes.load([samples.note]) == ({}, [])
    assert not await stores.reader.has_waiting(samples.note)
    assert await stores.notes.count_parked() == (1, 0)


async def test_forks_are_kept_apart_from_what_waits(samples: Any, stores: Any):
    forks = [samples.event(samples.updated(version=2), name=name) for name in ("a", "b", "a")]

    await stores.notes.write(Writes(forks=forks))

    assert await stores.notes.count_parked() == (0, 2)
    assert await stores.notes.load([samples.note]) == ({}, [])
    assert not await stores.reader.has_waiting(samples.note)


@pytest.mark.parametrize("crash_before", ["nothing", "documents", "unparks"])
async def test_a_writer_that_stops_between_two_writes_loses_nothing(samples: Any, stores: Any, crash_before: str):
    events = [samples.event(message) for message in history(samples, 5)]
    first = [events[0], events[2], events[4]]

    async def deliver(some: list[Any], leave_out: str = "") -> None:
        documents, parked = await stores.notes.load([samples.note])
        waiting = {samples.note: {version: events[version - 1] for _, version, _ in parked}}
        writes = fold_batch(documents, waiting, some, evolve)
        if leave_out:
            writes.unparks = []
        if leave_out == "documents":
            writes.inserts, writes.replaces, writes.marks = [], [], []
        await stores.notes.write(writes)

    await deliver(first, "" if crash_before == "nothing" else crash_before)
    await deliver(first)
    await deliver([events[1], events[3]], "" if crash_before == "nothing" else crash_before)
    await deliver([events[1], events[3]])

    assert await stored(stores, samples.note) == document(samples, 5)
    assert await stores.notes.count_parked() == (0, 0)
