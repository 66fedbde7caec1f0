"""`GET /notes/{id}/history`."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_contracts import Code
from notes_query.http import examples
from notes_query.reads.lag_header import LagSeconds, lag_header
from notes_query.reads.note_routes import no_such_note
from notes_query.reads.parameters import HistoryQuery, id_of, query_of
from notes_query.reads.read_history import ReadHistory
from notes_query.reads.routing import add_get
from notes_query.reads.views import HistoryPage, history_entry


def history_routes(read_history: ReadHistory, lag: LagSeconds) -> APIRouter:
    """Return the route; `lag` is that of the lane the history is built in."""
    router = APIRouter(tags=["notes"])

    async def page(request: Request) -> Response:
        """Return the versions of the note, the first one first. They may appear here a moment after the note itself.

        A `note-snapshotted` stands where the event of its version, and perhaps some before it, did not arrive.
        """
        id_ = id_of(request.path_params["note_id"], "note_id")
        query = query_of(request, HistoryQuery)
        answer, entries, following = await read_history(id_, query.limit, query.after_version)
        headers = {} if answer.consistency is None else {"Consistency": answer.consistency}
        if answer.note is None or answer.note["status"] not in ("active", "archived"):
            return no_such_note(id_, answer.note, headers)
        body = {"items": [history_entry(entry) for entry in entries], "next_after_version": following}
        return Response(to_json(body), 200, headers | lag_header(lag), "application/json")

    add_get(
        router,
        "/notes/{note_id}/history",
        page,
        operation_id="get_note_history",
        summary="The versions of one note",
        query=HistoryQuery,
        path_id="note_id",
        answer=HistoryPage,
        example=examples.HISTORY,
        headers=("Consistency", "Projection-Lag"),
        problems=(Code.NOTE_NOT_FOUND, Code.NOTE_DELETED, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING),
    )
    return router
