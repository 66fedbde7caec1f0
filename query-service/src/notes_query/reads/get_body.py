"""The whole body of one note."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json

from notes_contracts.examples import NOTE_ID
from notes_contracts.ids import Id
from notes_query.reads.get_note import NOTE_PROBLEMS, Answer, no_such_note
from notes_query.reads.route import Query, id_of, query_of, route
from notes_query.reads.served import NoteReader

_EXAMPLE: Final[dict[str, Any]] = {"id": NOTE_ID, "version": 3, "body": "Flour, water, salt, and time."}


class BodyQuery(Query):
    """Query of `GET /notes/{id}/body`: there is nothing to choose."""


class BodyView(BaseModel):
    """The whole body of a note."""

    id: Id
    version: int
    body: str


class GetBody:
    """`GET /notes/{id}/body`."""

    def __init__(self, reader: NoteReader) -> None:
        self._reader = reader

    async def __call__(self, note_id: str) -> Answer:
        """Return the note's body, whatever its status. Raises StoreUnavailable, Building."""
        note = await self._reader.body(note_id)
        parked = await self._reader.has_waiting(note_id) if note is None else note["parked"]
        return Answer(note, "parked" if parked else None)


def body_route(get_body: GetBody) -> APIRouter:
    """Return the route."""

    async def body(request: Request) -> Response:
        """Return the whole body of the note."""
        id_ = id_of(request.path_params["note_id"], "note_id")
        query_of(request, BodyQuery)
        note, consistency = await get_body(id_)
        headers = {} if consistency is None else {"Consistency": consistency}
        if note is None or note["status"] not in ("active", "archived"):
            return no_such_note(id_, note, headers)
        return Response(
            to_json({"id": id_, "version": note["version"], "body": note["body"]}), 200, headers, "application/json"
        )

    return route(
        "/notes/{note_id}/body",
        body,
        tag="notes",
        operation_id="get_note_body",
        summary="The body of one note",
        query=BodyQuery,
        path_id="note_id",
        answer=BodyView,
        example=_EXAMPLE,
        headers=("Consistency",),
        problems=NOTE_PROBLEMS,
    )
