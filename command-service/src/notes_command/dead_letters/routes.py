"""`/admin/dead-letters`: list, show, redrive and drop, as the command line does."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from notes_chassis.http import dead_letter_routes as chassis
from notes_chassis.http.administration import came_of_it
from notes_chassis.http.body import Intake
from notes_chassis.http.dead_letter_routes import ACT_CODES, Meant, Shape
from notes_chassis.http.dead_letters import (
    EXAMPLE,
    MEANT,
    NAMED,
    REASON_EXAMPLE,
    DeadLettersMeant,
    DeadLettersQuery,
)
from notes_chassis.http.openapi import json_body, shown
from notes_command.dead_letters.cli import sent_back_as_json, what_is_kept
from notes_command.dead_letters.dead_letter import full_type
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.gateway.openapi import HeldBack, problems
from notes_command.gateway.problems import Problem, read_json
from notes_contracts import Code
from notes_contracts.examples import COMMAND_ID, CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

_ITEM: Final = {
    "id": EXAMPLE,
    "time": CREATED_AT,
    "state": "open",
    "code": "undecodable",
    "type": "notes.command.update-note.v1",
    "command_id": COMMAND_ID,
    "note_id": NOTE_ID,
    "reason": REASON_EXAMPLE,
}


class Asked(DeadLettersQuery):
    """Query of `GET /admin/dead-letters`."""

    subject: Annotated[Id | None, Field(alias="note", description="Only of this note.", examples=[NOTE_ID])] = None

    @property
    def full_type(self) -> str | None:
        """Return the type that is meant."""
        return None if self.type is None else full_type(self.type)


class DeadLetter(BaseModel):
    """A record that nobody could process."""

    id: str
    time: Timestamp
    state: Literal["open", "redriven", "dropped"]
    code: str
    type: str | None
    command_id: Id | None
    note_id: Id | None
    reason: str


class Redriven(BaseModel):
    """A dead letter that was sent back, and under which command id."""

    id: str
    command_id: Id


class SentBack(BaseModel):
    """What came of a redrive. Over HTTP all are sent or none, so that nothing is held back here."""

    redriven: list[Redriven]
    held: list[HeldBack]


def dead_letter_routes(dead_letters: PostgresDeadLetters, intake: Intake) -> APIRouter:
    """Return the routes."""

    def add_redrive(router: APIRouter, meant: Meant) -> None:
        @router.post(
            "/admin/dead-letters/redrive",
            summary="Send dead letters back",
            response_model=SentBack,
            response_description="They are in the outbox.",
            responses=shown(200, {"redriven": [{"id": EXAMPLE, "command_id": COMMAND_ID}], "held": []})
            | problems(*ACT_CODES, Code.DEAD_LETTERS_HELD),
            openapi_extra=json_body(DeadLettersMeant, "Which ones.", MEANT),
        )
        async def redrive_dead_letters(request: Request) -> Any:
            """Send each back under a new command id, in order; twice has one effect. All are sent, or none.

            409 if a note has changed since, or has an older open dead letter that is not among them: `force` sends it.
            """
            these = await meant(request)
            done = await dead_letters.redrive(these.filter, len(these.ids), force=these.force, all_or_none=True)
            said = sent_back_as_json(done)
            if done.held:
                sentence = f"{len(done.held)} of these dead letters would be held back, so none was sent"
                raise Problem(
                    Code.DEAD_LETTERS_HELD, f"{sentence}; `force` sends them all the same", held=said["held"][:NAMED]
                )
            came_of_it(request, redriven=len(done.sent))
            return said

    shape = Shape(Asked, DeadLetter, _ITEM, problems)
    return chassis.dead_letter_routes(what_is_kept(dead_letters), shape, intake, read_json, add_redrive)
