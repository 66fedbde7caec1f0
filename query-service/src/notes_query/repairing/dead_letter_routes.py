"""`/admin/dead-letters`: list, show, redrive and drop, as the command line does."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field

from notes_chassis.http import dead_letter_routes as chassis
from notes_chassis.http.body import Intake
from notes_chassis.http.dead_letter_routes import Shape
from notes_chassis.http.dead_letters import EXAMPLE, DeadLettersMeant, DeadLettersQuery, example
from notes_contracts.examples import CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.http.problems import documented_problems, read_json
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.dead_letters import Redrive, redriven_as_json, what_is_kept

_ITEM: Final = example("notes.event.note-updated.v1", CREATED_AT, note_id=NOTE_ID, tries=0, changed_at=None)
_DONE: Final = {"id": EXAMPLE, "state": "redriven", "reason": None, "events": {"applied": 1}}


class Asked(DeadLettersQuery):
    """Query of `GET /admin/dead-letters`."""

    subject: Annotated[Id | None, Field(alias="note", description="Only of this note.", examples=[NOTE_ID])] = None


class DeadLetter(BaseModel):
    """A record that nobody could process. `tries`: how often it was redriven; `changed_at`: its state or reason."""

    id: str
    time: Timestamp
    state: Literal["open", "redriven", "dropped"]
    code: str
    type: str | None
    note_id: Id | None
    reason: str
    tries: int
    changed_at: Timestamp | None


class RedrivenLetter(BaseModel):
    """What became of a dead letter: `open` if it failed again, and why. `events`: what was done with its record."""

    id: str
    state: Literal["open", "redriven"]
    reason: str | None
    events: dict[str, int]


class RedrivenLetters(BaseModel):
    """What became of each."""

    items: list[RedrivenLetter]


def dead_letter_routes(
    dead_letters: DeadLetters, redrive: Callable[[], Awaitable[Redrive]], intake: Intake, clock: Callable[[], datetime]
) -> APIRouter:
    """Return the routes. `redrive` gives what applies records to the builds that are fed now."""

    async def apply(these: DeadLettersMeant) -> tuple[Any, dict[str, int]]:
        """Apply each to the documents of every build, the oldest first; twice has one effect.

        Nothing is written to a topic. What fails again stays open, with the new reason.
        """
        apply = await redrive()
        done = [redriven_as_json(one) for one in await apply(these.filter, len(these.ids))]
        failed = sum(one["state"] == "open" for one in done)
        return {"items": done}, {"redriven": len(done) - failed, "failed": failed}

    return chassis.dead_letter_routes(
        what_is_kept(dead_letters, clock),
        Shape(Asked, DeadLetter, _ITEM, documented_problems),
        intake,
        read_json,
        chassis.Redrive(
            apply,
            summary="Apply dead letters to the documents",
            model=RedrivenLetters,
            answered="What became of them.",
            example={"items": [_DONE]},
            body="Which ones; nothing is held back here, `force` or not.",
        ),
    )
