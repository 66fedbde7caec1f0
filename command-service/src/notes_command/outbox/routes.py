"""`/admin/outbox`: what waits to be sent, and what is parked, as the command line shows it."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from notes_chassis.http.administration import AdminRoute, PageQuery, act_on, came_of_it
from notes_chassis.http.body import BODY_CODES, Intake
from notes_chassis.http.openapi import json_body, shown
from notes_command.gateway.openapi import problems, read_json
from notes_command.outbox import backlog
from notes_command.outbox.backlog import DroppedRows, OutboxSeen, Unparked
from notes_command.outbox.store import PostgresOutbox
from notes_contracts import Code, parse_id
from notes_contracts.examples import CHANGED_AT, NOTE_ID

_NOTE: Final = {"note_id": NOTE_ID}
_ROW: Final = {
    "position": 4711,
    "topic": "notes.events",
    "aggregateid": NOTE_ID,
    "type": "notes.event.note-updated.v1",
    "parked_at": CHANGED_AT,
    "reason": "MessageSizeTooLargeError",
}
_ANSWERS: Final = problems(*BODY_CODES, Code.INVALID, Code.UNAVAILABLE)


class ParkedNote(BaseModel):
    """Whose records: a note's id, or what stands in its place for a record that named no note."""

    model_config = ConfigDict(strict=True, extra="forbid")

    note_id: Annotated[str, Field(min_length=1, max_length=400, pattern=r"^[^\x00]*$")]


def outbox_routes(outbox: PostgresOutbox, intake: Intake) -> APIRouter:
    """Return the routes of `/admin/outbox`."""
    router = APIRouter(tags=["operations"], route_class=AdminRoute)

    async def note_of(request: Request) -> str:
        with intake.room() as upload:
            text = read_json(ParkedNote, await intake.read(request, upload)).note_id
        act_on(request, note_id=text)
        return parse_id(text) or text

    @router.get(
        "/admin/outbox",
        summary="What waits to be sent, and what is parked",
        response_description="The counts, and the first parked records.",
        responses=shown(200, {"waiting": 0, "oldest_s": 0.0, "parked": 1, "rows": [_ROW]})
        | problems(Code.INVALID, Code.UNAVAILABLE),
    )
    async def show_outbox(query: Annotated[PageQuery, Query()]) -> OutboxSeen:
        """Return what the outbox holds, without contents."""
        return await backlog.seen(outbox, query.limit)

    @router.post(
        "/admin/outbox/unpark",
        summary="Send a note's parked records",
        response_description="What became of them within 10 s.",
        responses=shown(200, {"note": NOTE_ID, "unparked": 1, "sent": 1, "waiting": 0, "parked": 0, "reason": None})
        | _ANSWERS,
        openapi_extra=json_body(ParkedNote, "Whose records.", _NOTE),
    )
    async def unpark(request: Request) -> Unparked:
        """Let them go, in order, and wait for at most 10 s until they are sent, or parked again."""
        done = await backlog.unpark(outbox, await note_of(request))
        came_of_it(request, sent=done.sent, waiting=done.waiting, parked=done.parked)
        return done

    @router.post(
        "/admin/outbox/drop",
        summary="Drop a note's parked records",
        response_description="How many were dropped.",
        responses=shown(200, {"note": NOTE_ID, "dropped": 1}) | _ANSWERS,
        openapi_extra=json_body(ParkedNote, "Whose records.", _NOTE),
    )
    async def drop_parked(request: Request) -> DroppedRows:
        """Remove them for good. `POST /admin/republish` sends what the note is now."""
        done = await backlog.drop(outbox, await note_of(request))
        came_of_it(request, dropped=done.dropped)
        return done

    return router
