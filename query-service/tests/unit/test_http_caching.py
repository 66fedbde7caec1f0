"""Entity tags, caching and compression of every query."""

import gzip
from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_chassis.http.answers import GZIP_INLINE_BYTES, GZIP_MIN_BYTES, MAX_CONCURRENT_GZIPS, Answers, accepts_gzip

PATHS = ("/notes/{note}", "/notes/{note}/body", "/notes/{note}/history", "/notes", "/tags", "/notes/search?q=body")
LONG = "word " * 400


@pytest.fixture(autouse=True)
async def note(samples: Samples, side: Side) -> None:
    await side.given([samples.record(samples.created(body=LONG))])


@pytest.mark.parametrize("path", PATHS)
async def test_what_the_client_has_is_not_sent_again(samples: Samples, client: httpx.AsyncClient, path: str):
    path = path.format(note=samples.note)
    first = await client.get(path)
    etag = first.headers["etag"]
    assert first.headers["cache-control"] == "no-cache"

    for lines in (
        [etag],
        [f'"x", {etag}'],
        [f"W/{etag.removeprefix('W/')}"],
        ['"x"', f'"y" , {etag}'],
        ["*"],
    ):
        again = await client.get(path, headers=[("If-None-Match", line) for line in lines])
        assert (again.status_code, again.content, again.headers["cache-control"]) == (304, b"", "no-cache"), lines
        assert again.headers["vary"] == first.headers["vary"] == "Accept-Encoding", "of whatever length, and once"
    for line in ('"x"', etag.removeprefix("W/").strip('"'), '"*"'):
        assert (await client.get(path, headers={"If-None-Match": line})).status_code == 200, line
    head = await client.head(path, headers={"If-None-Match": etag})
    assert (head.status_code, head.content) == (304, b"")


async def test_a_change_gets_another_tag(samples: Samples, side: Side, client: httpx.AsyncClient):
    paths = (f"/notes/{samples.note}", f"/notes/{samples.note}/body", "/notes")
    before = [(await client.get(path)).headers["etag"] for path in paths]
    await side.given([samples.record(samples.updated())])
    after = [await client.get(path, headers={"If-None-Match": tag}) for path, tag in zip(paths, before, strict=True)]

    assert [answer.status_code for answer in after] == [200, 200, 200]
    assert after[1].headers["etag"] == '"2"'


@pytest.mark.parametrize("encodings", ["gzip", "br, gzip;q=0.5", "*", "GZIP", "deflate, *;q=0.1", "x-gzip"])
async def test_a_long_answer_is_compressed_where_that_is_asked_for(
    samples: Samples, client: httpx.AsyncClient, encodings: str
):
    path = f"/notes/{samples.note}/body"
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    async with client.stream("GET", path, headers={"Accept-Encoding": encodings}) as answer:
        packed = b"".join([part async for part in answer.aiter_raw()])

    assert plain.headers.get("content-encoding") is None
    assert answer.headers["content-encoding"] == "gzip"
    assert int(answer.headers["content-length"]) == len(packed) < len(plain.content)
    assert gzip.decompress(packed) == plain.content
    assert (plain.headers["etag"], answer.headers["etag"]) == ('"1"', 'W/"1"')
    assert plain.headers["vary"] == answer.headers["vary"] == "Accept-Encoding"
    head = await client.head(path, headers={"Accept-Encoding": encodings})
    assert head.headers["content-length"] == answer.headers["content-length"]
    again = await client.get(path, headers={"Accept-Encoding": encodings, "If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


async def test_a_short_answer_is_sent_as_it_is(samples: Samples, client: httpx.AsyncClient):
    for path in (f"/notes/{samples.note}", "/notes", "/nowhere", "/livez"):
        answer = await client.get(path, headers={"Accept-Encoding": "gzip"})
        assert len(answer.content) < GZIP_MIN_BYTES
        assert "content-encoding" not in answer.headers
        assert ("vary" in answer.headers) == ("etag" in answer.headers), "of what is kept, longer ones may come"


@pytest.mark.parametrize(
    "lines", [[], [""], ["identity"], ["gzip;q=0"], ["gzip; q=0.0", "*"], ["*;q=0"], ["br"], ["gzip;q=x"], ["gzip;z"]]
)
def test_who_does_not_ask_for_gzip_does_not_get_it(lines: list[str]):
    assert not accepts_gzip(lines)


async def test_only_so_many_large_answers_are_compressed_at_once():
    body = b"x" * (GZIP_INLINE_BYTES + 1)

    async def app(_: Any, __: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    compressed = Answers(app, gzip=True)
    transport = httpx.ASGITransport(compressed)
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        answer = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert (answer.headers["content-encoding"], answer.content) == ("gzip", body)
        assert compressed.gzip is not None
        compressed.gzip._in_threads = MAX_CONCURRENT_GZIPS
        answer = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert answer.content == body
        assert "content-encoding" not in answer.headers


async def test_a_stream_is_passed_on_part_by_part():
    sent: list[Any] = []

    async def app(_: Any, __: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        for _ in range(3):
            await send({"type": "http.response.body", "body": b"x" * 2 * GZIP_MIN_BYTES, "more_body": True})
            assert sent[-1]["body"] == b"x" * 2 * GZIP_MIN_BYTES

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "headers": [(b"accept-encoding", b"gzip")]}
    await Answers(app, gzip=True)(scope, None, send)  # type: ignore[arg-type]
    assert len(sent) == 4
