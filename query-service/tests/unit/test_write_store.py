"""What is made of command-service's answers."""

import asyncio
from contextlib import suppress
from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples
from structlog.testing import capture_logs

from notes_query.errors import WriteStoreUnavailable
from notes_query.reads.write_store import WriteStore

TIMES = {"created_at": "2026-01-02T03:04:05.679Z", "updated_at": "2026-01-02T03:04:05.680Z"}


def store(answer: Any, timeout_s: float = 1.0) -> WriteStore:
    client = httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://command/")
    return WriteStore(client, timeout_s)


def note(samples: Samples, **changes: Any) -> dict[str, Any]:
    content = {"title": "A title", "body": "word " * 30, "tags": ["one", "two"], "author": "someone"}
    return {"id": samples.note, **content, "status": "active", "version": 1, **TIMES} | changes


async def test_a_note_is_what_the_fold_would_have_made_of_it(samples: Samples):
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json=note(samples, version=2, extra="ignored"))

    folded = samples.document(samples.created(body=""), samples.updated(body="word " * 30))
    view = await store(answer).view(samples.note)

    assert view == {name: folded[name] for name in view}
    assert asked == [f"/notes/{samples.note}"]


async def test_unknown_and_deleted_notes(samples: Samples):
    unknown = store(lambda _: httpx.Response(404, json={"code": "note_not_found"}))
    deleted = store(lambda _: httpx.Response(410, json={"code": "note_deleted"}))

    assert await unknown.view(samples.note) is None
    assert await deleted.view(samples.note) == {"status": "deleted"}


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(503),
        lambda _: httpx.Response(404, text="no such page of this proxy"),
        lambda _: httpx.Response(404, json=["odd"]),
        lambda _: httpx.Response(302, headers={"location": "/elsewhere"}),
        lambda _: httpx.Response(200, text="<html>"),
        lambda _: httpx.Response(200, json={"id": 1}),
    ],
)
async def test_any_other_answer_is_none(samples: Samples, answer: Any):
    with pytest.raises(WriteStoreUnavailable):
        await store(answer).view(samples.note)


async def test_no_answer_is_waited_for_no_longer_than_said(samples: Samples):
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    def refused(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    for answer in (never, refused):
        async with asyncio.timeout(5):
            with pytest.raises(WriteStoreUnavailable):
                await store(answer, timeout_s=0.01).view(samples.note)


async def test_what_the_other_side_has_sent_is_not_told(samples: Samples):
    def odd(_: httpx.Request) -> httpx.Response:
        raise httpx.RemoteProtocolError("illegal header line: bytearray(b'X-Secret: MARKER')")

    with pytest.raises(WriteStoreUnavailable, match=r"^command-service: RemoteProtocolError$"):
        await store(odd).view(samples.note)


async def test_a_fault_of_the_caller_says_nothing_of_how_the_store_is(samples: Samples):
    answers = iter([401, 403, 429, 503, 401, 503, 200, 429])
    one = store(lambda _: httpx.Response(next(answers), json=note(samples)))
    said = []
    with capture_logs() as logged:
        for _ in range(8):
            with suppress(WriteStoreUnavailable):
                await one.view(samples.note)
            said.append(len(logged))
    assert said == [0, 0, 0, 1, 1, 1, 2, 2]
