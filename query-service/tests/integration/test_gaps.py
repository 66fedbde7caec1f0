"""A version that is missing is noticed, shown, and healed, on real servers."""

import json
import re
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, SendMany, Settings

from notes_contracts import NoteSnapshotted, format_time
from notes_query.projecting.fold_batch import MAX_WAITING
from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")


def figure(text: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def snapshot(samples: Samples, version: int) -> Any:
    times = {name: format_time(samples.at(1)) for name in ("created_at", "updated_at")}
    message = NoteSnapshotted(
        note_id=samples.note,
        version=version,
        occurred_at=format_time(samples.at(version)),
        title="Snapshot",
        body="whole",
        tags=(),
        author=None,
        status="active",
        **times,
    )
    return samples.record(message, name="snapshot")


async def consistency(client: Any, note: str) -> tuple[int, str | None]:
    answer = await client.get(f"/notes/{note}")
    return answer.status_code, answer.headers.get("consistency")


async def test_a_last_version_that_does_not_come_shows_everywhere_and_goes_when_it_comes(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_line: Any
):
    impatient = settings.model_copy(update={"query_missing_after_s": 1.0})
    async with running(impatient) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        announced = (samples.outcome("1", version=1), samples.outcome("2", version=2))
        await send(settings.topic_outcomes, *map(samples.record, announced))
        unknown = samples.outcome("3", version=1, note_id=samples.other)
        await send(settings.topic_outcomes, samples.record(unknown))

        async def both_shown() -> bool:
            shown = [await consistency(client, note) for note in (samples.note, samples.other)]
            return shown == [(200, "parked"), (404, "parked")]

        await eventually(both_shown)

        async def counted() -> bool:
            return figure((await client.get("/metrics")).text, "notes_query_missing_versions") == 2

        await eventually(counted)
        code, output, _ = await command_line("gaps", "--json")
        gaps = {gap["note_id"]: gap for gap in json.loads(output)}
        assert code == 1
        shown = {note: (gap["version"], gap["missing"], gap["awaited"]) for note, gap in gaps.items()}
        assert shown == {samples.note: (1, 2, 2), samples.other: (0, 1, 1)}

        await send(settings.topic_events, samples.record(samples.updated()))
        await send(settings.topic_events, samples.record(samples.created(samples.other)))
        await eventually(lambda: healed(client, samples))

        async def none() -> bool:
            return figure((await client.get("/metrics")).text, "notes_query_missing_versions") == 0

        await eventually(none)
    code, output, _ = await command_line("gaps")
    assert (code, output.strip()) == (0, "no gaps")


async def healed(client: Any, samples: Samples) -> bool:
    return [await consistency(client, note) for note in (samples.note, samples.other)] == [(200, None), (200, None)]


async def test_a_gap_in_the_middle_is_listed_and_a_snapshot_heals_it(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_line: Any, database: Database
):
    async with running(settings) as client:
        later = [samples.record(samples.updated(version=version)) for version in (3, 5)]
        fork = samples.record(samples.updated(version=1), name="another")
        await send(settings.topic_events, samples.record(samples.created()), *later, fork)

        async def parked() -> bool:
            return await consistency(client, samples.note) == (200, "parked")

        await eventually(parked)

        async def forked() -> bool:
            return await database["notes_v2_1_parked"].count_documents({}) == 3

        await eventually(forked)
        _, output, _ = await command_line("gaps", "--json", "--note", samples.note)
        (gap,) = json.loads(output)
        assert (gap["version"], gap["missing"], gap["waiting"], gap["forks"]) == (1, 2, 2, 1)
        await send(settings.topic_events, snapshot(samples, 4))
        answer = await client.get(f"/notes/{samples.note}?min_version=5&wait=10")

        async def found_too() -> bool:
            return await database["search_v2_2"].count_documents({"version": 5}) == 1

        await eventually(found_too)

    assert (answer.headers["consistency"], answer.json()["title"]) == ("current", "Snapshot")
    _, output, _ = await command_line("gaps", "--json")
    (gap,) = json.loads(output)  # the fork stays for a person to look at; nothing is missing
    assert (gap["missing"], gap["waiting"], gap["forks"]) == (None, 0, 1)


async def test_beyond_a_thousand_waiting_events_a_snapshot_heals(
    *, samples: Samples, settings: Settings, running: Running, send_many: SendMany, database: Database
):
    last = MAX_WAITING + 60
    late = [samples.record(samples.updated(version=version)) for version in range(3, last + 1)]
    async with running(settings) as client:
        await send_many(settings.topic_events, [samples.record(samples.created()), *late])
        parked = database["notes_v2_1_parked"]

        async def all_read() -> bool:
            return await parked.find_one({"version": last}) is not None

        await eventually(all_read)

        async def only_so_many() -> bool:  # the one that gives its place to a later one goes after that has come
            return bool(await parked.count_documents({"kind": "gap"}) == MAX_WAITING)

        await eventually(only_so_many)
        assert await consistency(client, samples.note) == (200, "parked")

        await send_many(settings.topic_events, [samples.record(samples.updated())])
        answer = await client.get(f"/notes/{samples.note}?min_version=1001&wait=10")
        assert 1000 < answer.json()["version"] < last
        assert answer.headers["consistency"] == "parked"  # what did not fit is missing now

        await send_many(settings.topic_events, [snapshot(samples, last)])
        answer = await client.get(f"/notes/{samples.note}?min_version={last}&wait=10")
        assert (answer.headers["consistency"], answer.json()["version"]) == ("current", last)
        assert await parked.count_documents({"kind": "gap"}) == 0


async def test_an_unknown_type_advances_the_version_and_is_no_gap(
    samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    newer = samples.unknown(3, ce_type="notes.event.note-updated.v7")._replace(key=samples.note.encode())
    records = [samples.record(samples.created()), samples.unknown(2)._replace(key=samples.note.encode()), newer]
    async with running(settings) as client:
        await send(settings.topic_events, *records, samples.record(samples.updated(version=4)))
        answer = await client.get(f"/notes/{samples.note}?min_version=4&wait=10")

    assert (answer.headers["consistency"], answer.json()["version"]) == ("current", 4)
    assert await database["notes_v2_1_parked"].count_documents({}) == 0
