"""`GET /notes/{id}`: the note as the write store has it, for whoever must read what they have just written."""

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic_core import to_json

from notes_command.application.ports import Reader
from notes_command.domain.note import Note, Status
from notes_command.entrypoints.http.problems import Problem
from notes_contracts import Code, format_time, parse_id


def note_routes(reader: Reader) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["notes"])

    @router.get("/notes/{note_id}")
    async def read(note_id: str) -> Response:
        """Return the note at its present version."""
        known = parse_id(note_id)
        if known is None:
            errors = [{"field": "note_id", "message": "not a UUID"}]
            raise Problem(Code.INVALID, "note_id: not a UUID", errors=errors)
        note = await reader.note(known)
        if note is None:
            raise Problem(Code.NOTE_NOT_FOUND, f"there is no note {known}")
        if note.status is Status.DELETED:
            raise Problem(Code.NOTE_DELETED, f"note {known} was deleted")
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
