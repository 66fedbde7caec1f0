"""`GET /notes/changes`: the changes of all notes as server-sent events."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, NamedTuple

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, Field
from pydantic_core import to_json
from starlette.types import Receive, Scope, Send

from notes_chassis.access.guard import caller_of
from notes_chassis.access.tokens import Caller, seconds_left
from notes_chassis.health import Health
from notes_chassis.http.answers import IS_HEAD
from notes_chassis.http.endings import ABORT
from notes_chassis.http.limits import REFUSED
from notes_chassis.http.problems import invalid
from notes_chassis.http.queries import QueryModel, query_of
from notes_chassis.kafka.cluster import Cluster
from notes_contracts import Code
from notes_contracts.examples import CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.errors import Busy, TopicUnavailable
from notes_query.http.problems import documented_problems, problem
from notes_query.live.follower import Passed
from notes_query.live.hub import Hub
from notes_query.live.remote_wakeups import MongoChanges
from notes_query.live.stream import SLOW, Stream
from notes_query.live.streams import TOO_OLD, Streams
from notes_query.live.tail import EventTopic
from notes_query.mongo.database import Database
from notes_query.projecting.waiters import version_of
from notes_query.projections.note import READ_MODEL
from notes_query.projections.read_model import Serving
from notes_query.settings import Settings

log = structlog.get_logger()

STREAMS: Final = Gauge("notes_query_streams", "Streams of changes that are open")
STREAMS_SLOW: Final = Counter("notes_query_streams_slow_total", "Streams ended because their client took too long")
PENDING: Final = Gauge("notes_query_changes_pending", "Changes that wait until their documents are there")
SET_ASIDE: Final = Gauge(
    "notes_query_changes_set_aside", "Changes set aside: the projector is done with them, their documents are not there"
)

PART: Final = "changes"
RETRY_AFTER_S: Final = 5
STREAM_HEADERS: Final = MappingProxyType({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
"""A proxy that stores or buffers would hold changes back."""
SEND_S: Final = 30.0
"""Seconds after which a client that takes nothing of what was sent is cut off."""
END: Final = MappingProxyType({"type": "http.response.body", "body": b"", "more_body": False})
_EVENT_ID: Final = "Ac_U2NUMEQQA5gEIDAkDHwUGAg"
_AS_PARAMETER: Final = frozenset({"lasteventid", "last_event_id"})
_OPAQUE: Final = "^[A-Za-z0-9_-]+$"


class ChangeData(BaseModel):
    """A note has a new version. `type` is the event's; `occurred_at` is null where the event does not tell."""

    id: Id
    version: int
    type: str
    occurred_at: Timestamp | None


class NoticeData(BaseModel):
    """Something that the client has to know of the stream itself."""

    reason: str


class ServerSentEvent(BaseModel):
    """One event of the stream. `id` is opaque: `Last-Event-ID` takes it, on any instance."""

    id: Annotated[str, Field(pattern=_OPAQUE)]
    event: Literal["change", "reset", "slow"]
    data: Annotated[
        str,
        Field(
            description="JSON on one line: what changed, or the reason of a `reset` or `slow`.",
            json_schema_extra={
                "contentMediaType": "application/json",
                "contentSchema": {"anyOf": [ChangeData.model_json_schema(), NoticeData.model_json_schema()]},
            },
        ),
    ]


def _event(name: str, data: BaseModel) -> dict[str, Any]:
    return {"value": {"id": _EVENT_ID, "event": name, "data": to_json(data).decode()}}


_CHANGE: Final = ChangeData(id=NOTE_ID, version=3, type="notes.event.note-renamed.v1", occurred_at=CREATED_AT)
_EVENTS: Final = {
    "change": _event("change", _CHANGE),
    "reset": _event("reset", NoticeData(reason=TOO_OLD)),
    "slow": _event("slow", NoticeData(reason=SLOW)),
}
_LAST_EVENT_ID: Final[dict[str, Any]] = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The last `id` that was received, on any instance: go on after it. Without one, or empty: from now.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]*$"},
    "example": _EVENT_ID,
}
_STREAMED: Final[dict[str, Any]] = {
    "description": "The changes; the answer ends when the service does.",
    "content": {"text/event-stream": {"schema": {"$ref": "#/components/schemas/ServerSentEvent"}, "examples": _EVENTS}},
}


def event_schemas() -> dict[str, Any]:
    """Return the schema that the route points at, by name: FastAPI knows models of JSON answers only."""
    return {"ServerSentEvent": ServerSentEvent.model_json_schema()}


class EventStream(Response):
    """Sends a stream until it ends, the client leaves or takes nothing any more, or its token is not good any more.

    Closes the stream. `caller`: who asks, None where nobody was asked for a token.
    """

    media_type = "text/event-stream"

    def __init__(self, stream: Stream, caller: Caller | None = None) -> None:
        super().__init__(headers=STREAM_HEADERS)
        del self.headers["content-length"]
        self._stream = stream
        self._caller = caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send, as an ASGI application does."""
        abort: Callable[[], None] = scope.get("extensions", {}).get(ABORT, {}).get("connection", lambda: None)
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        ends = [sending, leaving, asyncio.create_task(self._stream.was_cut.wait())]
        tasks, lasts_s = ends, None
        if self._caller is not None:
            tasks, lasts_s = [*ends, asyncio.create_task(self._caller.withdrawn.wait())], seconds_left(self._caller)
        try:
            done, _ = await asyncio.wait(tasks, timeout=lasts_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = leaving.done()
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            await self._stream.close()
        if done.isdisjoint(ends) and sending.cancelled():  # the token has expired, or its key was withdrawn
            try:
                await _in_time(send, END)
            except TimeoutError:
                abort()
        elif sending.cancelled():
            if not left:
                abort()
        elif isinstance(error := sending.exception(), TimeoutError):
            log.info("a client takes nothing of what was sent, and is cut off")
            abort()
        elif error is not None:
            raise error

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._stream.chunks()) as chunks:
            async for chunk in chunks:
                await _in_time(send, {"type": "http.response.body", "body": chunk, "more_body": True})
        await _in_time(send, END)


async def _in_time(send: Send, message: Any) -> None:
    async with asyncio.timeout(SEND_S):
        await send(message)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def change_route(streams: Streams) -> APIRouter:
    """Return the route. It has to come before the one of a note, which would take `changes` for an id."""
    router = APIRouter(tags=["notes"])

    @router.get(
        "/notes/changes",
        operation_id="follow_changes",
        summary="Follow the changes of all notes",
        response_class=Response,
        responses={
            200: _STREAMED,
            **documented_problems(Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING),
        },
        openapi_extra={"parameters": [_LAST_EVENT_ID]},
    )
    async def changes(request: Request) -> Response:
        """Return the changes of all notes as they happen, as server-sent events.

        `change`: a note has a new version, and `GET /notes/{id}` has it too. `reset`: changes before this one are
        lost; read anew what matters. `slow`: this client takes too long, and has to connect again. Comments are
        heartbeats. The answer ends when the token of the request expires.
        """
        if named := [name for name in request.query_params if name.lower().replace("-", "_") in _AS_PARAMETER]:
            # Passed over, the stream would begin now, and nobody would know what was missed.
            raise invalid([(named[0], "is not a parameter: the id goes into the header Last-Event-ID")])
        query_of(request, QueryModel)
        if IS_HEAD in request.scope:  # HEAD
            return Response(None, headers=STREAM_HEADERS, media_type=EventStream.media_type)
        try:
            stream = await streams.open(request.headers.get("last-event-id"))
        except (Busy, TopicUnavailable) as error:
            if isinstance(error, Busy):
                REFUSED.labels("streams").inc()
            return problem(Code.UNAVAILABLE, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        return EventStream(stream, caller_of(request.scope))

    return router


class Live(NamedTuple):
    """`router` has to be included before the one of a note; `run` is a task of the process, `close` lets clients go."""

    router: APIRouter
    run: Callable[[], Awaitable[None]]
    close: Callable[[], None]


def live_changes(
    settings: Settings, cluster: Cluster, database: Database, serving: Serving, *, passed: Passed, health: Health
) -> Live:
    """Return what serves `GET /notes/changes`. `passed` tells how far the projector of the served notes is."""
    documents = MongoChanges(database, lambda: serving.collection(READ_MODEL.name), version_of)

    def report(reason: str | None) -> None:
        health.report(PART, ok=reason is None, reason=reason)

    hub = Hub(EventTopic(cluster, settings.topic_events), documents.levels, passed, time.monotonic, report)
    streams = Streams(hub, serving, settings.query_streams, slow=STREAMS_SLOW.inc)
    STREAMS.set_function(streams.__len__)
    PENDING.set_function(lambda: 0 if hub.pending is None else hub.pending.waiting)
    SET_ASIDE.set_function(lambda: 0 if hub.pending is None else len(hub.pending.aside))
    return Live(change_route(streams), hub.run, streams.close)
