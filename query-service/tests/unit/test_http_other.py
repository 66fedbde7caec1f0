from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from query_support.fixtures import Samples, Side

from notes_chassis.health import Health
from notes_chassis.http import probes
from notes_chassis.http.body import Places
from notes_contracts import Outcome
from notes_query.composition.http_app import make_app
from notes_query.errors import Busy, StoreUnavailable
from notes_query.live.changes import change_route
from notes_query.live.stream import Stream
from notes_query.projecting.record_outcomes import document_of
from tests.harness.metrics import shown


@pytest.fixture(autouse=True)
def looks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """All tests share one app, and so its looks: those before must not have used up what this one needs."""
    monkeypatch.setattr(probes, "CHECK_S", 1e-9)


def problem(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    assert set(answer.json()) >= {"type", "title", "status", "code", "detail"}
    return answer.status_code, answer.json()["code"]


async def test_an_outcome_is_sent_as_it_was_decided(samples: Samples, side: Side, client: httpx.AsyncClient):
    outcome = samples.outcome(digest="d" * 64)
    await side.outcomes.add([document_of(outcome)])

    unknown = await client.get(f"/commands/{samples.id('x')}")
    answer = await client.get(f"/commands/{samples.id('command').upper()}")

    assert answer.status_code == 200
    # It may be known a moment later: no cache says 404 by itself.
    assert unknown.headers["cache-control"] == answer.headers["cache-control"] == "no-cache"
    assert Outcome.model_validate_json(answer.content) == outcome
    assert answer.json() == outcome.model_dump()


async def test_an_unknown_command_is_not_found(samples: Samples, client: httpx.AsyncClient):
    assert problem(await client.get(f"/commands/{samples.id('x')}?wait=0.01")) == (404, "command_not_found")
    assert problem(await client.get("/commands/x")) == (422, "invalid")
    assert problem(await client.get(f"/commands/{samples.id('x')}?wait=soon")) == (422, "invalid")


async def test_errors_without_a_route_have_the_same_form(client: httpx.AsyncClient):
    assert problem(await client.get("/nowhere")) == (404, "not_found")
    answer = await client.delete("/notes")
    assert problem(answer) == (405, "method_not_allowed")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


async def test_a_bug_is_a_problem_without_details(samples: Samples, side: Side, client: httpx.AsyncClient):
    async def broken(_: str) -> None:
        raise ZeroDivisionError("secret")

    side.notes.view = broken
    answer = await client.get(f"/notes/{samples.note}")

    assert problem(answer) == (500, "internal")
    assert "secret" not in answer.text


@pytest.fixture
def away(side: Side) -> None:
    async def away(*_: object, **__: object) -> None:
        raise StoreUnavailable("MongoDB: no answer")

    side.notes.view = side.notes.page = side.notes.count_parked = side.outcomes.many = away


async def test_a_store_that_is_away_is_told_with_when_to_try_again(
    samples: Samples, away: None, client: httpx.AsyncClient
):
    for path in (f"/notes/{samples.note}", "/notes", f"/commands/{samples.note}"):
        answer = await client.get(path)
        assert problem(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) >= 1


async def test_readiness_is_red_without_mongo(away: None, client: httpx.AsyncClient):
    answer = await client.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["parts"]["mongo"]["ok"] is False
    assert answer.json()["parts"]["mongo"]["reason"] == "MongoDB: no answer"
    assert (await client.get("/livez")).status_code == 200


async def test_readiness_is_red_until_every_read_model_is_complete(
    client: httpx.AsyncClient, building: list[str], health: Health
):
    building += ["history version 1 is not complete yet", "notes is not as far yet"]
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (
        answer.json()["parts"]["read models"]["reason"]
        == "history version 1 is not complete yet; notes is not as far yet"
    )
    building.clear()
    assert (await client.get("/readyz")).status_code == 200
    assert health.parts["read models"].ok


async def test_readiness_names_kafka_but_does_not_need_it(client: httpx.AsyncClient, health: Health):
    health.report("kafka", ok=False, reason="away")
    first = await client.get("/readyz")
    health.report("kafka", ok=False, reason="still away")
    second = await client.get("/readyz")

    assert first.status_code == second.status_code == 200
    since = first.json()["parts"]["kafka"]["since"]
    assert since.endswith("Z")
    assert second.json()["parts"]["kafka"] == {"ok": False, "since": since, "reason": "still away"}


async def test_the_figures_and_the_documentation_are_there(client: httpx.AsyncClient):
    assert "notes_query_parked_events" in (await client.get("/metrics")).text
    assert (await client.get("/docs")).status_code == 200


async def test_a_search_that_finds_no_place_is_told_when_to_try_again(client: httpx.AsyncClient, searching: Any):
    searching.refusal = Busy("too many searches wait already")

    answer = await client.get("/notes/search?q=" + "+".join(f"w{number}" for number in range(16)))

    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert answer.headers["retry-after"] == "1"


async def test_head_is_answered_wherever_get_is(samples: Samples, app: FastAPI, client: httpx.AsyncClient):
    paths = [path for path, methods in app.openapi()["paths"].items() if "get" in methods]
    ids = {"note_id": samples.note, "command_id": samples.id("x")}
    for path in ["/docs", "/openapi.json", *(path.format(**ids) for path in paths)]:
        got, head = await client.get(path), await client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        assert head.headers["content-type"] == got.headers["content-type"]
        assert path == "/metrics" or head.headers["content-length"] == got.headers["content-length"]
    assert len(paths) >= 8


@pytest.mark.parametrize(
    "query",
    [
        "&".join(f"{number}=" for number in range(3_000)),
        "&".join(["limit=1"] * 2_000),
        "&".join(f"a{number % 1_000}=" for number in range(3_000)),
        "x" * 16_000 + "=1",
        "limit=" + "%01" * 5_000,
        "tag=" + "%F0%9F%98%80" * 1_300,
    ],
)
async def test_an_answer_stays_small_whatever_was_asked(client: httpx.AsyncClient, query: str):
    answer = await client.get(f"/notes?{query}")
    assert problem(answer) == (422, "invalid")
    assert 0 < len(answer.json()["errors"]) <= 20
    assert len(answer.content) <= 16_000


async def test_only_so_many_wait(samples: Samples, client: httpx.AsyncClient, places: Places):
    places.most = 0
    for path in (f"/notes/{samples.note}?min_version=1", f"/commands/{samples.id('x')}?wait=1"):
        answer = await client.get(path)
        assert problem(answer) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    for query in ("", "?min_version=1&wait=0"):  # who does not wait needs no place
        answer = await client.get(f"/notes/{samples.note}{query}")
        assert problem(answer) == (404, "note_not_found"), query
    assert problem(await client.get(f"/commands/{samples.id('x')}")) == (404, "command_not_found")


async def test_a_stream_too_many_is_refused_and_counted(app: FastAPI):
    class Full:
        async def open(self, _: str | None) -> Stream:
            raise Busy("2000 streams are open on this instance, which is as many as it takes")

    full: Any = Full()
    changes = make_app([change_route(full)], app.router.lifespan_context, "1.0.0")
    before = shown("notes_http_refused_total", limit="streams")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(changes), base_url="http://query") as client:
        answer = await client.get("/notes/changes")
    assert problem(answer) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert shown("notes_http_refused_total", limit="streams") == before + 1


async def test_head_of_the_changes_ends_at_once_and_begins_no_stream(app: FastAPI):
    nobody: Any = None  # opening a stream would raise
    changes = make_app([change_route(nobody)], app.router.lifespan_context, "1.0.0")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(changes), base_url="http://query") as client:
        answer = await client.head("/notes/changes")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


async def refused_changes(app: FastAPI, query: str) -> list[dict[str, str]]:
    """Return what is wrong with these parameters of the changes."""
    nobody: Any = None  # opening a stream would raise
    changes = make_app([change_route(nobody)], app.router.lifespan_context, "1.0.0")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(changes), base_url="http://query") as client:
        answer = await client.get(f"/notes/changes?{query}")
    assert problem(answer) == (422, "invalid")
    errors: list[dict[str, str]] = answer.json()["errors"]
    return errors


@pytest.mark.parametrize("query", ["since=1", "limit=1", "tag=a&tag=b"])
async def test_no_parameter_of_the_changes_is_passed_over(app: FastAPI, query: str):
    (error,) = await refused_changes(app, query)
    assert error["field"] == query.partition("=")[0]


@pytest.mark.parametrize("name", ["lastEventId", "lasteventid", "last-event-id", "Last_Event_ID"])
async def test_a_last_event_id_as_a_parameter_is_refused_with_a_hint(app: FastAPI, name: str):
    (error,) = await refused_changes(app, f"{name}=abc")
    assert error["field"] == name
    assert "header Last-Event-ID" in error["message"]
