"""Documents that are not what the events say are found, and repaired."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from math import inf
from types import MappingProxyType
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from query_support.fixtures import Database, Running, Samples, Send, Settings

from notes_contracts import NoteSnapshotted, format_time, partition_of
from notes_query.commands.verify import make_verify
from notes_query.composition.shared import Shared
from notes_query.projections import READ_MODELS
from tests.harness.waiting import eventually

NOTES = 30


@pytest.fixture
async def stored(*, samples: Samples, settings: Settings, running: Running, send: Send, database: Database) -> Any:
    """Give a service that has stored three versions of some notes in every read model."""
    notes = [samples.id(f"note {number}") for number in range(NOTES)]
    async with running(settings) as client:
        await send(settings.topic_events, *(samples.record(samples.created(note)) for note in notes))
        for version in (2, 3):
            await send(settings.topic_events, *(samples.record(samples.updated(note, version)) for note in notes))

        async def everywhere() -> bool:
            held = [
                await database[f"{read_model}"].count_documents({"version": 3})
                for read_model in ("notes_v2_1", "search_v2_2")
            ]
            return held == [NOTES, NOTES] and await database["history_v1_2"].count_documents({}) == 3 * NOTES

        await eventually(everywhere)
        yield client, notes


async def test_what_is_as_the_events_say_has_no_difference(stored: Any, verified: Any):
    reports = await verified()

    assert {name: (report.documents, report.differences) for name, report in reports.items()} == {
        "notes": (NOTES, []),
        "search": (NOTES, []),
        "history": (3 * NOTES, []),
    }


async def test_a_note_parked_for_what_an_outcome_announced_is_as_it_must_be(
    stored: Any, verified: Any, database: Database
):
    _, notes = stored
    for note in notes[:2]:
        await database["notes_v2_1"].update_one({"_id": note}, {"$set": {"parked": True}})
    await database["missing_versions"].insert_one({"_id": notes[0], "version": 4, "since": datetime.now(UTC)})

    reports = await verified()

    assert [(one.id, one.field) for one in reports["notes"].differences] == [(notes[1], "parked")]


async def test_what_was_changed_removed_or_invented_by_hand_is_found_and_repaired(
    stored: Any, verified: Any, database: Database, samples: Samples, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("notes_query.rebuilding.verify.ROUND_S", 0.01)  # nothing is written that could explain them
    _, notes = stored
    changed, removed, older, newer, invented = *notes[:4], samples.id("invented")
    collection = database["notes_v2_1"]
    whole = await collection.find_one({"_id": notes[5]})
    await collection.update_one({"_id": changed}, {"$set": {"title": "by hand", "tags": ["x"]}})
    await collection.delete_one({"_id": removed})
    await collection.update_one({"_id": older}, {"$set": {"version": 2}})
    await collection.update_one({"_id": newer}, {"$set": {"version": 99}})
    await collection.insert_one(whole | {"_id": invented})
    await database["history_v1_2"].update_one({"_id": f"{changed}:2"}, {"$set": {"type": "another"}})
    await database["history_v1_2"].delete_one({"_id": f"{changed}:3"})

    reports = await verified()

    found = {(one.id, one.field) for one in reports["notes"].differences}
    assert found == {
        (changed, "title"),
        (changed, "tags"),
        (removed, None),
        (older, "version"),
        (newer, "version"),
        (invented, None),
    }
    found = {(one.id, one.field) for one in reports["history"].differences}
    assert found == {(f"{changed}:2", "type"), (f"{changed}:3", None)}
    assert reports["search"].differences == []

    reports = await verified(repair=True)
    assert (reports["notes"].repaired, reports["history"].repaired) == (5, 2)
    reports = await verified()
    assert not any(report.differences for report in reports.values())
    assert await collection.find_one({"_id": invented}) is None


async def test_documents_that_go_on_meanwhile_are_no_differences(
    stored: Any, verified: Any, settings: Settings, send: Send, samples: Samples
):
    _, notes = stored
    version = 3

    async def write() -> None:
        nonlocal version
        while True:
            version += 1
            await send(settings.topic_events, *(samples.record(samples.updated(note, version)) for note in notes))
            await send(settings.topic_events, samples.record(samples.created(samples.id(f"later {version}"))))

    writing = asyncio.create_task(write())
    reports = await verified("notes", "history")
    writing.cancel()
    await asyncio.wait([writing])

    assert version > 4
    assert reports["notes"].differences == []
    assert reports["history"].differences == []
    assert reports["notes"].unverifiable == []


async def test_what_says_that_it_is_older_is_compared_with_all_that_was_stored(
    stored: Any, operator: Any, database: Database
):
    """Offsets are committed after the documents are stored: at the first look nothing is, then all of it."""
    _, notes = stored
    await database["notes_v2_1"].update_one({"_id": notes[0]}, {"$set": {"version": 2}})
    verify, served = make_verify(operator), await operator.builds.served()
    verify.topic = Committed(operator.topic, looks=2)
    report = await verify(READ_MODELS["notes"], served["notes"], repair=True)

    assert ([(one.id, one.field) for one in report.differences], report.repaired) == ([(notes[0], "version")], 1)
    assert (await database["notes_v2_1"].find_one({"_id": notes[0]}))["version"] == 3


@pytest.mark.parametrize("partitions", [5, 24])
async def test_documents_of_a_topic_with_any_number_of_partitions(
    *,
    servers: Any,
    settings: Settings,
    samples: Samples,
    running: Running,
    send: Send,
    database: Database,
    partitions: int,
):
    """Documents that came while verify was reading are found where they are; what nobody made is not there."""
    topic = f"{settings.topic_events}.{partitions}"
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(topic, partitions, 1)])
    notes = [samples.id(f"note {number}") for number in range(NOTES)]
    records = [samples.record(samples.created(note)) for note in notes]
    other = settings.model_copy(update={"topic_events": topic})
    shared = Shared(other, READ_MODELS)
    try:
        async with running(other):
            for record in records:  # as Kafka's clients place it, or as command-service does
                ours = partition_of(record.key, 12)
                await send(topic, record, partition=ours if ours < partitions else None)

            async def stored() -> bool:
                return bool(await database["notes_v2_1"].count_documents({}) == NOTES)

            await eventually(stored)
        whole = await database["notes_v2_1"].find_one({"_id": notes[0]})
        invented = [samples.id(f"invented {number}") for number in range(20)]
        await database["notes_v2_1"].insert_many([whole | {"_id": id_} for id_ in invented])
        (build,) = [one for one in await shared.builds.all() if one.number == 1]
        verify = make_verify(shared)
        # As if nothing had been committed when verify began: every document is one that came later.
        verify.topic = Committed(shared.topic)
        report = await verify(READ_MODELS["notes"], build, repair=False)
    finally:
        await shared.topic.close()
        await shared.database.close()
        await admin.delete_topics([topic])
        await admin.close()

    assert {(one.id, one.field) for one in report.differences} == {(id_, None) for id_ in invented}
    assert (report.documents, report.unverifiable) == (NOTES, [])


@pytest.mark.parametrize("committed", [0, 1, 2, 3])
async def test_entries_of_a_second_history_that_comes_meanwhile_are_the_first_events_of_their_versions(
    *, committed: int, stored: Any, operator: Any, settings: Settings, send: Send, samples: Samples, database: Database
):
    """An instance commits offsets up to half a second after it has stored what is before them."""
    _, notes = stored
    so_far = await operator.topic.ends()
    so_far[partition_of(notes[0].encode(), len(so_far))] += committed
    fork = samples.record(samples.updated(notes[0], 3), name="another")
    at = format_time(samples.at(4))
    times = dict.fromkeys(("created_at", "updated_at", "occurred_at"), at)
    state = NoteSnapshotted(
        note_id=notes[0], version=4, title="T", body="", tags=(), author=None, status="active", **times
    )
    snapshot = samples.record(state, name="snapshot")
    await send(settings.topic_events, fork, samples.record(samples.updated(notes[0], 4)), snapshot)

    async def healed() -> bool:
        return await database["history_v1_2"].find_one({"_id": f"{notes[0]}:4"}) is not None

    await eventually(healed)
    verify, served = make_verify(operator), await operator.builds.served()
    verify.topic = Committed(operator.topic, so_far, looks=1)
    report = await verify(READ_MODELS["history"], served["history"], repair=False)

    entry = await database["history_v1_2"].find_one({"_id": f"{notes[0]}:4"})
    assert entry["type"] == "notes.event.note-updated.v1"
    assert (report.differences, report.documents, report.stopped) == ([], 3 * NOTES + 1, [])


class Committed:
    """A topic of which nothing is committed, or so far, always or at the first looks."""

    def __init__(self, topic: Any, offsets: Mapping[int, int] = MappingProxyType({}), looks: float = inf) -> None:
        self.beginnings, self.ends, self.read = topic.beginnings, topic.ends, topic.read
        self._offsets, self._looks, self._committed = offsets, looks, topic.committed

    async def committed(self, group: str) -> Any:
        self._looks -= 1
        return self._offsets if self._looks >= 0 else await self._committed(group)


async def test_what_cannot_be_verified_is_said(
    *, stored: Any, verified: Any, settings: Settings, samples: Samples, forget: Any, database: Database
):
    _, notes = stored
    await forget(settings.topic_events, notes[0], 2)

    reports = await verified("notes")

    assert reports["notes"].differences == []
    assert notes[0] in reports["notes"].unverifiable
    assert await database["notes_v2_1"].count_documents({}) == NOTES
