"""What MongoDB refuses for another reason than that it is there already is never passed over."""

from typing import Any

import pytest
from query_support.fixtures import Database, Samples

from notes_contracts import Code
from notes_query.errors import DocumentRefused
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import Isolate, ProjectEvents
from notes_query.projections.note import evolve
from notes_query.repairing.dead_letter_store import DeadLetters


@pytest.fixture
async def refusing(database: Database) -> Any:
    """Give a database that refuses one title."""
    notes = database["notes_v2_1"]
    await notes.database.command("collMod", "notes_v2_1", validator={"title": {"$ne": "refused"}})
    return database


@pytest.mark.parametrize("kind", ["inserts", "replaces"])
async def test_the_store_raises(samples: Samples, refusing: Any, kind: str):
    store = FoldStore(refusing, "notes_v2_1")
    await store.write(Writes(inserts=[samples.document(samples.created(samples.other))]))
    if kind == "replaces":
        await store.write(Writes(inserts=[samples.document(samples.created())]))
    bad = samples.document(samples.created(), samples.updated()) | {"title": "refused"}
    there = samples.document(samples.created(samples.other), samples.updated(samples.other))

    with pytest.raises(DocumentRefused):
        await store.write(
            Writes(inserts=[there], **{kind: [bad]}) if kind == "replaces" else Writes(inserts=[there, bad])
        )


async def test_the_record_behind_it_is_a_dead_letter_and_the_batch_goes_on(samples: Samples, refusing: Any):
    dead_letters = DeadLetters(refusing)
    fold = FoldReadModel("notes", evolve, FoldStore(refusing, "notes_v2_1"), dead_letters, lambda: samples.start)
    project = ProjectEvents([fold], dead_letters, lambda: samples.start)
    ids = [samples.id(f"{number}") for number in range(9)]
    messages = [samples.created(note, title="refused" if number == 4 else "fine") for number, note in enumerate(ids)]
    records = [samples.record(message, offset) for offset, message in enumerate(messages)]

    counts = await Isolate(project, dead_letters, lambda: samples.start)(records)

    assert counts.dead_lettered == 1
    stored = {document["_id"] async for document in refusing["notes_v2_1"].find({}, {"_id": 1})}
    assert stored == {note for number, note in enumerate(ids) if number != 4}
    dead_letter = await dead_letters.claim(samples.start)
    assert dead_letter is not None
    assert (dead_letter.record.offset, dead_letter.code) == (4, Code.INTERNAL)
