"""`GET /notes/changes`."""

from typing import Final

from fastapi import APIRouter, Request, Response

from notes_chassis.http.head import ASKED
from notes_contracts import Code
from notes_query.errors import Busy, TopicUnavailable
from notes_query.http.problems import documented_problems, problem
from notes_query.live.event_stream import STREAM_HEADERS, EventStream
from notes_query.live.streams import Streams
from notes_query.live.views import LAST_EVENT_ID, STREAMED

RETRY_AFTER_S: Final = 5


def change_routes(streams: Streams) -> APIRouter:
    """Return the route. It has to come before the one of a note, which would take `changes` for an id."""
    router = APIRouter(tags=["notes"])

    async def changes(request: Request) -> Response:
        """Return the changes of all notes as they happen, as server-sent events.

        `change`: a note has a new version, and `GET /notes/{id}` has it too. `reset`: changes before this one are
        lost; read anew what matters. `slow`: this client takes too long, and has to connect again. Comments are
        heartbeats.
        """
        if ASKED in request.scope:  # HEAD
            return Response(None, headers=STREAM_HEADERS, media_type=EventStream.media_type)
        try:
            stream = await streams.open(request.headers.get("last-event-id"))
        except (Busy, TopicUnavailable) as error:
            return problem(Code.UNAVAILABLE, str(error), {"Retry-After": str(RETRY_AFTER_S)})
        return EventStream(stream)

    path = "/notes/changes"
    router.add_route(path, changes, methods=["GET"], include_in_schema=False)
    # Never reached, since the one before it is found first: it is there for the documentation.
    router.add_api_route(
        path,
        changes,
        methods=["GET"],
        operation_id="follow_changes",
        summary="Follow the changes of all notes",
        response_class=Response,
        responses={200: STREAMED, **documented_problems(Code.INVALID_CURSOR, Code.UNAVAILABLE, Code.BUILDING)},
        openapi_extra={"parameters": [LAST_EVENT_ID]},
    )
    return router
