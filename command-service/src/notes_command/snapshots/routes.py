"""`POST /admin/republish`: a snapshot of one note, for a reader that misses something."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from notes_chassis.http.body import Intake
from notes_command.gateway.documented import BODY_CODES, answer, documented, problems
from notes_command.gateway.problems import Problem, read_json
from notes_command.gateway.schemas import NoteAsked, reference
from notes_command.snapshots.republish import PostgresSnapshots
from notes_contracts import Code
from notes_contracts.examples import NOTE_ID

PER_SECOND: Final = 20.0
BURST: Final = 100.0


@dataclass(slots=True)
class Bucket:
    """A token bucket: `BURST` at once, `PER_SECOND` in the long run."""

    clock: Callable[[], float] = time.monotonic
    _tokens: float = BURST
    _filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._filled_at = self.clock()

    def take(self) -> bool:
        """Return whether there was a token left."""
        now = self.clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def admin_routes(snapshots: PostgresSnapshots, intake: Intake) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["operations"])
    bucket = Bucket()

    body = {
        "required": True,
        "description": "The note.",
        "content": {"application/json": {"schema": reference(NoteAsked), "example": {"note_id": NOTE_ID}}},
    }

    @router.post(
        "/admin/republish",
        **documented(
            "republish",
            "Send a snapshot of a note",
            answer(202, "The snapshot is in the outbox.", reference(NoteAsked), {"note_id": NOTE_ID})
            | problems(*BODY_CODES, Code.NOTE_NOT_FOUND, Code.INVALID, Code.TOO_MANY_REQUESTS, Code.UNAVAILABLE),
            body=body,
        ),
    )
    async def republish(request: Request) -> Response:
        """Put the note's snapshot into the outbox; 429 when asked too often."""
        with intake.room() as upload:
            asked = read_json(NoteAsked, await intake.read(request, upload))
        if not bucket.take():
            raise Problem(Code.TOO_MANY_REQUESTS, f"at most {PER_SECOND:g} snapshots a second")
        if not await snapshots.one(asked.note_id):
            raise Problem(Code.NOTE_NOT_FOUND, f"there is no note {asked.note_id}")
        return Response(to_json({"note_id": asked.note_id}), 202, media_type="application/json")

    return router
