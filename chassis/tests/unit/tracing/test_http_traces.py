"""A sampled request is a span by its route; any other is passed on as it came."""

import asyncio
from collections.abc import Iterable
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from notes_chassis.http.answers import Answers
from notes_chassis.tracing import name_span
from notes_chassis.tracing.http import Traces
from tests.harness.spans import SAMPLED, SENDER, TRACE, UNSAMPLED, Spans, in_memory, links_of, parent_of, place_of
from tests.harness.waiting import eventually


class Side:
    """An app with traces, and what its routes were handed."""

    def __init__(self, spans: Spans) -> None:
        self.spans, self.seen = spans, list[tuple[str, str]]()
        self.logged: dict[str, Any] = {}
        self.go_on = asyncio.Event()

        async def look() -> dict[str, Any]:
            await self.go_on.wait()
            return dict(name_span(None, "", {}))

        def noted(request: Request) -> None:
            request.scope["route"] = Named(request.scope["endpoint"].__name__)
            self.seen += [pair for pair in request.headers.items() if pair[0].startswith("trace")]
            self.logged = dict(name_span(None, "", {}))
            self.later = asyncio.create_task(look())

        async def note(request: Request) -> Response:
            noted(request)
            return PlainTextResponse("fine", 503 if "fail" in request.query_params else 200)

        async def waits(request: Request) -> Response:
            noted(request)
            with spans.tracing.batch("events", "group", 1) as batch:
                message = batch.message("project", (SAMPLED, None), 0, 0)
                assert message is not None
                spans.tracing.remember("notes", b"id", message.context)
                spans.tracing.remember("other", b"id", batch.span.get_span_context())
                message.end()
            spans.tracing.woken("notes")
            return PlainTextResponse("fine")

        async def bug(request: Request) -> Response:
            noted(request)
            raise ZeroDivisionError("text of a note")

        async def hangs(request: Request) -> Response:
            noted(request)
            self.go_on.set()
            await asyncio.sleep(60)
            return PlainTextResponse("late")

        async def stream(request: Request) -> Response:
            noted(request)

            async def parts() -> Any:
                yield b"x"
                await asyncio.sleep(60)

            return StreamingResponse(parts(), media_type="text/event-stream")

        routes = [
            Route(f"/{endpoint.__name__}/{{id}}", endpoint, methods=["GET", "POST"])
            for endpoint in (note, waits, bug, hangs, stream)
        ]
        app = Starlette(routes=[*routes, Route("/readyz", note)])
        app.add_middleware(Traces, tracing=spans.tracing)
        app.add_middleware(Answers)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://side")


class Named:
    """What FastAPI leaves behind of a route."""

    def __init__(self, name: str) -> None:
        self.path = f"/{name}/{{id}}"


def parents(*texts: str) -> Iterable[tuple[str, str]]:
    return [("traceparent", text) for text in texts]


async def test_a_request_is_a_span_whose_context_is_handed_on() -> None:
    side = Side(in_memory())
    await side.client.post("/note/id?q=text", headers=[*parents(SAMPLED), ("tracestate", "a=1"), ("tracestate", "b=2")])
    (span,) = side.spans.kept.get_finished_spans()
    assert (span.name, span.kind, parent_of(span)) == ("POST /note/{id}", SpanKind.SERVER, (TRACE, SENDER))
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/note/{id}",
        "http.response.status_code": 200,
    }
    trace, id_ = place_of(span.context)
    assert side.seen == [("traceparent", f"00-{trace}-{id_}-01"), ("tracestate", "a=1,b=2")]
    assert side.logged == {"trace_id": trace, "span_id": id_}
    assert name_span(None, "", {}) == {}
    side.go_on.set()
    assert await side.later == {}, "a task that outlives the request names another one otherwise"


async def test_without_a_sender_a_trace_begins() -> None:
    side = Side(in_memory())
    await side.client.get("/note/id", headers={"tracestate": "a=1"})
    (span,) = side.spans.kept.get_finished_spans()
    assert span.parent is None
    assert [value.split("-")[2] for _, value in side.seen] == [place_of(span.context)[1]]


@pytest.mark.parametrize(
    "headers",
    [
        parents(UNSAMPLED),
        [*parents(UNSAMPLED), ("tracestate", "a=1")],
        parents("hostile"),
        parents(SAMPLED, SAMPLED),
        [("tracestate", "a=1")],
        [],
    ],
)
async def test_what_is_not_sampled_is_passed_on_as_it_came(headers: list[tuple[str, str]]) -> None:
    side = Side(in_memory(ParentBased(ALWAYS_OFF)))
    await side.client.get("/note/id", headers=headers)
    assert (side.seen, side.spans.names(), side.logged) == (list(headers), [], {})


async def test_a_share_of_the_traces_that_begin_here_is_kept() -> None:
    side = Side(in_memory(ParentBased(TraceIdRatioBased(0.5))))
    for _ in range(200):
        await side.client.get("/note/id")
    found = side.spans.kept.get_finished_spans()
    assert 50 < len(found) < 150
    assert len({span.context.trace_id for span in found}) == len(found) == len(side.seen)


async def test_two_parents_are_none() -> None:
    side = Side(in_memory())
    await side.client.get("/note/id", headers=list(parents(SAMPLED, SAMPLED)))
    (span,) = side.spans.kept.get_finished_spans()
    assert (span.parent, len(side.seen)) == (None, 1)


async def test_probes_have_no_spans() -> None:
    side = Side(in_memory())
    await side.client.get("/readyz", headers=list(parents(SAMPLED)))
    assert (side.spans.names(), side.seen) == ([], [("traceparent", SAMPLED)])


async def test_what_has_no_route_is_named_by_its_method_and_head_is_head() -> None:
    side = Side(in_memory())
    await side.client.get("/text-of-a-note")
    await side.client.head("/note/id")
    await side.client.request("BREW", "/text-of-a-note")
    assert side.spans.names() == ["GET", "HEAD /note/{id}", "HTTP"]
    assert "text-of-a-note" not in "".join(span.to_json() for span in side.spans.kept.get_finished_spans())


@pytest.mark.parametrize(
    ("path", "status", "error"), [("note/id?fail", 503, "503"), ("bug/id", 500, "ZeroDivisionError")]
)
async def test_an_error_of_ours_marks_the_span(path: str, status: int, error: str) -> None:
    side = Side(in_memory())
    assert (await side.client.get(f"/{path}")).status_code == status
    (span,) = side.spans.kept.get_finished_spans()
    attributes = span.attributes or {}
    assert (attributes["http.response.status_code"], attributes["error.type"]) == (status, error)
    assert (span.status.status_code, span.events) == (StatusCode.ERROR, ())
    assert "text of a note" not in span.to_json()


async def test_a_reader_who_is_woken_is_linked_to_the_message_that_was_waited_for() -> None:
    side = Side(in_memory())
    await side.client.get("/waits/ID")
    (span,), (message,) = side.spans.named("GET"), side.spans.named("project")
    assert ([event.name for event in span.events], links_of(span)) == (["woken"], [place_of(message.context)])


async def test_a_stream_is_a_span_until_it_begins() -> None:
    side = Side(in_memory())
    asking = asyncio.create_task(side.client.get("/stream/id"))
    assert await eventually(side.spans.names) == ["GET /stream/{id}"]
    asking.cancel()
    await asyncio.wait([asking])
    assert side.spans.names() == ["GET /stream/{id}"]


async def test_who_has_left_gets_no_answer() -> None:
    side = Side(in_memory())
    asking = asyncio.create_task(side.client.get("/hangs/id"))
    await side.go_on.wait()
    asking.cancel()
    await asyncio.wait([asking])
    (span,) = side.spans.kept.get_finished_spans()
    assert (span.attributes or {})["error.type"] == "CancelledError"
    assert "http.response.status_code" not in (span.attributes or {})


async def test_outside_of_a_request_nobody_is_woken() -> None:
    spans = in_memory()
    with spans.tracing.batch("events", "group", 1):
        spans.tracing.woken("notes")
    (span,) = spans.kept.get_finished_spans()
    assert not span.events
