"""`/admin/dead-letters`: list, show and drop, the same for every service. What `redrive` does is the service's own."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, NamedTuple

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

Meant = Callable[[Request], Awaitable[DeadLettersMeant]]
"""Returns which dead letters a request means. Raises Refusal, also if one of them is not there."""
ACT_CODES = (*BODY_CODES, "invalid", "dead_letter_not_found", "unavailable")
"""Codes of what is posted."""


class Shape(NamedTuple):
    """What a service's dead letters look like. `example`: of one in a list, without its record."""

    query: type[DeadLettersQuery]
    item: type[BaseModel]
    example: dict[str, Any]
    problems: ProblemDocs

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
    add_redrive: Callable[[APIRouter, Meant], None],
) -> APIRouter:
    """Return the routes. `read_json` refuses a body as the service does; `add_redrive` adds the route of that."""
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
        wanted, scope = query.wanted()
        found = await dead_letters.find(wanted, query.limit + 1)
        items, following = page_of(found, query.limit, lambda one: After(one.at, Position.parse(one.id)), scope)
        return {"items": [dead_letters.as_json(one) for one in items], "next_cursor": following}

    add_redrive(router, meant)

    @router.post(
        "/admin/dead-letters/drop",
        summary="Mark dead letters as dealt with",
        response_model=Dropped,
        response_description="They are marked.",
        responses=shown(200, {"dropped": [EXAMPLE]}) | problems(*ACT_CODES),
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
        return dead_letters.as_json(found) | previewed(dead_letters.record(found))

    return router
