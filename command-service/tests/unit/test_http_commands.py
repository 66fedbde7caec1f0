"""`POST /commands/<name>` and `GET /commands/{id}`: what clients of the write side rely on."""

import asyncio
import json
from datetime import UTC, datetime

import pytest
from command_support.builders import new_id, note, outcome
from command_support.http_side import HttpSide, problem

from notes_command.commands import HANDLERS
from notes_command.domain.note import Decision, Note, Status
from notes_command.errors import Unavailable
from notes_command.gateway import outcomes
from notes_contracts import COMMANDS, CreateNote, command_name, digest_of, note_id_of_command, parse_id, parse_time
from notes_contracts.examples import TRACEPARENT
from tests.harness.waiting import eventually


async def test_a_command_is_put_on_kafka_and_answered_202(side: HttpSide) -> None:
    side.working = False
    note_id, command_id = new_id(), new_id()
    response = await side.post(
        "create-note",
        {"note_id": note_id.upper(), "title": " T "},
        Idempotency_Key=command_id.upper(),
        traceparent=TRACEPARENT,
    )
    assert (response.status_code, response.json()) == (202, {"command_id": command_id, "note_id": note_id})
    assert response.headers["location"] == f"/commands/{command_id}"
    assert response.headers["notes-after"] == command_id
    (sent,) = side.sent
    assert sent.key == note_id.encode()
    assert json.loads(sent.value)["title"] == "T"
    headers = dict(sent.headers)
    assert (headers["ce_id"], headers["traceparent"]) == (command_id.encode(), TRACEPARENT.encode())
    assert headers["ce_type"] == b"notes.command.create-note.v1"
    assert (headers["ce_specversion"], headers["ce_source"]) == (b"1.0", b"/notes/command-service/http")
    assert headers["ce_subject"] == note_id.encode()
    assert abs((parse_time(headers["ce_time"].decode()) - datetime.now(UTC)).total_seconds()) < 60


async def test_the_state_of_a_trace_goes_with_it_and_two_parents_are_none(side: HttpSide) -> None:
    side.working = False
    state, parent = [("tracestate", "a=1"), ("tracestate", "b=2")], ("traceparent", TRACEPARENT)
    for headers in ([parent, *state], [parent, parent, *state], state, [parent, ("tracestate", "anything")]):
        body = {"title": "T"}
        response = await side.client.post("/commands/create-note", json=body, headers=[*headers])
        assert response.status_code == 202
    traces = [{name: value for name, value in record.headers if name.startswith("trace")} for record in side.sent]
    both = {"traceparent": TRACEPARENT.encode(), "tracestate": b"a=1,b=2"}
    assert traces == [both, {}, {}, {"traceparent": TRACEPARENT.encode()}]


async def test_without_a_key_every_request_is_another_command(side: HttpSide) -> None:
    answers = [(await side.post("create-note", {"title": "T"})).json() for _ in range(2)]
    assert parse_id(answers[0]["command_id"])
    assert answers[0]["command_id"] != answers[1]["command_id"]
    assert answers[0]["note_id"] != answers[1]["note_id"]


async def test_a_retry_without_a_note_id_makes_the_same_note(side: HttpSide) -> None:
    command_id = new_id()
    first = await side.post("create-note", {"title": "T"}, Idempotency_Key=command_id)
    again = await side.post("create-note", {"title": "T"}, Idempotency_Key=f'"{command_id}"', Prefer="wait=5")
    assert first.json()["note_id"] == again.json()["note_id"] == note_id_of_command(command_id)
    assert (again.status_code, again.json()["version"], len(side.database.notes)) == (200, 1, 1)


async def test_waiting_for_an_accepted_command_is_200_with_the_outcome(side: HttpSide) -> None:
    side.working = False
    request = asyncio.create_task(side.post("create-note", {"title": "T"}, Prefer="wait=30"))
    await eventually(lambda: len(side.waiters) == 1 and side.sent)
    await side.work()
    response = await request
    outcome = response.json()
    assert (response.status_code, outcome["status"], outcome["version"]) == (200, "accepted", 1)
    assert response.headers["location"] == f"/commands/{outcome['command_id']}"
    assert response.headers["notes-after"] == outcome["command_id"]
    assert (await side.client.get(response.headers["location"])).json() == outcome


@pytest.mark.parametrize("wait", ["wait=0", "respond-async"])
async def test_no_outcome_in_time_is_202(side: HttpSide, wait: str) -> None:
    side.working = False
    response = await side.post("create-note", {"title": "T"}, Prefer=wait)
    assert response.status_code == 202


async def test_a_wait_is_capped(side: HttpSide, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "WAIT_CAP_S", 0.01)
    side.working = False
    async with asyncio.timeout(5):
        assert (await side.post("create-note", {"title": "T"}, Prefer="wait=600")).status_code == 202
        assert (await side.client.get(f"/commands/{new_id()}?wait=600")).status_code == 404


@pytest.mark.parametrize(
    ("present", "name", "data", "answer"),
    [
        (None, "update-note", {"body": "b"}, (404, "note_not_found")),
        (note(), "create-note", {"title": "T"}, (409, "note_already_exists")),
        (note(version=2), "update-note", {"body": "b", "expected_version": 1}, (409, "version_conflict")),
        (note(status=Status.ARCHIVED), "update-note", {"body": "b"}, (409, "note_archived")),
        (note(status=Status.DELETED), "update-note", {"body": "b"}, (410, "note_deleted")),
        (None, "create-note", {"title": "T", "tags": [f"t{n}" for n in range(21)]}, (422, "too_many_tags")),
    ],
)
async def test_a_rejection_is_a_problem_with_its_own_code(
    side: HttpSide, present: Note | None, name: str, data: dict[str, object], answer: tuple[int, str]
) -> None:
    if present is not None:
        side.database.notes[present.id] = present
    target = present.id if present else new_id()
    response = await side.post(name, {**data, "note_id": target}, Prefer="wait=5")
    document = problem(response)
    assert (response.status_code, document["code"]) == answer
    assert (document["outcome"]["status"], document["outcome"]["error"]["code"]) == ("rejected", answer[1])
    assert document["detail"] == document["outcome"]["error"]["message"]


async def test_a_bug_in_a_handler_is_500_internal(side: HttpSide) -> None:
    def explode(_: Note | None, __: CreateNote, ___: datetime) -> Decision:
        raise ZeroDivisionError

    side.handlers = {**HANDLERS, CreateNote: explode}
    response = await side.post("create-note", {"title": "T"}, Prefer="wait=5")
    assert (response.status_code, problem(response)["code"]) == (500, "internal")


async def test_the_same_key_for_another_command_is_422(side: HttpSide) -> None:
    command_id, note_id = new_id(), new_id()
    await side.post("create-note", {"note_id": note_id, "title": "T"}, Idempotency_Key=command_id)
    for name, data in (("create-note", {"title": "other"}), ("update-note", {"body": "b"})):
        response = await side.post(name, {**data, "note_id": note_id}, Idempotency_Key=command_id, Prefer="wait=5")
        document = problem(response)
        assert (response.status_code, document["code"]) == (422, "idempotency_key_reused")
        assert document["outcome"]["status"] == "accepted"
    assert side.database.notes[note_id].title == "T"


@pytest.mark.parametrize(
    "key",
    [
        "4711",
        "",
        "urn:uuid:0b0e7f3c-1d2a-4b5c-8d9e-0f1a2b3c4d5e",
        '"0b0e7f3c-1d2a-4b5c-8d9e-0f1a2b3c4d5e',
        '""0b0e7f3c-1d2a-4b5c-8d9e-0f1a2b3c4d5e""',
    ],
)
async def test_a_key_that_is_no_uuid_is_invalid(side: HttpSide, key: str) -> None:
    response = await side.post("create-note", {"title": "T"}, Idempotency_Key=key)
    assert (response.status_code, problem(response)["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert side.sent == []


async def test_two_keys_are_invalid(side: HttpSide) -> None:
    keys = [("Idempotency-Key", new_id()), ("Idempotency-Key", new_id())]
    response = await side.client.post("/commands/create-note", json={"title": "T"}, headers=keys)
    assert (response.status_code, problem(response)["errors"][0]["field"]) == (422, "Idempotency-Key")
    assert side.sent == []


async def test_every_field_at_fault_is_named_at_once(side: HttpSide) -> None:
    response = await side.post("create-note", {"note_id": 1, "title": " ", "tags": ["a", "B!"], "x": 0})
    document = problem(response)
    assert (response.status_code, document["code"]) == (422, "invalid")
    assert [error["field"] for error in document["errors"]] == ["note_id", "title", "tags.1", "x"]
    assert all(f"{error['field']}: {error['message']}" in document["detail"] for error in document["errors"])
    assert side.sent == []


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"title": NaN}', b'{"title":"\\ud800"}', b"[" * 9999])
async def test_a_body_that_is_not_json_is_invalid(side: HttpSide, body: bytes) -> None:
    response = await side.client.post("/commands/create-note", content=body)
    assert (response.status_code, problem(response)["errors"][0]["field"]) == (422, "body")


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"7"])
async def test_a_body_that_is_no_object_is_invalid(side: HttpSide, body: bytes) -> None:
    response = await side.client.post("/commands/create-note", content=body)
    assert (response.status_code, problem(response)["code"]) == (422, "invalid")


async def test_an_unknown_command_is_404_and_named(side: HttpSide) -> None:
    response = await side.post("shred-note", {})
    document = problem(response)
    assert (response.status_code, document["code"]) == (404, "unknown_command")
    assert document["known"] == sorted(command_name(ce_type) for ce_type in COMMANDS)
    assert len(document["known"]) == 8


async def test_kafka_away_is_503_and_the_key_to_repeat_it_with_is_told(side: HttpSide) -> None:
    side.away = "no brokers"
    response = await side.post("create-note", {"title": "T"})
    document = problem(response)
    assert (response.status_code, document["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert parse_id(document["command_id"])


async def test_postgres_away_does_not_keep_a_command_from_kafka(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def down(*_: object) -> None:
        raise Unavailable("down")

    side.working = False
    monkeypatch.setattr(type(side.waiters), "outcome", down)
    response = await side.post("create-note", {"title": "T"}, Prefer="wait=5")
    assert (response.status_code, len(side.sent)) == (202, 1)


async def test_an_unknown_outcome_is_404_and_an_id_that_is_none_422(side: HttpSide) -> None:
    unknown = await side.client.get(f"/commands/{new_id()}")
    assert (unknown.status_code, problem(unknown)["code"]) == (404, "command_not_found")
    for path in ("/commands/4711", f"/commands/{new_id()}?wait=soon"):
        invalid = await side.client.get(path)
        assert (invalid.status_code, problem(invalid)["code"]) == (422, "invalid")


async def test_an_outcome_can_be_waited_for(side: HttpSide) -> None:
    side.working = False
    location = (await side.post("create-note", {"title": "T"})).headers["location"]
    request = asyncio.create_task(side.client.get(f"{location}?wait=30"))
    await eventually(lambda: len(side.waiters) == 1)
    await side.work()
    answer = await request
    assert (answer.json()["status"], answer.headers["cache-control"]) == ("accepted", "no-cache")


async def test_a_rejected_outcome_that_is_asked_for_is_no_error(side: HttpSide) -> None:
    location = (await side.post("update-note", {"note_id": new_id(), "body": "b"})).headers["location"]
    response = await side.client.get(location)
    assert (response.status_code, response.json()["error"]["code"]) == (200, "note_not_found")


async def test_an_outcome_whose_code_is_of_a_newer_release_is_told_as_it_is(side: HttpSide) -> None:
    """In a rolling deploy, and after going back, the inbox has codes that this release does not know."""
    command = CreateNote(note_id=new_id(), title="T")
    known = outcome(status="rejected", version=None, code="title_taken", message="taken", digest=digest_of(command))
    side.database.inbox[known.command_id] = known
    shown = await side.client.get(f"/commands/{known.command_id}")
    assert (shown.status_code, shown.json()["error"]) == (200, {"code": "title_taken", "message": "taken"})
    body = command.model_dump(mode="json", exclude_none=True)
    waited = await side.post("create-note", body, Idempotency_Key=known.command_id, Prefer="wait=5")
    said = problem(waited)
    assert (waited.status_code, said["code"], said["detail"]) == (409, "title_taken", "taken")
    assert said["outcome"] == shown.json()
