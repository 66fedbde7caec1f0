"""Bad input over HTTP: each kind gets its status and code, and nothing of it reaches Kafka."""

from collections.abc import AsyncIterator

import httpx
import pytest
from command_support.builders import new_id
from command_support.http_side import HttpSide, problem

from notes_command.errors import BadRow
from notes_command.gateway.outcomes import OutcomeWaiters
from notes_contracts import COMMANDS, command_name
from notes_contracts.examples import TRACEPARENT

NOTE_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
NAMES = sorted(command_name(ce_type) for ce_type in COMMANDS)
GOOD = {
    "create-note": {"title": "T"},
    "update-note": {"body": "b"},
    "rename-note": {"title": "T"},
    "tag-note": {"tag": "t"},
    "untag-note": {"tag": "t"},
    "archive-note": {},
    "restore-note": {},
    "delete-note": {},
}
NOT_JSON = [b"", b"{", b"\xff\xfe", b"'x'", b'{"note_id":}', b'{"a":NaN}', b'{"a":"\\ud800"}', b"[" * 100_000, b"\0"]
ONE_FIELD = [
    ("expected_version", "3"),
    ("expected_version", True),
    ("expected_version", 3.0),
    ("note_id", 7),
    ("note_id", None),
    ("note_id", "4711"),
    ("note_id", f"{{{NOTE_ID}}}"),
    ("note_id", NOTE_ID.replace("-", "")),
    ("note_id", f"{NOTE_ID}\n"),
    ("note_id", []),
    ("nobody_knows", 1),
    ("$where", "1"),
    ("$set", {"title": "x"}),
    ("note_id", {"$ne": None}),
]


async def test_good_ones_are_taken(side: HttpSide) -> None:
    for name in NAMES:
        note_id = new_id()
        response = await side.post(name, {"note_id": note_id, **GOOD[name]})
        assert (response.status_code, response.json()["note_id"]) == (202, note_id), name


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_not_json(side: HttpSide, name: str) -> None:
    for text in NOT_JSON:
        response = await side.client.post(f"/commands/{name}", content=text)
        found = (response.status_code, problem(response)["errors"][0]["field"])
        assert found == (422, "body"), text[:9]
    assert side.sent == []


@pytest.mark.parametrize("name", NAMES)
async def test_a_field_that_does_not_fit_is_named(side: HttpSide, name: str) -> None:
    for field, value in ONE_FIELD:
        response = await side.post(name, {"note_id": new_id(), **GOOD[name], field: value})
        named = [error["field"] for error in problem(response)["errors"]]
        assert (response.status_code, response.json()["code"], named) == (422, "invalid", [field]), value
    assert side.sent == []


async def test_content_that_does_not_fit(side: HttpSide) -> None:
    for name, data in (
        ("create-note", {"title": "a\0b"}),
        ("create-note", {"title": "T", "body": "\0"}),
        ("create-note", {"title": "T", "author": "\0"}),
        ("create-note", {"title": "T", "tags": ["a\0"]}),
        ("create-note", {"title": "x" * 201}),
        ("create-note", {"title": " \n "}),
        ("create-note", {"title": "T", "body": "x" * 100_001}),
        ("create-note", {"title": "T", "expected_version": 1}),
        ("update-note", {"body": "\0"}),
        ("update-note", {"body": None}),
        ("rename-note", {"title": ""}),
        ("tag-note", {"tag": "-"}),
        ("tag-note", {"tag": "x" * 33}),
        ("untag-note", {"tag": "K k"}),
        ("archive-note", {"tag": "a"}),
    ):
        response = await side.post(name, {"note_id": new_id(), **data})
        assert (response.status_code, problem(response)["code"]) == (422, "invalid"), (name, data.keys())
    assert side.sent == []


async def test_no_input_is_told_back(side: HttpSide) -> None:
    response = await side.post("create-note", {"title": ["secret"], "secret": 1, "note_id": "secret"})
    assert all("secret" not in error["message"] for error in response.json()["errors"])


async def test_a_command_that_nobody_knows_is_not_found(side: HttpSide) -> None:
    for path in (
        "/commands/shred-note",
        "/commands/Create-Note",
        "/commands/$where",
        "/commands/..%2f",
        "/commands/%00",
        "/commands/create-note.v1",
        "/commands/create-note.v2",
        "/commands/notes.command.create-note.v1",
        "/commands/create-note/v2",
        "/commands/create-note/",
        "/commands/" + "x" * 10_000,
    ):
        response = await side.client.post(path, json={})
        assert (response.status_code, problem(response)["code"]) == (404, "unknown_command"), path
        assert len(response.content) < 1_000, path
    assert side.sent == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Prefer": "wait=-1"},
        {"Prefer": "wait=x, respond-async"},
        {"Prefer": 'wait="'},
        {"Prefer": b"\xff\xfe"},
        {"traceparent": b"\xff\xfe"},
        {"traceparent": "x" * 5000},
        {"traceparent": "00-trace"},
        {"traceparent": TRACEPARENT.upper()},
        {"traceparent": TRACEPARENT.replace("00-", "ff-", 1)},
        {"traceparent": f"{TRACEPARENT}-{'x' * 30_000}"},
        {"Content-Type": "application/merge-patch+json; charset=utf-8"},
        {"Content-Type": "Application/JSON;charset=utf-8"},
        {"Content-Encoding": "identity"},
        {"Content-Length": "9" * 5000},
        {"Content-Length": "²".encode("latin-1")},
    ],
)
async def test_odd_headers_do_no_harm(side: HttpSide, headers: dict[str, str | bytes]) -> None:
    content = b'{"title": "T"}'
    response = await side.client.post("/commands/create-note", content=stream(content), headers=headers)
    assert response.status_code == 202, response.text
    assert len(side.sent) == 1
    assert "traceparent" not in dict(side.sent[0].headers)


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize("path", ["/notes/$where", "/notes/%00", "/commands/%00", "/commands/$ne?wait=1"])
async def test_ids_that_are_none(side: HttpSide, path: str) -> None:
    response = await side.client.get(path)
    assert (response.status_code, problem(response)["code"]) == (422, "invalid")


@pytest.mark.parametrize("wait", ["-1", "nan", "x", ""])
async def test_a_wait_that_is_no_time(side: HttpSide, wait: str) -> None:
    response = await side.client.get(f"/commands/{new_id()}", params={"wait": wait})
    assert (response.status_code, problem(response)["errors"][0]["field"]) == (422, "wait")


@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("GET", f"/commands/{NOTE_ID}?wiat=1", "wiat"),
        ("GET", f"/commands/{NOTE_ID}?wait=0&after=x", "after"),
        ("GET", f"/commands/{NOTE_ID}?wait=0&wait=9", "wait"),
        ("GET", f"/notes/{NOTE_ID}?min_version=3", "min_version"),
        ("POST", "/commands/archive-note?wait=1", "wait"),
    ],
)
async def test_a_parameter_that_is_unknown_or_repeated_is_refused(
    side: HttpSide, method: str, path: str, field: str
) -> None:
    response = await side.client.request(method, path, json={"note_id": NOTE_ID})
    found = [error["field"] for error in problem(response)["errors"]]
    assert (response.status_code, response.json()["code"], found) == (422, "invalid", [field])
    assert side.sent == []


async def test_why_a_row_was_refused_is_told_to_nobody(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused(*_: object) -> httpx.Response:
        raise BadRow("Failing row contains (secret)")

    monkeypatch.setattr(OutcomeWaiters, "outcome", refused)
    response = await side.client.get(f"/commands/{new_id()}")
    assert response.status_code == 503
    assert "secret" not in response.text
    shown = capsys.readouterr()
    assert "secret" not in shown.out + shown.err


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        (b' {"title":"T","body":1e400} ', [("body", "Input should be a valid string")]),
        (b'{"title":"T","x":-1e999}', [("x", "Extra inputs are not permitted")]),
        (b"\n{ }", [("title", "Field required")]),
        (b'{"title":"T"', [("body", "not JSON: EOF while parsing an object at line 1 column 12")]),
    ],
)
async def test_what_is_wrong_is_named_where_the_note_id_is_left_out(
    side: HttpSide, body: bytes, errors: list[tuple[str, str]]
) -> None:
    headers = {"content-type": "application/json"}
    response = await side.client.post("/commands/create-note", content=body, headers=headers)
    assert [(one["field"], one["message"]) for one in response.json()["errors"]] == errors
