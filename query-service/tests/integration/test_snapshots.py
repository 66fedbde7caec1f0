"""What a snapshot heals: documents that are gone, a topic that was truncated, a note that waits for an event."""

from typing import Any

from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.reading import reached

from notes_contracts import NoteSnapshotted, format_time
from tests.harness.truncation import truncate
from tests.harness.waiting import eventually

PARTITIONS = 12


def snapshot(samples: Samples, version: int, note: str | None = None, **changes: Any) -> NoteSnapshotted:
    fields: dict[str, Any] = {
        "title": "The title now",
        "body": f"body {version}",
        "tags": ("now",),
        "author": "someone",
        "status": "active",
        "created_at": format_time(samples.at(1)),
        "updated_at": format_time(samples.at(version)),
        "occurred_at": format_time(samples.at(version)),
    }
    return NoteSnapshotted(note_id=note or samples.note, version=version, **(fields | changes))


def snapped(samples: Samples, version: int, note: str | None = None, **changes: Any) -> Any:
    return samples.record(snapshot(samples, version, note, **changes), name=f"snapshot:{note}:{version}")


async def test_an_empty_store_and_a_truncated_topic_are_filled_by_snapshots(
    samples: Samples, settings: Settings, running: Running, send: Send
):
    await send(settings.topic_events, samples.record(samples.created()), samples.record(samples.updated(version=2)))
    await send(settings.topic_events, samples.record(samples.created(samples.other)))
    await truncate(settings.kafka, settings.topic_events, PARTITIONS)
    await send(
        settings.topic_events,
        snapped(samples, 2),
        snapped(samples, 4, samples.other, status="deleted", title="", body="", tags=(), author=None),
        samples.record(samples.updated(version=3)),
    )
    async with running(settings) as client:

        async def built() -> bool:
            return bool((await client.get("/notes")).status_code == 200)  # 503 `building` before

        await eventually(built)
        shown = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        deleted = await client.get(f"/notes/{samples.other}?min_version=4&wait=10")
        listed = await client.get("/notes")

    assert (shown.status_code, shown.headers["consistency"]) == (200, "current")
    note = shown.json()
    assert (note["title"], note["tags"], note["version"]) == ("The title now", ["now"], 3)
    assert (note["created_at"], note["updated_at"]) == (format_time(samples.at(1)), format_time(samples.at(3)))
    assert note["preview"] == "body 3"
    assert deleted.status_code == 410
    assert [item["id"] for item in listed.json()["items"]] == [samples.note]


async def test_a_parked_note_is_healed_by_a_snapshot(
    samples: Samples, settings: Settings, running: Running, send: Send
):
    missed = 3
    arrived = [samples.created(), *(samples.updated(version=each) for each in range(2, 7) if each != missed)]

    async with running(settings) as client:
        await send(settings.topic_events, *(samples.record(message) for message in arrived))

        async def parked() -> Any:
            stuck = await client.get(f"/notes/{samples.note}")
            return stuck if stuck.is_success and stuck.headers.get("consistency") == "parked" else None

        stuck = await eventually(parked)
        # Of version 4: the waiting 4 is dropped, 5 and 6 follow.
        await send(settings.topic_events, snapped(samples, 4))
        healed = await client.get(f"/notes/{samples.note}?min_version=6&wait=10")

    assert stuck.json()["version"] == 2
    assert (healed.json()["version"], healed.headers["consistency"]) == (6, "current")
    assert healed.json()["tags"] == ["now"]


async def test_a_snapshot_that_is_not_ahead_changes_nothing(
    samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    messages = [samples.created(), samples.updated(version=2), samples.updated(version=3)]
    async with running(settings) as client:
        await send(settings.topic_events, *(samples.record(message) for message in messages))
        await send(settings.topic_events, snapped(samples, 3), snapped(samples, 1))
        await send(settings.topic_events, samples.record(samples.updated(version=4)))
        await reached(client, samples.note, 4)

    wanted = samples.document(*messages, samples.updated(version=4))
    assert await database["notes_v2_1"].find_one({"_id": samples.note}) == wanted
