"""One note, at least as new as the reader asks."""

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Final, Literal, NamedTuple

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from notes_chassis.access.guard import caller_of
from notes_chassis.http.queries import WHOLE
from notes_contracts import Code
from notes_contracts.examples import CHANGED_AT, CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.errors import WriteStoreUnavailable
from notes_query.http.problems import problem
from notes_query.http.query_route import (
    DEFAULT_WAIT_S,
    MAX_WAIT_S,
    VERSION_MAX,
    NoteId,
    QueryRoute,
    answers,
    shown_as,
    tagged,
)
from notes_query.projecting.waiters import Waiters
from notes_query.reads.after import AfterCommand, AfterQuery, consistency_of
from notes_query.reads.served import NoteReader, View, is_parked, newest
from notes_query.reads.write_store import WriteStore

NOTE_PROBLEMS: Final = (Code.NOTE_NOT_FOUND, Code.NOTE_DELETED, Code.INVALID, Code.UNAVAILABLE, Code.BUILDING)
EXAMPLE: Final[dict[str, Any]] = {
    "id": NOTE_ID,
    "title": "Bread",
    "preview": "Flour, water, salt, and time.",
    "word_count": 5,
    "tags": ["kitchen"],
    "author": "someone",
    "status": "active",
    "version": 3,
    "created_at": CREATED_AT,
    "updated_at": CHANGED_AT,
}


class NoteQuery(AfterQuery):
    """Query of `GET /notes/{id}`."""

    min_version: Annotated[
        int | None,
        Field(
            ge=0, le=VERSION_MAX, description="Wait until the note is at this version, or a later one.", examples=[1]
        ),
        WHOLE,
    ] = None
    on_stale: Annotated[
        Literal["write-store"] | None,
        Field(
            description="After the wait, read this one note from where it was written, if that can be reached.",
            examples=["write-store"],
        ),
    ] = None


class NoteView(BaseModel):
    """A note without its body. `preview`: its first 100 characters. Times: those of the first and the last event."""

    id: Id
    title: str
    preview: str
    word_count: int
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class Answer(NamedTuple):
    """A note, None if it is not known. `consistency`: the value of the header `Consistency`, None for no header."""

    note: View | None
    consistency: str | None

    @property
    def headers(self) -> dict[str, str]:
        """Return the header `Consistency`."""
        return {} if self.consistency is None else {"Consistency": self.consistency}

    def shown(self, note_id: str, show: Callable[[View], Response]) -> Response:
        """Return what `show` makes of a note that readers may see; 410 for a deleted note, 404 for an unknown one."""
        if self.note is not None and self.note["status"] in ("active", "archived"):
            return show(self.note)
        if _deleted(self.note):
            return problem(Code.NOTE_DELETED, f"The note {note_id} is deleted.", self.headers)
        return problem(Code.NOTE_NOT_FOUND, f"No note {note_id} is known here.", self.headers)


class GetNote:
    """`GET /notes/{id}`."""

    def __init__(self, reader: NoteReader, waiters: Waiters, write_store: WriteStore | None = None) -> None:
        self._reader = reader
        self._waiters = waiters
        self._write_store = write_store

    async def __call__(
        self,
        note_id: str,
        min_version: int | None = None,
        wait_s: float = DEFAULT_WAIT_S,
        ask_write_store: bool = False,  # noqa: FBT001, FBT002 - its caller names it
        authorization: str | None = None,
        *,
        reached: bool | None = None,
    ) -> Answer:
        """Return the note, after waiting at most `wait_s` seconds (10 at most) for `min_version`.

        `reached`: whether what a command did is here, None if the reader has not waited for a command. If that or
        `min_version` was not reached, `ask_write_store` reads this note from command-service, with the reader's own
        `authorization`. Raises StoreUnavailable, Building.
        """
        if min_version is None and reached is None:
            note = await newest(self._reader, self._waiters, note_id, self._reader.view)
            return Answer(note, "parked" if await is_parked(self._reader, note_id, note, waited=False) else None)
        read = partial(self._reader.view, waited=True)
        note = await newest(
            self._reader, self._waiters, note_id, read, min_version=min_version, wait_s=min(wait_s, MAX_WAIT_S)
        )
        current = reached is not False and (min_version is None or _holds(note, min_version))
        if ask_write_store and not current and not _deleted(note):
            written = await self._written(note_id, note, authorization)
            if written is not None:
                return written
        return Answer(note, consistency_of(current, parked=await is_parked(self._reader, note_id, note, waited=True)))

    async def _written(self, note_id: str, known: View | None, authorization: str | None) -> Answer | None:
        """Return the note of command-service; None if it does not answer, or if its note is older than `known`."""
        if self._write_store is None:
            return None
        try:
            written = await self._write_store.view(note_id, authorization)
        except WriteStoreUnavailable:
            return None
        if known is not None and not _deleted(written) and not _holds(written, known["version"]):
            return None
        return Answer(written, "write-store")


def _holds(note: View | None, version: int) -> bool:
    return note is not None and note["version"] >= version


def _deleted(note: View | None) -> bool:
    return note is not None and note["status"] == "deleted"


def note_route(get_note: GetNote, after: AfterCommand) -> APIRouter:
    """Return the route. It has to come after `/notes/search` and `/notes/changes`, which it would take for ids."""
    router = APIRouter(tags=["notes"], route_class=QueryRoute)

    @router.get(
        "/notes/{note_id}",
        operation_id="get_note",
        summary="One note",
        response_model=NoteView,
        responses=answers(EXAMPLE, ("ETag", "Cache-Control", "Consistency"), NOTE_PROBLEMS),
    )
    async def one(note_id: NoteId, query: Annotated[NoteQuery, Query()], request: Request) -> Response:
        """Return the note without its body.

        With `after`, waits until what that command did is here, and with `min_version`, until the note is at that
        version, at most `wait` seconds. Then it answers with what there is; the header `Consistency` says what that is.
        """
        waited = await after(query, "notes")
        # A token is passed on only if this service has checked it.
        checked = query.on_stale is not None and caller_of(request.scope) is not None
        token = request.headers["authorization"] if checked else None
        answer = await get_note(
            note_id, query.min_version, waited.left_s, query.on_stale is not None, token, reached=waited.reached
        )

        def show(note: View) -> Response:
            return tagged(request, f'"{note["version"]}"', answer.headers, lambda: to_json(shown_as(NoteView, note)))

        return answer.shown(note_id, show)

    return router
