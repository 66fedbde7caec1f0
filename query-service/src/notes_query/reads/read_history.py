"""The versions of one note."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from notes_chassis.http.queries import WHOLE
from notes_contracts.examples import COMMAND_ID, CREATED_AT
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.http.query_route import (
    VERSION_MAX,
    LagSeconds,
    Limit,
    NoteId,
    QueryRoute,
    answers,
    digested,
    lag_header,
    shown_as,
)
from notes_query.mongo.database import Database
from notes_query.mongo.driver import in_time
from notes_query.projections.read_model import Serving
from notes_query.reads.after import AfterCommand, AfterQuery
from notes_query.reads.get_note import NOTE_PROBLEMS, Answer, GetNote
from notes_query.reads.served import View, served

_ENTRY: Final = {"_id": 0, "note_id": 0, "event_id": 0}
_EXAMPLE: Final[dict[str, Any]] = {
    "items": [
        {
            "version": 1,
            "type": "notes.event.note-created.v1",
            "occurred_at": CREATED_AT,
            "command_id": COMMAND_ID,
            "actor": "someone",
        }
    ],
    "next_after_version": None,
}


class HistoryQuery(AfterQuery):
    """Query of `GET /notes/{id}/history`."""

    limit: Limit = 50
    after_version: Annotated[
        int, Field(ge=0, le=VERSION_MAX, description="`next_after_version` of the page before.", examples=[1]), WHOLE
    ] = 0


class HistoryEntry(BaseModel):
    """One version. `type` is the event's, `command_id` its cause, `actor` who asked; null where it does not tell."""

    version: int
    type: str
    occurred_at: Timestamp | None
    command_id: Id | None
    actor: str | None


class HistoryPage(BaseModel):
    """A page of versions, in order; `next_after_version` is null on the last one."""

    items: list[HistoryEntry]
    next_after_version: int | None


class History(NamedTuple):
    """A page of entries; `next_after_version` is None on the last page. `answer`: the note itself."""

    answer: Answer
    entries: Sequence[View]
    next_after_version: int | None


class ReadHistory:
    """`GET /notes/{id}/history`."""

    def __init__(self, get_note: GetNote, database: Database, serving: Serving) -> None:
        self._get_note = get_note
        self._served = served(database, serving)
        self._timeout_s = database.timeout_s

    async def __call__(self, note_id: str, query: HistoryQuery, reached: bool | None) -> History:  # noqa: FBT001 - as Waited has it
        """Return a page of entries. Raises StoreUnavailable, Building.

        No entry is above the version of the note: events behind a gap or a fork have entries already.
        `reached`: whether what a command did is here, None if the reader has not waited for a command.
        """
        answer = await self._get_note(note_id, reached=reached)
        if answer.note is None or answer.note["status"] == "deleted":
            return History(answer, (), None)
        limit, version = query.limit, answer.note["version"]
        entries = await self.entries(note_id, query.after_version, version, limit + 1, waited=reached is not None)
        following = entries[limit - 1]["version"] if len(entries) > limit else None
        return History(answer, entries[:limit], following)

    async def entries(
        self, note_id: str, after_version: int, up_to: int, limit: int, *, waited: bool = False
    ) -> list[View]:
        """Return at most `limit` entries above the first version and up to the second one, in order."""
        cursor = entries_query(self._served[waited]["history"], note_id, after_version, up_to, limit)
        found: list[View] = await in_time(cursor.to_list(None), self._timeout_s)
        return found


def entries_query(history: Any, note_id: str, after_version: int, up_to: int, limit: int) -> Any:
    """Return the cursor of a page of entries."""
    query = {"note_id": note_id, "version": {"$gt": after_version, "$lte": up_to}}
    return history.find(query, _ENTRY, sort=[("version", 1)], limit=limit, batch_size=limit)


def history_route(read_history: ReadHistory, lag: LagSeconds, after: AfterCommand) -> APIRouter:
    """Return the route; `lag` is that of the projector that the history is built by."""
    router = APIRouter(tags=["notes"], route_class=QueryRoute)

    @router.get(
        "/notes/{note_id}/history",
        operation_id="get_note_history",
        summary="The versions of one note",
        response_model=HistoryPage,
        responses=answers(_EXAMPLE, ("ETag", "Cache-Control", "Consistency", "Projection-Lag"), NOTE_PROBLEMS),
    )
    async def page(note_id: NoteId, query: Annotated[HistoryQuery, Query()], request: Request) -> Response:
        """Return the versions of the note, the first one first. They may appear here a moment after the note itself.

        A `note-snapshotted` stands where the event of its version, and perhaps some before it, did not arrive.
        """
        reached = (await after(query, "notes", "history")).reached
        answer, entries, following = await read_history(note_id, query, reached)
        items = [shown_as(HistoryEntry, {"actor": None, **entry}) for entry in entries]
        body = {"items": items, "next_after_version": following}
        return answer.shown(note_id, lambda _: digested(request, body, answer.headers | lag_header(lag)))

    return router
