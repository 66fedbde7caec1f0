"""`/admin/dead-letters`: list, show and drop, the same for every service. What `redrive` does is the service's own."""

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, HTTPException, Path, Query, Request
from pydantic import BaseModel, create_model

from notes_chassis.dead_letters import After, DeadLetters, Position
from notes_chassis.http.administration import AdminRoute, act_on, came_of_it
from notes_chassis.http.body import BODY_CODES, Intake
from notes_chassis.http.dead_letters import (
    CURSOR_EXAMPLE,
    EXAMPLE,
    MEANT,
    RECORD,
    DeadLetterId,
    DeadLettersMeant,
    DeadLettersQuery,
    Dropped,
    RecordPreview,
    not_found,
    page_of,
    previewed,
)
from notes_chassis.http.openapi import ProblemDocs, json_body, shown

_ACT_CODES: Final = (*BODY_CODES, "invalid", "dead_letter_not_found", "unavailable")
"""Codes of what is posted."""


class Redrive(NamedTuple):
    """What `redrive` is in a service: `act` returns its answer, and the numbers of what came of it, for the log.

    The docstring of `act` and the other fields are for OpenAPI. `codes`: its own, beside those of every act.
    """

    act: Callable[[DeadLettersMeant], Awaitable[tuple[Any, dict[str, int]]]]
    summary: str
    model: type[BaseModel]
    answered: str
    example: dict[str, Any]
    body: str
    codes: Sequence[str] = ()


class Shape(NamedTuple):
    """What a service's dead letters look like. `example`: of one in a list, without its record.

    `type_of` makes a type whole that is asked for.
    """

    query: type[DeadLettersQuery]
    item: type[BaseModel]
    example: dict[str, Any]
    problems: ProblemDocs
    type_of: Callable[[str], str] = str

    @property
    def page(self) -> type[BaseModel]:
        """Return what a list is."""
        said = "Dead letters, the oldest first; `next_cursor` is null on the last page."
        items: Any = list[self.item]  # type: ignore[name-defined]
        return create_model("DeadLetterPage", __doc__=said, items=(items, ...), next_cursor=(str | None, ...))

    @property
    def whole(self) -> type[BaseModel]:
        """Return what one of them is that is shown whole."""
        bases = (RecordPreview, self.item)
        return create_model("WholeDeadLetter", __doc__="A dead letter with its record.", __base__=bases)


def dead_letter_routes(
    dead_letters: DeadLetters[Any],
    shape: Shape,
    intake: Intake,
    read_json: Callable[[type[DeadLettersMeant], bytes], DeadLettersMeant],
    redrive: Redrive,
) -> APIRouter:
    """Return the routes. `read_json` refuses a body as the service does."""
    router, problems = APIRouter(tags=["operations"], route_class=AdminRoute), shape.problems

    async def meant(request: Request) -> DeadLettersMeant:
        with intake.room() as upload:
            these = read_json(DeadLettersMeant, await intake.read(request, upload))
        act_on(request, ids=these.ids, force=these.force)
        if missing := these.missing(one.id for one in await dead_letters.find(these.filter, len(these.ids))):
            raise not_found(missing)
        return these

    @router.get(
        "/admin/dead-letters",
        summary="Dead letters, the oldest first",
        response_model=shape.page,
        response_description="A page of them.",
        responses=shown(200, {"items": [shape.example], "next_cursor": CURSOR_EXAMPLE})
        | problems("invalid_cursor", "invalid", "unavailable"),
    )
    async def list_dead_letters(query: Annotated[shape.query, Query()]) -> Any:  # type: ignore[name-defined]
        """Return records that nobody could process, without their contents. What comes in later is on a later page."""
        wanted, scope = query.wanted(shape.type_of)
        found = await dead_letters.find(wanted, query.limit + 1)
        items, following = page_of(found, query.limit, lambda one: After(one.at, Position.parse(one.id)), scope)
        return {"items": [one.as_json() for one in items], "next_cursor": following}

    @router.post(
        "/admin/dead-letters/redrive",
        summary=redrive.summary,
        description=inspect.getdoc(redrive.act),
        response_model=redrive.model,
        response_description=redrive.answered,
        responses=shown(200, redrive.example) | problems(*_ACT_CODES, *redrive.codes),
        openapi_extra=json_body(DeadLettersMeant, redrive.body, MEANT),
    )
    async def redrive_dead_letters(request: Request) -> Any:
        answer, came = await redrive.act(await meant(request))
        came_of_it(request, **came)
        return answer

    @router.post(
        "/admin/dead-letters/drop",
        summary="Mark dead letters as dealt with",
        response_model=Dropped,
        response_description="They are marked.",
        responses=shown(200, {"dropped": [EXAMPLE]}) | problems(*_ACT_CODES),
        openapi_extra=json_body(DeadLettersMeant, "Which ones; `force` changes nothing.", MEANT),
    )
    async def drop_dead_letters(request: Request) -> Any:
        """Mark them as dealt with in another way. They are kept until their time is over."""
        these = await meant(request)
        dropped = await dead_letters.drop(these.filter, len(these.ids))
        came_of_it(request, dropped=len(dropped))
        return {"dropped": dropped}

    # Behind the routes of both acts, so that `Allow` names POST; before that of an id.
    @router.get("/admin/dead-letters/redrive", include_in_schema=False)
    @router.get("/admin/dead-letters/drop", include_in_schema=False)
    async def refuse() -> None:
        raise HTTPException(405, headers={"Allow": "POST"})

    @router.get(
        "/admin/dead-letters/{dead_letter}",
        summary="A dead letter with its record",
        response_model=shape.whole,
        response_description="The dead letter.",
        responses=shown(200, shape.example | RECORD) | problems("dead_letter_not_found", "invalid", "unavailable"),
    )
    async def show_dead_letter(
        dead_letter: Annotated[DeadLetterId, Path(description="topic:partition:offset, with # written as %23.")],
    ) -> Any:
        """Return a dead letter and its record; bytes are base64, and what is large is cut."""
        found = await dead_letters.whole(Position.parse(dead_letter))
        if found is None:
            raise not_found([dead_letter])
        return found.as_json() | previewed(found.parts)

    return router
