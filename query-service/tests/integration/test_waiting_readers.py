"""Readers who wait until something is stored here."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from query_support.commands_sent import counted
from query_support.fixtures import Samples

from notes_query.composition.projector import parts_of
from notes_query.composition.shared import Shared
from notes_query.mongo.database import Database
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projections import READ_MODELS
from notes_query.reads.get_note import GetNote
from notes_query.reads.served import NoteReader
from notes_query.rebuilding.builds import Build
from notes_query.settings import Settings
from tests.harness.waiting import eventually


def clock() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


async def test_who_waits_is_given_what_was_stored_without_another_question(
    samples: Samples, kept_database: Any, database: Database
):
    """But for a moment after a switch: the build before may be further."""
    assert database, "it has its indexes"
    with counted() as commands:
        shared, sent = Shared(Settings(mongo=kept_database.url), READ_MODELS), commands.sent
    builds = [Build(number, "notes", {"notes": 2}, f"g{number}", "complete", {}, clock()) for number in (1, 2)]
    waiters = shared.waiters["notes"]
    get_note = GetNote(NoteReader(shared.database, shared.served), waiters)
    begun = list[str]()
    waiters._begins = begun.append

    async def asked_while_stored(build: Build, *versions: int) -> list[int]:
        """Return what readers of these versions find, who ask before the events of a new note are projected."""
        shared.served.follow({"notes": build})
        note, project = samples.id(f"{versions}"), ProjectEvents(parts_of(shared, build), shared.dead_letters, clock)
        asked = [asyncio.create_task(get_note(note, version, 10)) for version in versions]
        await eventually(lambda: begun.count(note) >= len(asked))
        sent.clear()
        await project([samples.record(one) for one in (samples.created(note), samples.updated(note))])
        return [found.note["version"] for found in await asyncio.gather(*asked) if found.note is not None]

    assert await asked_while_stored(builds[0], 1, 2) == [2, 2]
    assert sent["find", "notes_v2_1"] == 0
    assert await asked_while_stored(builds[1], 2) == [2]
    assert (sent["find", "notes_v2_1"], sent["find", "notes_v2_2"]) == (1, 1)
    await shared.database.close()
