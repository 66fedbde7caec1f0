"""Killed with SIGKILL at every seam of the projector and of a switch, started again, checked from outside."""

import os
import signal
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import partition_of
from notes_query.composition.shared import Shared
from notes_query.projections.read_model import parked_of
from tests.harness.dead_members import remove_members
from tests.harness.programs import until_ended
from tests.harness.waiting import eventually

P, B = "notes_query.projecting", "notes_query.rebuilding"
DEAD_LETTERS = "notes_query.repairing.dead_letter_store:DeadLetters"
COMMIT = "notes_chassis.kafka.commits:OffsetCommitter.commit"
# The place, when, and which call of it.
SEAMS = {
    "batch read, nothing done": (f"{P}.project_events:ProjectEvents.__call__", "before", 1),
    "dead letter not stored": (f"{DEAD_LETTERS}.add", "before", 1),
    "dead letter stored, the batch not": (f"{DEAD_LETTERS}.add", "after", 1),
    "waiting event not stored": (f"{P}.fold_store:FoldStore._park", "before", 2),
    "waiting event stored, documents not": (f"{P}.fold_store:FoldStore._store", "before", 2),
    "documents stored, waiting event still there": (f"{P}.fold_store:FoldStore._unpark", "before", 5),
    "one read model stored, the next not": (f"{P}.enter_read_model:EntryStore.add", "before", 2),
    "all read models stored, offsets not committed": (COMMIT, "before", 3),
    "offsets committed": (COMMIT, "after", 3),
    "dead letter sent, not marked": (f"{DEAD_LETTERS}.sent", "before", 1),
    "build not begun": (f"{B}.build_store:BuildStore.add", "before", 1),
    "one projector's build begun, the other not": (f"{B}.build_store:BuildStore.add", "after", 1),
    "build begun, not prepared": (f"{B}.build_store:BuildStore.advance", "before", 1),
    "build built, not complete": (f"{B}.build_store:BuildStore.advance", "before", 3),
    "build complete, not served": (f"{B}.build_store:BuildStore.point", "before", 1),
    "build served": (f"{B}.build_store:BuildStore.point", "after", 1),
}
SWITCH_SEAMS = {
    "build begun, nothing built": ((f"{B}.build_store:BuildStore.add", "after", 1), 1),
    "built, not compared": ((f"{B}.stored_documents:StoredDocuments.behind", "before", 1), 1),
    "compared, active builds not moved": ((f"{B}.build_store:BuildStore.move", "before", 1), 1),
    "active builds moved, instances not awaited": ((f"{B}.build_store:BuildStore.move", "after", 1), 3),
}
NOTES = 6


def environment(settings: Settings) -> dict[str, str]:
    given = {name: value for name, value in settings.model_dump().items() if value is not None and value != ()}
    names = {f"NOTES_{name.upper()}": str(value) for name, value in given.items()}
    return {**os.environ, **names, "NOTES_QUERY_PORT": "0"}


async def killed_there(settings: Settings, seam: tuple[str, str, int], *command: str) -> None:
    place, when, nth = seam
    words = ("tests.harness.crash", "notes_query", place, when, str(nth), *command)
    done = await until_ended(*words, environment=environment(settings))
    assert done.code == -signal.SIGKILL, f"the seam was never reached: {done}"


@pytest.fixture
def notes(samples: Samples) -> list[str]:
    return [samples.id(f"note {number}") for number in range(NOTES)]


@pytest.fixture
async def sent(samples: Samples, settings: Settings, send: Send, notes: list[str]) -> None:
    """Send events of which some come too early, one twice, and one that nobody can read."""
    bad = samples.raw(b"{", key=notes[0].encode())
    own = partition_of(notes[0].encode(), 12)
    await send(settings.topic_events, bad, partition=own)
    for note in notes:
        first = samples.record(samples.created(note))
        await send(settings.topic_events, first, samples.record(samples.updated(note, 3)), first)
    for note in notes:
        await send(settings.topic_events, samples.record(samples.updated(note, 2)))


async def settled(client: Any, operator: Shared, notes: list[str], verified: Any) -> None:
    """Every document is what the events say, nothing waits, and the bad record is a dead letter that was sent, once."""

    async def there() -> bool:
        for note in notes:
            answer = await client.get(f"/notes/{note}?min_version=3&wait=5")
            if answer.status_code != 200 or answer.headers["consistency"] != "current":
                return False
        dead_letters = await operator.database["dead_letters"].find({}).to_list(None)
        return [dead_letter["sent_at"] is not None for dead_letter in dead_letters] == [True]

    await eventually(there, within_s=60)

    async def all_as_the_events_say() -> bool:
        reports = await verified()
        held = {read_model: (report.documents, report.differences) for read_model, report in reports.items()}
        return held == {"notes": (NOTES, []), "search": (NOTES, []), "history": (3 * NOTES, [])}

    await eventually(all_as_the_events_say, within_s=60)
    for build in await operator.builds.all():
        for name in build.versions:
            assert await operator.database[parked_of(build.collection(name))].count_documents({}) == 0


@pytest.mark.parametrize("seam", SEAMS)
async def test_killed_at_a_seam_every_document_is_what_the_events_say(
    *,
    seam: str,
    samples: Samples,
    settings: Settings,
    running: Running,
    sent: None,
    operator: Shared,
    notes: list[str],
    verified: Any,
):
    await killed_there(settings.model_copy(update={"query_batch": 1, "kafka_session_ms": 6000}), SEAMS[seam])
    await remove_members(settings.kafka, settings.query_group)
    # What a dead relay has claimed is left to it for a minute.
    await operator.database["dead_letters"].update_many({}, {"$set": {"claimed_until": samples.start}})

    async with running(settings) as client:
        await settled(client, operator, notes, verified)


@pytest.mark.parametrize("seam", SWITCH_SEAMS)
async def test_a_switch_killed_at_a_seam_is_done_or_undone_and_can_be_repeated(
    *, seam: str, settings: Settings, running: Running, sent: None, operator: Shared, notes: list[str], verified: Any
):
    where, served = SWITCH_SEAMS[seam]
    async with running(settings) as client:
        await settled(client, operator, notes, verified)
        await killed_there(settings, where, "rebuild", "notes")
        assert (await operator.builds.active_builds())["notes"].build == served
        await settled(client, operator, notes, verified)
        if served == 1:
            command = ("notes_query", "rebuild", "notes", "--timeout", "60")
            assert (await until_ended(*command, environment=environment(settings))).code == 0
        assert (await operator.builds.active_builds())["notes"].build == 3
        await settled(client, operator, notes, verified)
