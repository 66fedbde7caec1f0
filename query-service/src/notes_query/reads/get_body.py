"""The whole body of one note."""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from notes_contracts.examples import NOTE_ID
from notes_contracts.ids import Id
from notes_query.http.query_route import NoteId, QueryRoute, answers, tagged
from notes_query.projecting.waiters import Waiters
from notes_query.reads.after import AfterCommand, AfterQuery, consistency_of
from notes_query.reads.get_note import NOTE_PROBLEMS, Answer
from notes_query.reads.served import NoteReader, View, is_parked, newest

_EXAMPLE: Final[dict[str, Any]] = {"id": NOTE_ID, "version": 3, "body": "Flour, water, salt, and time."}


class BodyView(BaseModel):
    """The whole body of a note."""

    id: Id
    version: int
    body: str


class GetBody:
    """`GET /notes/{id}/body`."""

    def __init__(self, reader: NoteReader, waiters: Waiters) -> None:
        self._reader = reader
        self._waiters = waiters

    async def __call__(self, note_id: str, reached: bool | None = None) -> Answer:  # noqa: FBT001 - as Waited has it
        """Return the note's body, whatever its status. Raises StoreUnavailable, Building.

        `reached`: whether what a command did is here, None if the reader has not waited for a command.
        """
        waited = reached is not None
        note = await newest(self._reader, self._waiters, note_id, partial(self._reader.body, waited=waited))
        return Answer(note, consistency_of(reached, parked=await is_parked(self._reader, note_id, note, waited=waited)))


def body_route(get_body: GetBody, after: AfterCommand) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["notes"], route_class=QueryRoute)

    @router.get(
        "/notes/{note_id}/body",
        operation_id="get_note_body",
        summary="The body of one note",
        response_model=BodyView,
        responses=answers(_EXAMPLE, ("ETag", "Cache-Control", "Consistency"), NOTE_PROBLEMS),
    )
    async def body(note_id: NoteId, query: Annotated[AfterQuery, Query()], request: Request) -> Response:
        """Return the whole body of the note."""
        answer = await get_body(note_id, (await after(query, "notes")).reached)

        def show(note: View) -> Response:
            body = {"id": note_id, "version": note["version"], "body": note["body"]}
            return tagged(request, f'"{note["version"]}"', answer.headers, lambda: to_json(body))

        return answer.shown(note_id, show)

    return router
