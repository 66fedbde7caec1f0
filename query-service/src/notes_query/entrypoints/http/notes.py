"""`GET /notes/{id}` and `GET /notes`."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_contracts import Code
from notes_query.application.get_note import GetNote
from notes_query.application.list_notes import ListNotes
from notes_query.application.ports import View
from notes_query.entrypoints.http.parameters import ListQuery, NoteQuery, documented, id_of, matches, query_of
from notes_query.entrypoints.http.problems import documented_problems, problem
from notes_query.entrypoints.http.views import NotePage, NoteView, note_summary, note_view

_NO_QUERY: Final = NoteQuery()


def note_routes(get_note: GetNote, list_notes: ListNotes) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["notes"])

    async def one(request: Request) -> Response:
        """Return one note.

        With `min_version`, waits until it is at that version; the header `Consistency` says whether it is (`current`)
        or not (`stale`). `parked`: a version is missing, and later ones wait for it.
        """
        id_ = id_of(request.path_params["note_id"], "note_id")
        query = query_of(request, NoteQuery) if request.scope["query_string"] else _NO_QUERY
        note, consistency = await get_note(id_, query.min_version, query.wait)
        headers = {} if consistency is None else {"Consistency": consistency}
        if note is None or note["status"] not in ("active", "archived"):
            return _gone(id_, note, headers)
        etag = headers["ETag"] = f'"{note["version"]}"'
        headers["Cache-Control"] = "no-cache"
        if matches(request.headers.get("if-none-match"), etag):
            return Response(None, 304, headers)
        return Response(to_json(note_view(note)), 200, headers, "application/json")

    # The hot road goes around FastAPI's dependency solving, which costs as much as reading the note does. The second
    # route is never reached: it is there for the documentation.
    router.add_route("/notes/{note_id}", one, methods=["GET"], include_in_schema=False)
    router.add_api_route(
        "/notes/{note_id}",
        one,
        methods=["GET"],
        response_class=Response,
        responses={
            200: {"model": NoteView},
            304: {"description": "Not Modified"},
            **documented_problems(404, 410, 422, 503),
        },
        openapi_extra=documented(NoteQuery, path="note_id"),
    )

    @router.get(
        "/notes",
        response_class=Response,
        responses={200: {"model": NotePage}, **documented_problems(400, 422, 503)},
        openapi_extra=documented(ListQuery),
    )
    async def page(request: Request) -> Response:
        """Return notes, newest created first. `cursor` is the `next_cursor` of the page before."""
        query = query_of(request, ListQuery)
        notes, next_cursor = await list_notes(query.limit, query.cursor, query.status)
        body = {"items": [note_summary(note) for note in notes], "next_cursor": next_cursor}
        return Response(to_json(body), 200, None, "application/json")

    return router


def _gone(note_id: str, note: View | None, headers: Mapping[str, str]) -> Response:
    if note is not None and note["status"] == "deleted":
        return problem(Code.NOTE_DELETED, f"The note {note_id} is deleted.", headers)
    return problem(Code.NOTE_NOT_FOUND, f"No note {note_id} is known here.", headers)
