"""`after=<command id>`: a query waits until what the command did is in what it reads."""

import asyncio
from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Side
from query_support.memory_history import MemoryHistory

from notes_chassis.http.body import Places
from notes_query.projecting.record_outcomes import document_of
from notes_query.projections.history import entry
from tests.harness.waiting import eventually

PATHS = ("/notes", "/notes/search?q=body", "/tags", "/notes/{note}", "/notes/{note}/body", "/notes/{note}/history")


def path_of(path: str, samples: Samples, wait: float, name: str = "command") -> str:
    path = path.format(note=samples.note)
    return f"{path}{'&' if '?' in path else '?'}after={samples.id(name)}&wait={wait}"


async def anybody(waiters: Any) -> None:
    """Return once somebody waits."""
    await eventually(lambda: waiters)


@pytest.mark.parametrize("path", PATHS)
async def test_each_query_waits_for_the_outcome_and_then_for_the_version(
    samples: Samples, side: Side, history: MemoryHistory, client: httpx.AsyncClient, path: str
):
    asked = asyncio.create_task(client.get(path_of(path, samples, 9)))
    await anybody(side.outcome_waiters)
    await side.outcomes.add([document_of(samples.outcome(version=2))])
    side.outcome_waiters.wake(samples.id("command"))
    await anybody(side.waiters)
    history.documents[f"{samples.note}:2"] = entry(samples.event(samples.updated()))
    await side.given([samples.record(samples.created())])
    await asyncio.sleep(0)
    assert not asked.done()
    await side.given([samples.record(samples.updated())])

    answer = await asked

    assert (answer.status_code, answer.headers["consistency"]) == (200, "current")
    assert not side.waiters
    assert not side.outcome_waiters


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_rejected_command_did_is_there_at_once_and_an_unknown_one_is_waited_for(
    samples: Samples, side: Side, client: httpx.AsyncClient, path: str
):
    await side.given([samples.record(samples.created())])
    error = {"code": "note_archived", "message": "no"}
    for status in ("rejected", "failed"):
        outcome = samples.outcome(status, status=status, version=None, error=error)
        await side.outcomes.add([document_of(outcome)])
        async with asyncio.timeout(2):
            answer = await client.get(path_of(path, samples, 10, status))
        assert (answer.status_code, answer.headers["consistency"]) == (200, "current")

    answer = await client.get(path_of(path, samples, 0.01, "unknown"))
    assert (answer.status_code, answer.headers["consistency"]) == (200, "stale")
    assert "consistency" not in (await client.get(path_of(path, samples, 0.01).partition("after=")[0])).headers


async def test_a_version_that_is_there_already_is_not_waited_for(
    samples: Samples, side: Side, client: httpx.AsyncClient
):
    await side.given([samples.record(samples.created()), samples.record(samples.updated())])
    await side.outcomes.add([document_of(samples.outcome(version=2))])

    async with asyncio.timeout(2):
        answer = await client.get(path_of("/notes", samples, 10))

    assert answer.headers["consistency"] == "current"


async def test_a_version_that_does_not_come_is_stale_everywhere(
    samples: Samples, side: Side, client: httpx.AsyncClient
):
    await side.outcomes.add([document_of(samples.outcome(version=1))])

    told = {}
    for path in PATHS:
        answer = await client.get(path_of(path, samples, 0.01))
        told[path] = (answer.status_code, answer.headers["consistency"])

    assert told == {path: (404 if "{note}" in path else 200, "stale") for path in PATHS}


async def test_the_history_waits_for_the_entry_itself(
    samples: Samples, side: Side, history: MemoryHistory, client: httpx.AsyncClient
):
    await side.given([samples.record(samples.created())])
    await side.outcomes.add([document_of(samples.outcome(version=1))])
    path = path_of("/notes/{note}/history", samples, 0.01)

    assert (await client.get(path)).headers["consistency"] == "stale"
    history.documents[f"{samples.note}:1"] = entry(samples.event(samples.created()))
    assert (await client.get(path)).headers["consistency"] == "current"


async def test_a_command_that_deleted_its_note_is_reached(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])
    side.notes.documents[samples.note] |= {"status": "deleted", "version": 2}
    await side.outcomes.add([document_of(samples.outcome(version=2))])

    for path, status in (("/notes/{note}", 410), ("/notes/{note}/body", 410), ("/tags", 200)):
        answer = await client.get(path_of(path, samples, 5))
        assert (answer.status_code, answer.headers["consistency"]) == (status, "current")


async def test_both_a_command_and_a_version_are_waited_for(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])
    await side.outcomes.add([document_of(samples.outcome(version=1))])
    path = path_of("/notes/{note}", samples, 0.01)

    assert (await client.get(path)).headers["consistency"] == "current"
    assert (await client.get(f"{path}&min_version=2")).headers["consistency"] == "stale"
    unknown = path_of("/notes/{note}", samples, 0.01, "unknown")
    assert (await client.get(f"{unknown}&min_version=1")).headers["consistency"] == "stale"


async def test_a_note_with_a_missing_version_says_so_first(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(version=3))])
    await side.outcomes.add([document_of(samples.outcome(version=3))])

    for path in ("/notes/{note}", "/notes/{note}/body"):
        assert (await client.get(path_of(path, samples, 0.01))).headers["consistency"] == "parked"


@pytest.mark.parametrize("path", PATHS)
async def test_what_is_no_command_id_is_invalid(samples: Samples, client: httpx.AsyncClient, path: str):
    for text in ("x", "", samples.note.replace("-", ""), "{" + samples.note + "}"):
        answer = await client.get(
            path.format(note=samples.note), params={"after": text, "q": "body"} if "?" in path else {"after": text}
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert [error["field"] for error in answer.json()["errors"]] == ["after"]
    for wait in ("-1", "nan", "x", "inf", "1e999", "1_0", "%201"):
        answer = await client.get(path_of(path, samples, 0).replace("wait=0", f"wait={wait}"))
        assert [error["field"] for error in answer.json()["errors"]] == ["wait"]


async def test_an_id_is_read_in_any_case(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])
    await side.outcomes.add([document_of(samples.outcome(version=1))])

    answer = await client.get(f"/notes?after={samples.id('command').upper()}&wait=0")

    assert answer.headers["consistency"] == "current"


@pytest.mark.parametrize("path", PATHS)
async def test_only_so_many_wait(samples: Samples, client: httpx.AsyncClient, places: Places, path: str):
    places.most = 0
    answer = await client.get(path_of(path, samples, 1))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    # Who does not wait needs no place.
    assert (await client.get(path_of(path, samples, 0))).headers["consistency"] == "stale"
