"""`GET /notes/{id}` and `GET /notes/{id}/body`."""

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_chassis.http.places import Places
from notes_contracts import Code
from notes_query.http import examples
from notes_query.http.problems import problem
from notes_query.projecting.ports import View
from notes_query.reads.get_body import GetBody
from notes_query.reads.get_note import GetNote
from notes_query.reads.parameters import NoteQuery, Query, id_of, matches, query_of
from notes_query.reads.routing import add_get
from notes_query.reads.views import BodyView, NoteView, body_view, note_view

_NO_QUERY: Final = NoteQuery()
_PROBLEMS: Final = (Code.NOTE_NOT_FOUND, Code.NOTE_DELETED, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING)


def note_routes(get_note: GetNote, get_body: GetBody, places: Places) -> APIRouter:
    """Return the routes. They come after every other that begins with `/notes/`: an id is whatever is left."""
    router = APIRouter(tags=["notes"])

    async def one(request: Request) -> Response:
        """Return the note without its body.

        With `min_version`, waits until it is at that version, at most `wait` seconds, and then answers with what there
        is; the header `Consistency` says what that is.
        """
        id_ = id_of(request.path_params["note_id"], "note_id")
        query = query_of(request, NoteQuery) if request.scope["query_string"] else _NO_QUERY
        with nullcontext() if query.min_version is None else places.one():
            note, consistency = await get_note(id_, query.min_version, query.wait, query.on_stale is not None)
        headers = {} if consistency is None else {"Consistency": consistency}
        if note is None or note["status"] not in ("active", "archived"):
            return no_such_note(id_, note, headers)
        etag = headers["ETag"] = f'"{note["version"]}"'
        headers["Cache-Control"] = "no-cache"
        if matches(request.headers.getlist("if-none-match"), etag):
            return Response(None, 304, headers)
        return Response(to_json(note_view(note)), 200, headers, "application/json")

    async def body(request: Request) -> Response:
        """Return the whole body of the note."""
        id_ = id_of(request.path_params["note_id"], "note_id")
        query_of(request, Query)
        note, consistency = await get_body(id_)
        headers = {} if consistency is None else {"Consistency": consistency}
        if note is None or note["status"] not in ("active", "archived"):
            return no_such_note(id_, note, headers)
        return Response(to_json(body_view(note)), 200, headers, "application/json")

    add_get(
        router,
        "/notes/{note_id}",
        one,
        operation_id="get_note",
        summary="One note",
        query=NoteQuery,
        path_id="note_id",
        answer=NoteView,
        example=examples.NOTE,
        headers=("ETag", "Cache-Control", "Consistency"),
        conditional=True,
        problems=_PROBLEMS,
    )
    add_get(
        router,
        "/notes/{note_id}/body",
        body,
        operation_id="get_note_body",
        summary="The body of one note",
        query=Query,
        path_id="note_id",
        answer=BodyView,
        example=examples.BODY,
        headers=("Consistency",),
        problems=_PROBLEMS,
    )
    return router


def no_such_note(note_id: str, note: View | None, headers: Mapping[str, str]) -> Response:
    """Return 410 for a deleted note, 404 for any other that readers do not see."""
    if note is not None and note["status"] == "deleted":
        return problem(Code.NOTE_DELETED, f"The note {note_id} is deleted.", headers)
    return problem(Code.NOTE_NOT_FOUND, f"No note {note_id} is known here.", headers)
