"""The note as the write store has it, readiness, and errors of the framework."""

import pytest
from command_support.builders import new_id, note
from command_support.http_side import HttpSide, problem
from command_support.memory.store import MemoryStore

from notes_chassis.http import probes
from notes_command.domain.note import Status
from notes_command.errors import Unavailable


@pytest.fixture(autouse=True)
def looks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests share one app, and so its looks: those before must not have used up what this one needs."""
    monkeypatch.setattr(probes, "CHECK_S", 1e-9)


async def test_a_note_is_shown_as_it_is_stored(side: HttpSide) -> None:
    kept = note(title="𝔘", tags=("null", "a"), author=None, status=Status.ARCHIVED, version=3)
    side.database.notes[kept.id] = kept
    response = await side.client.get(f"/notes/{kept.id.upper()}")
    assert (response.status_code, response.headers["etag"]) == (200, '"3"')
    assert response.json() == {
        "id": kept.id,
        "title": "𝔘",
        "body": "a body",
        "tags": ["null", "a"],
        "author": None,
        "status": "archived",
        "version": 3,
        "created_at": "2026-01-02T03:04:05.678Z",
        "updated_at": "2026-01-02T03:04:05.678Z",
    }


async def test_what_was_written_can_be_read_at_once(side: HttpSide) -> None:
    created = (await side.post("create-note", {"title": "T"}, Prefer="wait=5")).json()
    await side.post("update-note", {"note_id": created["note_id"], "body": "new"}, Prefer="wait=5")
    shown = (await side.client.get(f"/notes/{created['note_id']}")).json()
    assert (shown["body"], shown["version"]) == ("new", 2)


async def test_a_note_that_cannot_be_shown_says_why(side: HttpSide) -> None:
    deleted = note(status=Status.DELETED)
    side.database.notes[deleted.id] = deleted
    answers = [await side.client.get(f"/notes/{one}") for one in (new_id(), deleted.id, "4711")]
    assert [(answer.status_code, problem(answer)["code"]) for answer in answers] == [
        (404, "note_not_found"),
        (410, "note_deleted"),
        (422, "invalid"),
    ]


async def test_a_store_that_is_away_is_503(side: HttpSide, monkeypatch: pytest.MonkeyPatch) -> None:
    async def down(*_: object) -> None:
        raise Unavailable("password of the database: secret")

    monkeypatch.setattr(MemoryStore, "note", down)
    response = await side.client.get(f"/notes/{new_id()}")
    assert (response.status_code, problem(response)["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "secret" not in response.text


async def test_a_bug_is_500_and_tells_nothing(side: HttpSide, monkeypatch: pytest.MonkeyPatch) -> None:
    async def explode(*_: object) -> None:
        raise KeyError("secret")

    monkeypatch.setattr(MemoryStore, "note", explode)
    response = await side.client.get(f"/notes/{new_id()}")
    assert (response.status_code, problem(response)["code"]) == (500, "internal")
    assert "secret" not in response.text


async def test_errors_of_the_framework_are_problems_too(side: HttpSide) -> None:
    missing = await side.client.get("/nowhere")
    wrong = await side.client.get("/commands/x/y")
    method = await side.client.delete(f"/notes/{new_id()}")
    assert [(one.status_code, problem(one)["code"]) for one in (missing, wrong, method)] == [
        (404, "not_found"),
        (404, "not_found"),
        (405, "method_not_allowed"),
    ]
    assert set(method.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    ("away", "unwell", "status"),
    [
        (None, [], 200),
        ("no brokers", [], 503),
        (None, ["consumer"], 200),
        (None, ["postgres"], 200),
        (None, ["postgres", "relay"], 200),
    ],
)
async def test_ready_is_what_a_request_needs(side: HttpSide, away: str | None, unwell: list[str], status: int) -> None:
    side.away = away
    for part in unwell:
        side.health.report(part, ok=False, reason="because")
    response = await side.client.get("/readyz")
    shown = response.json()
    assert (response.status_code, shown["ready"]) == (status, status == 200)
    assert shown["parts"]["kafka"]["ok"] is (away is None)
    for part in unwell:
        assert shown["parts"][part]["reason"] == "because"
        assert shown["parts"][part]["since"].endswith("Z")


async def test_a_bad_deploy_is_not_ready(side: HttpSide) -> None:
    side.health.report("consumer", ok=False, reason="BadDeploy", cause="batch", unready=True)
    assert (await side.client.get("/readyz")).status_code == 503


async def test_since_is_when_it_changed_not_when_it_was_asked(side: HttpSide) -> None:
    side.away = "first"
    first = (await side.client.get("/readyz")).json()["parts"]["kafka"]
    side.away = "second"
    second = (await side.client.get("/readyz")).json()["parts"]["kafka"]
    assert (second["since"], second["reason"]) == (first["since"], "second")
    side.away = None
    assert "reason" not in (await side.client.get("/readyz")).json()["parts"]["kafka"]


async def test_the_other_probes_answer_whatever_is_away(side: HttpSide) -> None:
    side.away = "no brokers"
    assert (await side.client.get("/livez")).status_code == 200
    assert "notes_command_outbox_rows" in (await side.client.get("/metrics")).text
    assert (await side.client.get("/openapi.json")).json()["paths"].keys() >= {"/commands/tag-note", "/notes/{note_id}"}
    assert (await side.client.get("/docs")).status_code == 200
