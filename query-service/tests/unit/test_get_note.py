import asyncio
from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_contracts import NoteDeleted, format_time
from notes_query.reads.get_note import Answer, GetNote
from tests.harness.waiting import eventually


@pytest.fixture
def get_note(side: Side) -> GetNote:
    return GetNote(side.notes, side.waiters)


async def waiting(side: Side, question: Any) -> "asyncio.Task[Answer]":
    task = asyncio.create_task(question)
    await eventually(lambda: side.waiters)
    return task


async def test_without_min_version_nobody_waits(samples: Samples, side: Side, get_note: GetNote):
    await side.given([samples.record(samples.created())])

    note, consistency = await get_note(samples.note)

    assert note is not None
    assert (note["version"], consistency) == (1, None)
    assert "body" not in note


async def test_a_version_that_is_there_is_answered_at_once(samples: Samples, side: Side, get_note: GetNote):
    await side.given([samples.record(samples.created()), samples.record(samples.updated())])

    async with asyncio.timeout(1):
        assert (await get_note(samples.note, 1, 60)).consistency == "current"
        assert (await get_note(samples.note, 2, 60)).consistency == "current"


async def test_the_projector_wakes_who_waits_also_for_a_note_not_yet_known(
    samples: Samples, side: Side, get_note: GetNote
):
    answer = await waiting(side, get_note(samples.note, 2, 60))

    await side.given([samples.record(samples.created())])
    assert not answer.done()
    await side.given([samples.record(samples.updated())])

    async with asyncio.timeout(1):
        note, consistency = await answer
    assert note is not None
    assert (note["version"], consistency) == (2, "current")


async def test_what_is_stored_while_the_reader_reads_wakes_it(samples: Samples, side: Side, get_note: GetNote):
    read = side.notes.view

    async def overtaken(note_id: str, **named: Any) -> Any:
        found = await read(note_id, **named)
        side.notes.view = read
        await side.given([samples.record(samples.created())])
        return found

    side.notes.view = overtaken
    async with asyncio.timeout(1):
        assert (await get_note(samples.note, 1, 60)).consistency == "current"


async def test_after_the_deadline_the_answer_is_what_there_is(samples: Samples, side: Side, get_note: GetNote):
    await side.given([samples.record(samples.created())])

    note, consistency = await get_note(samples.note, 2, 0.01)

    assert note is not None
    assert (note["version"], consistency) == (1, "stale")
    assert await get_note(samples.other, 1, 0.01) == Answer(None, "stale")


async def test_what_another_instance_has_written_is_seen_at_the_deadline(
    samples: Samples, side: Side, get_note: GetNote
):
    answer = await waiting(side, get_note(samples.note, 1, 0.2))
    side.notes.documents[samples.note] = samples.document(samples.created())

    assert (await answer).consistency == "current"


async def test_nobody_waits_for_a_deleted_note(samples: Samples, side: Side, get_note: GetNote):
    side.notes.documents[samples.note] = {**samples.document(samples.created()), "status": "deleted"}

    async with asyncio.timeout(1):
        assert (await get_note(samples.note, 5, 60)).consistency == "stale"


async def test_who_waits_for_a_version_is_told_at_once_when_the_note_is_deleted(
    samples: Samples, side: Side, get_note: GetNote
):
    await side.given([samples.record(samples.created())])
    answer = await waiting(side, get_note(samples.note, 5, 60))
    deleted = NoteDeleted(note_id=samples.note, version=2, occurred_at=format_time(samples.at(2)))
    async with asyncio.timeout(5):
        await side.given([samples.record(deleted)])
        note, _ = await answer

    assert (note["version"], note["status"]) == (2, "deleted")


async def test_a_missing_version_is_told_with_and_without_min_version(samples: Samples, side: Side, get_note: GetNote):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(version=3))])

    assert (await get_note(samples.note)).consistency == "parked"
    assert (await get_note(samples.note, 1)).consistency == "parked"

    await side.given([samples.record(samples.updated(version=2))])
    assert (await get_note(samples.note)).consistency is None


async def test_a_missing_first_version_is_told_though_there_is_no_note(samples: Samples, side: Side, get_note: GetNote):
    await side.given([samples.record(samples.updated(version=2))])

    assert await get_note(samples.note) == Answer(None, "parked")
    assert await get_note(samples.other) == Answer(None, None)


async def test_no_wait_is_longer_than_ten_seconds(samples: Samples, side: Side, get_note: GetNote, monkeypatch: Any):
    monkeypatch.setattr("notes_query.reads.get_note.MAX_WAIT_S", 0.01)

    async with asyncio.timeout(1):
        assert (await get_note(samples.note, 1, 3600)).consistency == "stale"
