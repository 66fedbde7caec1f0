"""`GET /notes/{id}`: the note as the write store has it, for clients that must read their own write."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Path, Request, Response
from pydantic import AfterValidator, BaseModel, WithJsonSchema
from pydantic_core import PydanticCustomError

from notes_chassis.http.openapi import header, shown
from notes_chassis.http.queries import QueryModel, query_of
from notes_command.domain.note import Status
from notes_command.gateway.openapi import DASHED, UUID, problems, refusal
from notes_command.pipeline.store import PostgresStore
from notes_contracts import Code, format_time, parse_id
from notes_contracts.examples import CHANGED_AT, CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp


def _uuid(text: str) -> str:
    note_id = parse_id(text)
    if note_id is None:
        raise PydanticCustomError("uuid", "not a UUID")
    return note_id


NoteId = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema(UUID),
    Path(description=f"The note. {DASHED}", openapi_examples={"note": {"value": NOTE_ID}}),
]


class NoteView(BaseModel):
    """A note as the write store has it, at its present version."""

    id: Id
    title: str
    body: str
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


_EXAMPLE: Final = {
    "id": NOTE_ID,
    "title": "Bread",
    "body": "Flour, water, salt, and time.",
    "tags": ["kitchen"],
    "author": "someone",
    "status": "active",
    "version": 3,
    "created_at": CREATED_AT,
    "updated_at": CHANGED_AT,
}
_ETAG: Final = {"ETag": header("The note's version, in quotes.", {"type": "string"}, '"3"')}


def note_routes(reader: PostgresStore) -> APIRouter:
    """Return the route of `/notes/{note_id}`."""
    router = APIRouter(tags=["notes"])

    @router.get(
        "/notes/{note_id}",
        summary="A note, as it was just written",
        response_description="The note.",
        responses=shown(200, _EXAMPLE, headers=_ETAG)
        | problems(Code.NOTE_NOT_FOUND, Code.NOTE_DELETED, Code.INVALID, Code.UNAVAILABLE),
    )
    async def read_note(note_id: NoteId, request: Request, response: Response) -> NoteView:
        """Return the note at its present version, out of the write store: for whoever must read their own write."""
        query_of(request, QueryModel)
        note = await reader.note(note_id)
        if note is None:
            raise refusal(Code.NOTE_NOT_FOUND, f"there is no note {note_id}")
        if note.status is Status.DELETED:
            raise refusal(Code.NOTE_DELETED, f"note {note_id} was deleted")
        response.headers["ETag"] = f'"{note.version}"'
        # No validation: a stored note was validated when it was written.
        return NoteView.model_construct(
            id=note.id,
            title=note.title,
            body=note.body,
            tags=list(note.tags),
            author=note.author,
            status="archived" if note.status is Status.ARCHIVED else "active",
            version=note.version,
            created_at=format_time(note.created_at),
            updated_at=format_time(note.updated_at),
        )

    return router
