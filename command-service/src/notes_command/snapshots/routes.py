"""`POST /admin/republish`: sends a snapshot of a note, for a reader that missed an event."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from notes_chassis.http.administration import AdminRoute, act_on
from notes_chassis.http.body import BODY_CODES, Intake
from notes_chassis.http.openapi import json_body, shown
from notes_command.gateway.openapi import problems, read_json, refusal
from notes_command.snapshots.republish import PostgresSnapshots
from notes_contracts import Code
from notes_contracts.examples import NOTE_ID
from notes_contracts.ids import Id

PER_SECOND: Final = 20.0
BURST: Final = 100.0
_EXAMPLE: Final = {"note_id": NOTE_ID}


class NoteAsked(BaseModel):
    """The note that is asked for."""

    model_config = ConfigDict(strict=True, extra="forbid")

    note_id: Id


@dataclass(slots=True)
class Bucket:
    """A token bucket: `BURST` tokens at once, `PER_SECOND` in the long run."""

    clock: Callable[[], float] = time.monotonic
    _tokens: float = BURST
    _filled_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._filled_at = self.clock()

    def take(self) -> bool:
        """Take a token. Return whether there was one."""
        now = self.clock()
        self._tokens = min(BURST, self._tokens + (now - self._filled_at) * PER_SECOND)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def admin_routes(snapshots: PostgresSnapshots, intake: Intake) -> APIRouter:
    """Return the route of `/admin/republish`."""
    router = APIRouter(tags=["operations"], route_class=AdminRoute)
    bucket = Bucket()

    @router.post(
        "/admin/republish",
        status_code=202,
        summary="Send a snapshot of a note",
        response_description="The snapshot is in the outbox.",
        responses=shown(202, _EXAMPLE)
        | problems(*BODY_CODES, Code.NOTE_NOT_FOUND, Code.INVALID, Code.TOO_MANY_REQUESTS, Code.UNAVAILABLE),
        openapi_extra=json_body(NoteAsked, "The note.", _EXAMPLE),
    )
    async def republish(request: Request) -> NoteAsked:
        """Put the note's snapshot into the outbox; 429 when asked too often."""
        with intake.room() as upload:
            asked = read_json(NoteAsked, await intake.read(request, upload))
        act_on(request, note_id=asked.note_id)
        if not bucket.take():
            raise refusal(Code.TOO_MANY_REQUESTS, f"at most {PER_SECOND:g} snapshots a second")
        if not await snapshots.one(asked.note_id):
            raise refusal(Code.NOTE_NOT_FOUND, f"there is no note {asked.note_id}")
        return asked

    return router
