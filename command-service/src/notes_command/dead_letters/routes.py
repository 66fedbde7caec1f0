"""`/admin/dead-letters`: list, show, redrive and drop, as the command line does."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from notes_chassis.dead_letters import After, Parts, Position
from notes_chassis.http.administration import AdminRoute, came_of_it
from notes_chassis.http.body import BODY_CODES, Intake
from notes_chassis.http.dead_letters import (
    CURSOR_EXAMPLE,
    EXAMPLE,
    MEANT,
    NAMED,
    REASON_EXAMPLE,
    RECORD,
    DeadLetterId,
    DeadLettersMeant,
    DeadLettersQuery,
    Dropped,
    RecordPreview,
    act_on_meant,
    not_found,
    only_posted,
    page_of,
    previewed,
)
from notes_chassis.http.openapi import json_body
from notes_command.dead_letters.cli import as_json, sent_back_as_json
from notes_command.dead_letters.dead_letter import full_type
from notes_command.dead_letters.store import PostgresDeadLetters
from notes_command.gateway.openapi import HeldBack, problems, shown
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
_ALWAYS: Final = (*BODY_CODES, Code.INVALID, Code.DEAD_LETTER_NOT_FOUND, Code.UNAVAILABLE)


class Asked(DeadLettersQuery):
    """Query of `GET /admin/dead-letters`."""

    note: Annotated[Id | None, Field(description="Only of this note.", examples=[NOTE_ID])] = None


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


class WholeDeadLetter(RecordPreview, DeadLetter):
    """A dead letter with its record."""


class DeadLetterPage(BaseModel):
    """Dead letters, the oldest first; `next_cursor` is null on the last page."""

    items: list[DeadLetter]
    next_cursor: str | None


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
    router = APIRouter(tags=["operations"], route_class=AdminRoute)

    async def meant(request: Request) -> DeadLettersMeant:
        """Return which are meant. Raises Problem, also if one of them is not there."""
        with intake.room() as upload:
            these = read_json(DeadLettersMeant, await intake.read(request, upload))
        return await act_on_meant(request, these, dead_letters.find)

    @router.get(
        "/admin/dead-letters",
        summary="Dead letters, the oldest first",
        response_model=DeadLetterPage,
        response_description="A page of them.",
        responses=shown(200, {"items": [_ITEM], "next_cursor": CURSOR_EXAMPLE})
        | problems(Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE),
    )
    async def list_dead_letters(query: Annotated[Asked, Query()]) -> Any:
        """Return records that nobody could process, without their contents. What comes in later is on a later page."""
        wanted, scope = query.wanted(query.note, full_type)
        found = await dead_letters.find(wanted, query.limit + 1)
        items, following = page_of(found, query.limit, lambda one: After(one.at, one.position), scope)
        return {"items": [as_json(one) for one in items], "next_cursor": following}

    @router.post(
        "/admin/dead-letters/redrive",
        summary="Send dead letters back",
        response_model=SentBack,
        response_description="They are in the outbox.",
        responses=shown(200, {"redriven": [{"id": EXAMPLE, "command_id": COMMAND_ID}], "held": []})
        | problems(*_ALWAYS, Code.DEAD_LETTERS_HELD),
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

    @router.post(
        "/admin/dead-letters/drop",
        summary="Mark dead letters as dealt with",
        response_model=Dropped,
        response_description="They are marked.",
        responses=shown(200, {"dropped": [EXAMPLE]}) | problems(*_ALWAYS),
        openapi_extra=json_body(DeadLettersMeant, "Which ones; `force` changes nothing.", MEANT),
    )
    async def drop_dead_letters(request: Request) -> Any:
        """Mark them as dealt with in another way. They are kept until their time is over."""
        these = await meant(request)
        dropped = [one.id for one in await dead_letters.drop(these.filter, len(these.ids))]
        came_of_it(request, dropped=len(dropped))
        return {"dropped": dropped}

    only_posted(router)

    @router.get(
        "/admin/dead-letters/{dead_letter}",
        summary="A dead letter with its record",
        response_model=WholeDeadLetter,
        response_description="The dead letter.",
        responses=shown(200, _ITEM | RECORD) | problems(Code.DEAD_LETTER_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE),
    )
    async def show_dead_letter(
        dead_letter: Annotated[DeadLetterId, Path(description="topic:partition:offset, with # written as %23.")],
    ) -> Any:
        """Return a dead letter and its record; bytes are base64, and what is large is cut."""
        found = await dead_letters.whole(Position.parse(dead_letter))
        if found is None:
            raise not_found([dead_letter])
        source = found.source
        return as_json(found) | previewed(Parts(source.key, source.headers, source.value))

    return router
