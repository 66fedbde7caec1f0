"""`GET /notes/{id}`: the note as the write store has it, for whoever must read what they have just written."""

from typing import Final

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic_core import to_json

from notes_command.domain.note import Note, Status
from notes_command.gateway.documented import NoteId, answer, documented, header, problems
from notes_command.gateway.problems import Problem
from notes_command.gateway.schemas import NoteView, reference
from notes_command.pipeline.store import PostgresStore
from notes_contracts import Code, format_time
from notes_contracts.examples import CHANGED_AT, CREATED_AT, NOTE_ID

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


def note_routes(reader: PostgresStore) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["notes"])

    etag_header = header("The note's version, in quotes.", {"type": "string"}, '"3"')

    @router.get(
        "/notes/{note_id}",
        **documented(
            "read_note",
            "A note, as it was just written",
            answer(200, "The note.", reference(NoteView), _EXAMPLE, headers={"ETag": etag_header})
            | problems(Code.NOTE_NOT_FOUND, Code.NOTE_DELETED, Code.INVALID, Code.UNAVAILABLE),
        ),
    )
    async def read(note_id: NoteId) -> Response:
        """Return the note at its present version, out of the write store: for whoever must read their own write."""
        note = await reader.note(note_id)
        if note is None:
            raise Problem(Code.NOTE_NOT_FOUND, f"there is no note {note_id}")
        if note.status is Status.DELETED:
            raise Problem(Code.NOTE_DELETED, f"note {note_id} was deleted")
        etag = {"ETag": f'"{note.version}"'}
        return Response(to_json(_shown(note)), headers=etag, media_type="application/json")

    return router


def _shown(note: Note) -> dict[str, object]:
    return {
        "id": note.id,
        "title": note.title,
        "body": note.body,
        "tags": note.tags,
        "author": note.author,
        "status": note.status,
        "version": note.version,
        "created_at": format_time(note.created_at),
        "updated_at": format_time(note.updated_at),
    }
