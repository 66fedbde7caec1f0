"""`/admin/dead-letters`: list, show, redrive and drop, as the command line does."""

from collections.abc import Awaitable, Callable
from datetime import datetime
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
from notes_contracts import Code
from notes_contracts.examples import CREATED_AT, NOTE_ID
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.http.problems import read_json
from notes_query.http.query_route import answers
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.dead_letters_cli import as_json, redriven_as_json
from notes_query.repairing.redrive import Redrive

_ITEM: Final = {
    "id": EXAMPLE,
    "time": CREATED_AT,
    "state": "open",
    "code": "undecodable",
    "type": "notes.event.note-updated.v1",
    "note_id": NOTE_ID,
    "reason": REASON_EXAMPLE,
    "tries": 0,
    "changed_at": None,
}
_COUNTS: Final = {"applied": 1}
_ALWAYS: Final = (*BODY_CODES, Code.INVALID, Code.DEAD_LETTER_NOT_FOUND, Code.UNAVAILABLE)


class Asked(DeadLettersQuery):
    """Query of `GET /admin/dead-letters`."""

    note: Annotated[Id | None, Field(description="Only of this note.", examples=[NOTE_ID])] = None


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


class WholeDeadLetter(RecordPreview, DeadLetter):
    """A dead letter with its record."""


class DeadLetterPage(BaseModel):
    """Dead letters, the oldest first; `next_cursor` is null on the last page."""

    items: list[DeadLetter]
    next_cursor: str | None


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
    router = APIRouter(tags=["operations"], route_class=AdminRoute)

    async def meant(request: Request) -> DeadLettersMeant:
        """Return which are meant. Raises InvalidRequest, and Refusal if one of them is not there."""
        with intake.room() as upload:
            these = read_json(DeadLettersMeant, await intake.read(request, upload))
        return await act_on_meant(request, these, dead_letters.find)

    @router.get(
        "/admin/dead-letters",
        operation_id="list_dead_letters",
        summary="Dead letters, the oldest first",
        response_model=DeadLetterPage,
        responses=answers(
            {"items": [_ITEM], "next_cursor": CURSOR_EXAMPLE},
            (),
            (Code.INVALID_CURSOR, Code.INVALID, Code.UNAVAILABLE),
        ),
    )
    async def list_dead_letters(query: Annotated[Asked, Query()]) -> Any:
        """Return records that nobody could process, without their contents. What comes in later is on a later page."""
        wanted, scope = query.wanted(query.note)
        found = await dead_letters.find(wanted, query.limit + 1)
        items, following = page_of(found, query.limit, lambda one: After(one.at, Position.parse(one.id)), scope)
        return {"items": [as_json(one) for one in items], "next_cursor": following}

    @router.post(
        "/admin/dead-letters/redrive",
        operation_id="redrive_dead_letters",
        summary="Apply dead letters to the documents",
        response_model=RedrivenLetters,
        responses=answers(
            {"items": [{"id": EXAMPLE, "state": "redriven", "reason": None, "events": _COUNTS}]}, (), _ALWAYS
        ),
        openapi_extra=json_body(DeadLettersMeant, "Which ones; nothing is held back here, `force` or not.", MEANT),
    )
    async def redrive_dead_letters(request: Request) -> Any:
        """Apply each to the documents of every build, the oldest first; twice has one effect.

        Nothing is written to a topic. What fails again stays open, with the new reason.
        """
        these = await meant(request)
        apply = await redrive()
        done = [redriven_as_json(one) for one in await apply(these.filter, len(these.ids))]
        failed = sum(one["state"] == "open" for one in done)
        came_of_it(request, redriven=len(done) - failed, failed=failed)
        return {"items": done}

    @router.post(
        "/admin/dead-letters/drop",
        operation_id="drop_dead_letters",
        summary="Mark dead letters as dealt with",
        response_model=Dropped,
        responses=answers({"dropped": [EXAMPLE]}, (), _ALWAYS),
        openapi_extra=json_body(DeadLettersMeant, "Which ones; `force` changes nothing.", MEANT),
    )
    async def drop_dead_letters(request: Request) -> Any:
        """Mark them as dealt with in another way. They are kept until their time is over."""
        these = await meant(request)
        ids = list(dict.fromkeys(these.ids))
        await dead_letters.close(ids, "dropped", clock())
        came_of_it(request, dropped=len(ids))
        return {"dropped": ids}

    only_posted(router)

    @router.get(
        "/admin/dead-letters/{dead_letter}",
        operation_id="show_dead_letter",
        summary="A dead letter with its record",
        response_model=WholeDeadLetter,
        responses=answers(_ITEM | RECORD, (), (Code.DEAD_LETTER_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE)),
    )
    async def show_dead_letter(
        dead_letter: Annotated[DeadLetterId, Path(description="topic:partition:offset, with # written as %23.")],
    ) -> Any:
        """Return a dead letter and its record; bytes are base64, and what is large is cut."""
        found = await dead_letters.whole(dead_letter)
        if found is None or found.record is None:
            raise not_found([dead_letter])
        record = found.record
        return as_json(found) | previewed(Parts(record.key, record.headers, record.value))

    return router
