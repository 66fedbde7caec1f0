"""The outcome of one command."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from notes_chassis.http.queries import QueryModel
from notes_contracts import Code, Outcome
from notes_contracts.examples import COMMAND_ID, CREATED_AT, NOTE_ID
from notes_query.http.problems import problem
from notes_query.http.query_route import MAX_WAIT_S, CommandId, QueryRoute, Wait, answers, shown_as
from notes_query.reads.after import Stored

_EXAMPLE: Final[dict[str, Any]] = {
    "command_id": COMMAND_ID,
    "note_id": NOTE_ID,
    "status": "accepted",
    "version": 1,
    "error": None,
    "at": CREATED_AT,
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
}


class CommandQuery(QueryModel):
    """Query of `GET /commands/{command_id}`."""

    wait: Wait = 0.0


def command_route(outcomes: Stored) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["commands"], route_class=QueryRoute)

    @router.get(
        "/commands/{command_id}",
        operation_id="get_outcome",
        summary="The outcome of one command",
        response_model=Outcome,
        responses=answers(_EXAMPLE, ("Cache-Control",), (Code.COMMAND_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE)),
    )
    async def one(command_id: CommandId, query: Annotated[CommandQuery, Query()]) -> Response:
        """Return the outcome of a command; with `wait`, as soon as there is one.

        404 while it is not known here, which never means "not executed". Outcomes are kept for 30 days.
        """
        outcome = await outcomes.once(command_id, 1, bool, min(query.wait, MAX_WAIT_S))
        if outcome is None:
            return problem(Code.COMMAND_NOT_FOUND, f"No outcome of the command {command_id} is known here.")
        body = to_json(shown_as(Outcome, outcome, "command_id"))
        return Response(body, 200, {"Cache-Control": "no-cache"}, "application/json")

    return router
