"""`after=<command id>` over two instances, projectors apart and killed: what is answered `current` holds it."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import NoteArchived, NoteDeleted, NoteRenamed, format_time
from tests.harness.waiting import eventually

LISTS = ("/notes?tag=kitchen", "/notes/search?q=bread", "/tags")


@pytest.fixture
def write(settings: Settings, samples: Samples, send: Send) -> Any:
    """Give what writes an event and its command's outcome, as command-service does."""

    async def write(message: Any, name: str) -> str:
        await send(settings.topic_events, samples.record(message))
        outcome = samples.outcome(name, note_id=message.note_id, version=message.version)
        await send(settings.topic_outcomes, samples.record(outcome))
        return str(outcome.command_id)

    return write


async def shown(client: Any, path: str, command: str, wait: float = 10) -> tuple[int, str, Any]:
    """Return the status, what `Consistency` says, and the answer."""
    answer = await client.get(f"{path}{'&' if urlsplit(path).query else '?'}after={command}&wait={wait}")
    return answer.status_code, answer.headers["consistency"], answer.json()


def has(path: str, body: Any, note: str) -> bool:
    if path == "/tags":
        return {"tag": "kitchen", "count": 1} in body["items"]
    return note in [item["id"] for item in body["items"]]


async def serving(client: Any) -> bool:
    return (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize("only", [(None, None), ("projector", "api")], ids=["two instances", "apart"])
async def test_what_was_just_written_is_in_every_query_of_any_instance(
    *, samples: Samples, settings: Settings, running: Running, write: Any, only: Any
):
    async with running(settings, only[0]) as one, running(settings, only[1]) as two:
        readers = (two,) if only[1] else (one, two)
        for client in readers:
            await eventually(lambda client=client: serving(client))
        for number in range(6):  # on several partitions, so that either instance projects some of them
            note = samples.id(f"note {number}")
            message = samples.created(note, title=f"Bread {number}", tags=("kitchen",))
            asked = [
                asyncio.create_task(shown(client, path, samples.id(f"create {number}")))
                for client in readers
                for path in (*LISTS, f"/notes/{note}", f"/notes/{note}/body", f"/notes/{note}/history")
            ]
            await write(message, f"create {number}")
            for path, asking in zip([*LISTS, "view", "body", "history"] * len(readers), asked, strict=True):
                status, consistency, body = await asking
                assert (status, consistency) == (200, "current"), path
                if path.startswith("/notes"):
                    assert has(path, body, note), path
                elif path == "/tags":
                    assert body["items"] == [{"tag": "kitchen", "count": 1}]
                elif path == "history":
                    assert [item["version"] for item in body["items"]] == [1]

            archived = NoteArchived(note_id=note, version=2, occurred_at=format_time(samples.at(2)))
            command = await write(archived, f"archive {number}")
            for client in readers:
                assert (await shown(client, "/tags", command))[1:] == ("current", {"items": []})
                assert not has(LISTS[0], (await shown(client, LISTS[0], command))[2], note)
                status, _, body = await shown(client, f"/notes/{note}/history", command)
                assert [item["version"] for item in body["items"]] == [1, 2]


async def test_projectors_that_are_killed_in_between_are_waited_for(
    *, samples: Samples, settings: Settings, running: Running, write: Any
):
    async with running(settings, "api") as reader:
        async with running(settings, "projector"):
            await eventually(lambda: serving(reader))
            first = await write(samples.created(tags=("kitchen",), title="Bread"), "first")
            assert (await shown(reader, LISTS[0], first))[1] == "current"
        renamed = NoteRenamed(
            note_id=samples.note, version=2, occurred_at=format_time(samples.at(2)), title="Rye bread"
        )
        second = await write(renamed, "second")  # while nobody projects
        for path in (*LISTS, f"/notes/{samples.note}", f"/notes/{samples.note}/history"):
            status, consistency, _ = await shown(reader, path, second, 0.05)
            assert (status, consistency) == (200, "stale"), path
        asked = [
            asyncio.create_task(shown(reader, path, second))
            for path in (*LISTS, "/notes/search?q=rye", f"/notes/{samples.note}/history")
        ]
        async with running(settings, "projector"):
            answers = [await asking for asking in asked]
    assert {answer[1] for answer in answers} == {"current"}
    assert answers[0][2]["items"][0]["title"] == "Rye bread"
    assert has("search", answers[3][2], samples.note)
    assert [item["version"] for item in answers[4][2]["items"]] == [1, 2]


@pytest.mark.parametrize("only", [(None, None), ("projector", "api")], ids=["two instances", "apart"])
async def test_a_version_that_a_snapshot_has_jumped_over_is_reached(
    *, samples: Samples, settings: Settings, running: Running, send: Send, only: Any
):
    """Its entry never comes: what the command did is in what the history shows of the note all the same."""
    async with running(settings, only[0]) as one, running(settings, only[1]) as two:
        for client in (two,) if only[1] else (one, two):
            await eventually(lambda client=client: serving(client))
        for number in range(3):
            note = samples.id(f"note {number}")
            await send(settings.topic_events, samples.record(samples.created(note)))
            outcome = samples.outcome(f"update {number}", note_id=note, version=2)
            await send(settings.topic_outcomes, samples.record(outcome))
            path = f"/notes/{note}/history"
            assert (await shown(two, path, outcome.command_id, 0.05))[1] == "stale"
            asked = asyncio.create_task(shown(two, path, outcome.command_id))
            await send(settings.topic_events, samples.record(samples.snapshotted(note, version=3)))
            async with asyncio.timeout(8):  # it waits for 10
                status, consistency, body = await asked
            assert (status, consistency, [item["version"] for item in body["items"]]) == (200, "current", [1, 3])


async def test_what_needs_no_wait_has_none(
    *, samples: Samples, settings: Settings, running: Running, send: Send, write: Any
):
    error = {"code": "note_archived", "message": "no"}
    async with running(settings) as client:
        await eventually(lambda: serving(client))
        command = await write(samples.created(tags=("kitchen",), title="Bread"), "create")
        paths = (*LISTS, f"/notes/{samples.note}", f"/notes/{samples.note}/body", f"/notes/{samples.note}/history")
        for path in paths:
            assert (await shown(client, path, command))[1] == "current"
        # Nothing would change: accepted at the version that is there. And one that was refused.
        await send(settings.topic_outcomes, samples.record(samples.outcome("no-op", version=1)))
        rejected = samples.outcome("rejected", status="rejected", version=None, error=error)
        await send(settings.topic_outcomes, samples.record(rejected))
        await client.get(f"/commands/{samples.id('rejected')}?wait=10")
        await client.get(f"/commands/{samples.id('no-op')}?wait=10")
        for name in ("no-op", "rejected"):
            for path in paths:
                async with asyncio.timeout(5):
                    assert (await shown(client, path, samples.id(name)))[:2] == (200, "current"), (name, path)
        for path in paths:
            assert (await shown(client, path, samples.id("unknown"), 0.05))[:2] == (200, "stale"), path

        deleted = NoteDeleted(note_id=samples.note, version=2, occurred_at=format_time(samples.at(2)))
        command = await write(deleted, "delete")
        for path in paths:
            status, consistency, body = await shown(client, path, command)
            assert consistency == "current"
            assert status == (410 if samples.note in path else 200)
            assert status == 410 or body["items"] == []
