"""What a request may cost over HTTP, and what it may be made of."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from command_support.builders import new_id
from command_support.http_side import HttpSide, problem

from notes_chassis.http.limits import BODY_BYTES
from notes_command.errors import CommandTooLarge
from tests.harness.waiting import eventually


async def test_an_answer_stays_small_whatever_was_sent(side: HttpSide) -> None:
    for data in (
        {"title": "T", "tags": ["!"] * 30_000},
        {"title": "T", "tags": [["!"]] * 30_000},
        {"title": "T", "tags": [{"!": "!"}] * 10_000},
        {str(number): 0 for number in range(10_000)},
        {"\x01" * 100_000: 0, "\U0001f600" * 100_000: 0},
        {"title": ["x"] * 30_000},
    ):
        answer = await side.post("create-note", data)
        assert (answer.status_code, problem(answer)["code"]) == (422, "invalid")
        assert 0 < len(answer.json()["errors"]) <= 20
        assert len(answer.content) <= 16_000


async def test_a_byte_order_mark_is_ignored(side: HttpSide) -> None:
    answer = await side.client.post("/commands/create-note", content=b'\xef\xbb\xbf{"title": "T"}')
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Encoding": "gzip"},
    ],
)
@pytest.mark.parametrize("path", ["/commands/create-note", "/admin/republish"])
async def test_what_is_not_plain_json_is_415(side: HttpSide, path: str, headers: dict[str, str]) -> None:
    answer = await side.client.post(path, content=b'{"title": "T"}', headers=headers)
    assert (answer.status_code, problem(answer)["code"]) == (415, "unsupported_media_type")
    assert side.sent == []


async def test_a_command_too_large_for_its_topic_is_not_to_be_tried_again(side: HttpSide) -> None:
    side.refuses = CommandTooLarge()
    answer = await side.post("create-note", {"title": "T"})
    assert (answer.status_code, problem(answer)["code"]) == (413, "too_large")
    assert "retry-after" not in answer.headers


async def test_who_may_not_wait_is_told_that_the_command_is_taken(side: HttpSide) -> None:
    side.places.most = 0
    assert (await side.post("create-note", {"title": "T"}, Prefer="wait=5")).status_code == 202
    answer = await side.client.get(f"/commands/{new_id()}?wait=5")
    assert (answer.status_code, problem(answer)["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    # Who does not wait needs no place.
    answer = await side.client.get(f"/commands/{new_id()}")
    assert (answer.status_code, problem(answer)["code"]) == (404, "command_not_found")
    assert answer.headers["cache-control"] == "no-cache"


async def test_when_the_room_is_full_a_stalled_body_gives_way_to_one_that_arrives(
    side: HttpSide,
) -> None:
    side.intake.limits = side.intake.limits.model_copy(update={"http_bodies_bytes": 100})
    arriving = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"title": "%s' % (b"x" * 60)
        arriving.set()
        await asyncio.Event().wait()

    stalled = asyncio.create_task(side.client.post("/commands/create-note", content=slow()))
    await arriving.wait()
    await eventually(lambda: side.intake.held > 60)
    arrives = await side.client.post("/commands/create-note", content=b'{"title": "%s"}' % (b"y" * 60))
    assert arrives.status_code == 202
    refused = await stalled
    assert (refused.status_code, problem(refused)["code"]) == (503, "unavailable")
    assert int(refused.headers["retry-after"]) > 0
    assert side.intake.held == 0


async def test_bodies_on_their_way_to_kafka_do_not_give_way(side: HttpSide) -> None:
    side.intake.limits = side.intake.limits.model_copy(update={"http_bodies_bytes": 100})
    with side.intake.room() as upload:
        side.intake._hold(upload, 90)
        refused = await side.client.post("/commands/create-note", content=b'{"title": "%s"}' % (b"y" * 60))
    assert (refused.status_code, problem(refused)["code"]) == (503, "unavailable")


async def test_a_body_that_never_ends_is_given_up(side: HttpSide) -> None:
    side.intake.limits = side.intake.limits.model_copy(update={"http_arrive_s": 0.01})

    async def never() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    response = await side.client.post("/commands/create-note", content=never())
    assert (response.status_code, problem(response)["code"]) == (408, "request_timeout")


async def test_head_is_answered_wherever_get_is(side: HttpSide) -> None:
    paths = [path for path, methods in side.app.openapi()["paths"].items() if "get" in methods]
    for path in [
        "/docs",
        "/openapi.json",
        *(path.format(note_id=new_id(), command_id=new_id(), dead_letter="t:0:1") for path in paths),
    ]:
        got, head = await side.client.get(path), await side.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
        assert path == "/metrics" or head.headers["content-length"] == got.headers["content-length"]
    assert len(paths) >= 5


async def test_the_largest_legal_command_fits(side: HttpSide) -> None:
    body = json.dumps({"title": "T", "body": "ä" * 100_000}).encode()
    response = await side.client.post("/commands/create-note", content=body)
    assert (response.status_code, len(side.sent)) == (202, 1)


async def test_a_body_that_says_it_is_too_large_is_not_read(side: HttpSide) -> None:
    read: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"x"

    headers = {"content-length": str(BODY_BYTES + 1)}
    response = await side.client.post("/commands/create-note", content=chunks(), headers=headers)
    assert (response.status_code, problem(response)["code"], read) == (413, "too_large", [])


async def test_a_body_that_turns_out_too_large_is_not_held(side: HttpSide) -> None:
    read: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield b" " * (BODY_BYTES // 4)

    response = await side.client.post("/commands/create-note", content=chunks())
    assert (response.status_code, problem(response)["code"]) == (413, "too_large")
    assert len(read) < 10
