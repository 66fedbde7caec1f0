"""The body and the history of one note."""

from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_query.projections.history import entry
from notes_query.reads.get_body import BodyView
from notes_query.reads.read_history import HistoryPage


@pytest.fixture
async def known(samples: Samples, side: Side, history: Any) -> None:
    messages = [samples.created(), *(samples.updated(version=version) for version in range(2, 6))]
    await side.given(map(samples.record, messages))
    await history.add([entry(samples.event(message)) for message in messages])
    await history.add([entry(samples.event(samples.created(samples.other)))])


async def test_a_body_is_whole(samples: Samples, known: None, client: httpx.AsyncClient):
    answer = await client.get(f"/notes/{samples.note.upper()}/body")

    assert answer.json() == {"id": samples.note, "version": 5, "body": "body 5"}
    BodyView.model_validate_json(answer.content)
    assert "consistency" not in answer.headers


async def test_a_history_is_paged_by_version(samples: Samples, known: None, client: httpx.AsyncClient):
    pages = []
    after: int | None = 0
    while after is not None:
        answer = await client.get(f"/notes/{samples.note}/history?limit=2&after_version={after}")
        HistoryPage.model_validate_json(answer.content)
        pages.append([item["version"] for item in answer.json()["items"]])
        after = answer.json()["next_after_version"]

    assert pages == [[1, 2], [3, 4], [5]]
    first = (await client.get(f"/notes/{samples.note}/history")).json()["items"][0]
    assert first == {
        "version": 1,
        "type": "notes.event.note-created.v1",
        "occurred_at": "2026-01-02T03:04:05.679Z",
        "command_id": samples.id("cause"),
        "actor": None,
    }


async def test_a_history_ends_at_the_version_of_the_note(
    samples: Samples, side: Side, history: Any, known: None, client: httpx.AsyncClient
):
    """What comes behind a missing version, or behind a fork, is not what the note shows."""
    behind = [samples.updated(version=7), samples.updated(version=8)]
    await side.given(map(samples.record, behind))
    await history.add([entry(samples.event(message)) for message in behind])

    async def shown(query: str) -> tuple[list[int], Any]:
        page = (await client.get(f"/notes/{samples.note}/history{query}")).json()
        return [item["version"] for item in page["items"]], page["next_after_version"]

    assert await shown("") == ([1, 2, 3, 4, 5], None)
    assert await shown("?limit=5") == ([1, 2, 3, 4, 5], None)
    assert await shown("?after_version=5") == ([], None)
    await side.given([samples.record(samples.updated(version=6))])
    assert await shown("?after_version=4&limit=2") == ([5, 7], 7)


@pytest.mark.parametrize("part", ["body", "history"])
async def test_a_deleted_note_is_gone_and_an_unknown_one_is_not_found(
    samples: Samples, side: Side, known: None, client: httpx.AsyncClient, part: str
):
    for status, code in (("deleted", 410), ("archived", 200), ("unknown", 404)):
        side.notes.documents[samples.note]["status"] = status
        assert (await client.get(f"/notes/{samples.note}/{part}")).status_code == code
    answer = await client.get(f"/notes/{samples.other}/{part}")
    assert (answer.status_code, answer.json()["code"]) == (404, "note_not_found")


@pytest.mark.parametrize("part", ["body", "history"])
async def test_a_missing_version_is_told(
    samples: Samples, side: Side, known: None, client: httpx.AsyncClient, part: str
):
    await side.given(
        [samples.record(samples.updated(version=9)), samples.record(samples.updated(samples.other, version=2))]
    )

    for note, status in ((samples.note, 200), (samples.other, 404)):
        answer = await client.get(f"/notes/{note}/{part}")
        assert (answer.status_code, answer.headers["consistency"]) == (status, "parked")
