"""`/admin/dead-letters`: list, show, redrive and drop, as the command line does."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from notes_chassis.dead_letters import DeadLetters
from notes_chassis.http import dead_letter_routes as chassis
from notes_chassis.http.body import Intake
from notes_chassis.http.dead_letter_routes import Redrive, Shape
from notes_chassis.http.dead_letters import EXAMPLE, NAMED, DeadLettersMeant, DeadLettersQuery, example
from notes_command.dead_letters.cli import sent_back_as_json
from notes_command.dead_letters.dead_letter import full_type
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.gateway.openapi import HeldBack, problems, read_json, refusal
from notes_contracts import Code
from notes_contracts.examples import COMMAND_ID, CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

_ITEM: Final = example("notes.command.update-note.v1", CREATED_AT, command_id=COMMAND_ID, note_id=NOTE_ID)


class Asked(DeadLettersQuery):
    """Query of `GET /admin/dead-letters`."""

    subject: Annotated[Id | None, Field(alias="note", description="Only of this note.", examples=[NOTE_ID])] = None


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


def dead_letter_routes(dead_letters: PostgresDeadLetters, intake: Intake, redriving: PostgresDeadLetters) -> APIRouter:
    """Return the routes of `/admin/dead-letters`. `redriving`: the same dead letters, with more time."""

    async def redrive(these: DeadLettersMeant) -> tuple[Any, dict[str, int]]:
        """Send each back under a new command id, in order; twice has one effect. All are sent, or none.

        409 if a note has changed since, or has an older open dead letter that is not among them: `force` sends it.
        """
        done = await redriving.redrive(these.filter, len(these.ids), force=these.force, all_or_none=True)
        answer = sent_back_as_json(done)
        if done.held:
            sentence = f"{len(done.held)} of these dead letters would be held back, so none was sent"
            raise refusal(
                Code.DEAD_LETTERS_HELD, f"{sentence}; `force` sends them all the same", held=answer["held"][:NAMED]
            )
        return answer, {"redriven": len(done.sent)}

    return chassis.dead_letter_routes(
        DeadLetters(dead_letters.find, dead_letters.whole, dead_letters.drop),
        Shape(Asked, DeadLetter, _ITEM, problems, full_type),
        intake,
        read_json,
        Redrive(
            redrive,
            summary="Send dead letters back",
            model=SentBack,
            answered="They are in the outbox.",
            example={"redriven": [{"id": EXAMPLE, "command_id": COMMAND_ID}], "held": []},
            body="Which ones.",
            codes=(Code.DEAD_LETTERS_HELD,),
        ),
    )
