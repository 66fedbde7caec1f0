"""No reader sees a note get older: after a switch, and while two releases serve."""

import asyncio

from query_support.fixtures import Database, Samples

from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.waiters import Waiters
from notes_query.reads.get_body import GetBody
from notes_query.reads.get_note import GetNote
from notes_query.reads.served import NoteReader
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.builds import Build
from tests.harness.waiting import eventually


async def test_after_a_switch_a_reader_gets_the_newer_of_both_documents_for_a_moment(
    samples: Samples, database: Database
):
    """What is served now may be a moment behind what was served before: nobody sees a note get older."""
    served = ActiveBuilds()
    builds = [Build(number, "notes", {"notes": 2}, f"g{number}", "complete", {}, samples.start) for number in (1, 2)]
    assert [served.follow({"notes": build}) for build in (*builds, builds[1])] == [True, True, False]
    reader = NoteReader(database, served)
    old = samples.document(samples.created(title="of the old one"), samples.updated(body="v2"))
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=[old]))
    for new, version, title in (
        (None, 2, "of the old one"),
        (samples.document(samples.created(title="of the new one")), 2, "of the old one"),
        (samples.document(samples.created(title="of the new one"), samples.updated(body="v2")), 2, "of the new one"),
    ):
        if new is not None:
            await database["notes_v2_2"].replace_one({"_id": samples.note}, new, upsert=True)
        for found in (await reader.view(samples.note), await reader.view(samples.note, waited=True)):
            assert found is not None
            assert (found["version"], found["title"]) == (version, title)
        body = await reader.body(samples.note)
        assert body is not None
        assert body["body"] == "v2"

    assert served.before("notes") == "notes_v2_1"
    served._before["notes"] = ("notes_v2_1", 0.0)  # later
    assert served.before("notes") is None


async def test_a_note_that_another_release_shows_newer_is_waited_for(samples: Samples, database: Database):
    """Its readers may ask this instance next: they do not see the note get older."""
    served, waiters = ActiveBuilds(), Waiters()
    mine, other = (
        Build(number, "notes", {"notes": 2}, f"g{number}", "complete", {}, samples.start) for number in (1, 2)
    )
    served.follow({"notes": mine}, {"notes": [other.collection("notes")]})
    reader = NoteReader(database, served)
    get_note, get_body = GetNote(reader, waiters), GetBody(reader, waiters)
    first, second = samples.document(samples.created()), samples.document(samples.created(), samples.updated())
    await FoldStore(database, "notes_v2_1").write(Writes(inserts=[first]))
    await FoldStore(database, "notes_v2_2").write(Writes(inserts=[second]))

    ways = {
        "a note": lambda: get_note(samples.note),
        "after what a command did": lambda: get_note(samples.note, reached=True),
        "at a version": lambda: get_note(samples.note, 1, 0),
        "at a version that does not come": lambda: get_note(samples.note, 9, 0),
        "a body": lambda: get_body(samples.note),
        "a body after what a command did": lambda: get_body(samples.note, reached=True),
    }
    reading = {way: asyncio.create_task(ask()) for way, ask in ways.items()}
    await eventually(lambda: sum(map(len, waiters._waiting.values())) >= len(ways))
    await database["notes_v2_1"].replace_one({"_id": samples.note}, second)
    waiters.wake(samples.note, 2)
    found = {way: (await answer).note["version"] for way, answer in reading.items()}
    assert found == dict.fromkeys(ways, 2)
    assert (await get_note(samples.other)).note is None
