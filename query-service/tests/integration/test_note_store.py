"""The twin and MongoDB do the same."""

import asyncio
import random
from typing import Any

import pytest
from query_support.fixtures import Database, Samples

from notes_query.projecting.fold_batch import Mark, Writes, fold_batch
from notes_query.projecting.pending import Fork, Pending
from notes_query.projections.note import evolve


def history(samples: Samples, last: int, note: str | None = None) -> list[Any]:
    return [samples.created(note), *(samples.updated(note, version) for version in range(2, last + 1))]


def document(samples: Samples, version: int, note: str | None = None) -> Any:
    return samples.document(*history(samples, version, note))


async def stored(stores: Any, note: str) -> Any:
    documents, _ = await stores.notes.load([note], ())
    return documents.get(note)


async def test_what_is_written_is_loaded_whole(samples: Samples, stores: Any):
    one, two = document(samples, 1), document(samples, 3, samples.other)

    await stores.notes.write(Writes(inserts=[one, two]))

    assert await stores.notes.load([samples.note, samples.other, samples.id("?")], ()) == (
        {samples.note: one, samples.other: two},
        {},
    )


async def test_only_a_newer_version_takes_the_place_of_one_that_is_there(samples: Samples, stores: Any):
    await stores.notes.write(Writes(inserts=[document(samples, 3)]))

    for version in (1, 3, 5, 4):
        new = document(samples, version) | {"title": f"{version}"}
        assert await stores.notes.write(Writes(replaces=[new])) == set()

    assert (await stored(stores, samples.note))["title"] == "5"


async def test_an_insert_changes_nothing_of_a_note_that_is_there_and_says_so(samples: Samples, stores: Any):
    waiting = samples.event(samples.updated(version=3))
    await stores.notes.write(Writes(inserts=[document(samples, 1)], parks=[waiting]))
    fresh = document(samples, 1, samples.other)

    writes = Writes(inserts=[document(samples, 5), fresh], unparks=[(samples.note, 3), (samples.other, 3)])
    assert await stores.notes.write(writes) == {samples.note}

    documents, pending = await stores.notes.load([samples.note, samples.other], ())
    assert documents == {samples.note: document(samples, 1), samples.other: fresh}
    assert pending == {samples.note: Pending(1, 3, 3)}


async def test_documents_that_are_not_looked_for_are_not_loaded_and_what_waits_is(samples: Samples, stores: Any):
    waiting = samples.event(samples.updated(version=3))
    inserts = [document(samples, 1), document(samples, 1, samples.other)]
    await stores.notes.write(Writes(inserts=inserts, parks=[waiting]))

    received = [waiting, samples.event(samples.updated(samples.other, 3))]
    documents, pending = await stores.notes.load([samples.note, samples.other], received, {samples.note})

    assert list(documents) == [samples.other]
    assert pending == {samples.note: Pending(1, 3, 3, {3: waiting.id})}
    assert (await stores.notes.load([samples.note], (), {samples.note}))[0] == {}


async def test_a_text_that_looks_like_an_expression_is_stored_as_it_is(samples: Samples, stores: Any):
    strange = {"title": "$body", "body": "$$ROOT", "tags": ["$title", "{$literal: 1}"]}
    await stores.notes.write(Writes(inserts=[document(samples, 1)]))

    await stores.notes.write(Writes(replaces=[document(samples, 2) | strange]))

    assert await stored(stores, samples.note) == document(samples, 2) | strange


async def test_a_replace_never_inserts(samples: Samples, stores: Any):
    await stores.notes.write(Writes(replaces=[document(samples, 2)]))

    assert await stored(stores, samples.note) is None


async def test_twenty_writers_leave_the_newest(samples: Samples, stores: Any):
    versions = list(range(1, 21))
    random.Random(5).shuffle(versions)

    async def write(version: int) -> None:
        if await stores.notes.write(Writes(inserts=[document(samples, version)])):
            await stores.notes.write(Writes(replaces=[document(samples, version)]))

    await asyncio.gather(*map(write, versions))

    assert await stored(stores, samples.note) == document(samples, 20)


async def test_a_mark_needs_the_version_it_was_made_for(samples: Samples, stores: Any):
    await stores.notes.write(Writes(inserts=[document(samples, 2)]))

    await stores.notes.write(Writes(marks=[Mark(samples.note, 1, parked=True)]))
    assert (await stored(stores, samples.note))["parked"] is False
    await stores.notes.write(Writes(marks=[Mark(samples.note, 2, parked=True)]))
    assert (await stored(stores, samples.note))["parked"] is True


async def test_waiting_events_are_kept_byte_for_byte_once_each_and_go(samples: Samples, stores: Any):
    event = samples.event(samples.updated(version=3))
    record = event.record._replace(headers=(*event.record.headers, ("x", None), ("y", b"\xff\x00"), ("x", b"2")))
    event = event._replace(record=record)
    writes = Writes(parks=[event, samples.event(samples.updated(samples.other, 2))])

    await stores.notes.write(writes)
    await stores.notes.write(writes)

    assert await stores.notes.waiting({samples.note: 2}, 10**6, 10) == [(samples.note, 3, record)]
    assert await stores.notes.count_parked() == (2, 0)
    assert await stores.reader.has_waiting(samples.note)

    await stores.notes.write(Writes(unparks=[(samples.note, 4)]))

    assert await stores.notes.load([samples.note], ()) == ({}, {})
    assert not await stores.reader.has_waiting(samples.note)
    assert await stores.notes.count_parked() == (1, 0)


async def test_what_waits_is_given_in_runs_without_holes_and_no_more_than_was_asked_for(samples: Samples, stores: Any):
    large = {"body": "x" * 1_000}
    waiting = [samples.updated(version=version, **large) for version in (3, 4, 5, 7, 10)]
    waiting += [samples.updated(samples.other, version, **large) for version in (2, 3)]
    await stores.notes.write(Writes(parks=[samples.event(message) for message in waiting]))

    async def given(max_bytes: int = 10**6, max_events: int = 100, **after: int) -> set[tuple[str, int]]:
        asked = {getattr(samples, name): at for name, at in after.items()}
        found = await stores.notes.waiting(asked, max_bytes, max_events)
        assert [one.version for one in found if one.note_id == samples.note] == sorted(
            one.version for one in found if one.note_id == samples.note
        )
        return {(one.note_id, one.version) for one in found}

    assert await given(note=2) == {(samples.note, 3), (samples.note, 4), (samples.note, 5)}
    assert await given(note=6, other=1) == {(samples.note, 7), (samples.other, 2), (samples.other, 3)}
    assert await given(note=1, other=3) == set()
    assert await given(max_events=2, note=2) == {(samples.note, 3), (samples.note, 4)}
    assert await given(max_bytes=1_500, note=2) == {(samples.note, 3), (samples.note, 4)}
    assert len(await given(max_bytes=1, note=2, other=1)) == 1


async def test_what_waits_is_measured_with_its_key_and_headers(samples: Samples, stores: Any):
    """Compression lets a record with few bytes on the topic have megabytes of them."""
    events = [samples.event(samples.updated(version=version)) for version in (3, 4, 5)]
    large = {"key": b"k" * 5_000, "headers": (("h", b"x" * 5_000),)}
    parks = [event._replace(record=event.record._replace(**large)) for event in events]
    await stores.notes.write(Writes(parks=parks))

    found = await stores.notes.waiting({samples.note: 2}, 15_000, 100)
    assert [one.version for one in found] == [3, 4]


async def test_every_note_whose_missing_version_is_there_has_its_turn(samples: Samples, stores: Any):
    notes = sorted(samples.id(f"{number}") for number in range(7))
    ready = {notes[1], notes[4], notes[5]}
    inserts = [document(samples, 2 if note in ready else 1, note) | {"parked": note != notes[6]} for note in notes]
    parks = [samples.event(samples.updated(note, 3)) for note in notes]
    stopped = samples.event(samples.updated(notes[5], 2, body="another"), name="another")
    await stores.notes.write(Writes(inserts=inserts, parks=parks, forks=[Fork(stopped, 2)]))
    started = samples.event(samples.created(samples.note))
    await stores.notes.write(Writes(parks=[started]))

    found: list[str] = []
    after, looks = "", 0
    while looks == 0 or after:
        some, after = await stores.notes.healable(after, 3)
        found += some
        looks += 1

    assert sorted(found) == sorted({notes[1], notes[4], samples.note, notes[6]}), "the last one is to be marked"
    assert looks == 3


async def test_forks_are_kept_without_what_they_say_apart_from_what_waits(
    samples: Samples, stores: Any, database: Database
):
    forks = [samples.event(samples.updated(version=2, body="marker"), name=name) for name in ("a", "b", "a")]

    await stores.notes.write(Writes(forks=[Fork(event, 5) for event in forks]))
    await stores.notes.write(Writes(forks=[Fork(forks[0], 9)]))

    assert await stores.notes.count_parked() == (0, 2)
    assert await stores.notes.load([samples.note], forks) == (
        {},
        {samples.note: Pending(forks={(2, forks[0].id): 5, (2, forks[1].id): 5})},
    )
    assert not await stores.reader.has_waiting(samples.note)
    assert "marker" not in str(await database["notes_v2_1_parked"].find().to_list(None))


async def test_ids_of_older_versions_are_kept_once(samples: Samples, stores: Any):
    await stores.notes.write(Writes(blocks=[(samples.note, 0, b"0" * 64), (samples.note, 1, b"1" * 64)]))
    await stores.notes.write(Writes(blocks=[(samples.note, 0, b"2" * 64)]))

    wanted = [(samples.note, 0), (samples.note, 1), (samples.note, 2), (samples.other, 0)]
    assert await stores.notes.blocks(wanted) == {(samples.note, 0): b"0" * 64, (samples.note, 1): b"1" * 64}
    assert await stores.notes.count_parked() == (0, 0)


@pytest.mark.parametrize("crash_before", ["nothing", "documents", "unparks"])
async def test_a_writer_that_stops_between_two_writes_loses_nothing(samples: Samples, stores: Any, crash_before: str):
    events = [samples.event(message) for message in history(samples, 5)]
    first = [events[0], events[2], events[4]]

    async def deliver(some: list[Any], leave_out: str = "") -> None:
        documents, pending = await stores.notes.load([samples.note], some)
        writes = fold_batch(documents, pending, some, evolve)
        if leave_out:
            writes.unparks = []
        if leave_out == "documents":
            writes.inserts, writes.replaces, writes.marks = [], [], []
        await stores.notes.write(writes)
        if writes.ready and (parked := await stores.notes.waiting(writes.ready, 10**6, 100)):
            await deliver([events[one.version - 1] for one in parked], leave_out)

    await deliver(first, "" if crash_before == "nothing" else crash_before)
    await deliver(first)
    await deliver([events[1], events[3]], "" if crash_before == "nothing" else crash_before)
    await deliver([events[1], events[3]])

    assert await stored(stores, samples.note) == document(samples, 5)
    assert await stores.notes.count_parked() == (0, 0)
