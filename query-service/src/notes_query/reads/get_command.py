"""The outcome of one command."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Response
from pydantic_core import to_json

from notes_chassis.http.body import Places
from notes_contracts import Code, Outcome, format_time
from notes_contracts.examples import COMMAND_ID, CREATED_AT, NOTE_ID
from notes_query.http.problems import problem
from notes_query.http.query_route import MAX_WAIT_S, CommandId, QueryModel, QueryRoute, Wait, answers
from notes_query.projecting.record_outcomes import OutcomeStore
from notes_query.projecting.waiters import Waiters
from notes_query.projections.outcome import OutcomeDocument

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


class GetCommand:
    """`GET /commands/{command_id}`."""

    def __init__(self, outcomes: OutcomeStore, waiters: Waiters) -> None:
        self._outcomes = outcomes
        self._waiters = waiters

    async def __call__(self, command_id: str, wait_s: float = 0.0) -> OutcomeDocument | None:
        """Return the outcome, after waiting at most `wait_s` seconds (10 at most) for it. Raises StoreUnavailable."""
        if wait_s <= 0:
            return await self._outcomes.get(command_id)
        return await self._waiters.until(command_id, 1, self._outcomes.get, bool, min(wait_s, MAX_WAIT_S))


def command_route(get_command: GetCommand, places: Places) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["commands"], route_class=QueryRoute)

    @router.get(
        "/commands/{command_id}",
        operation_id="get_outcome",
        summary="The outcome of one command",
        response_model=Outcome,
        responses=answers(_EXAMPLE, (), (Code.COMMAND_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE)),
    )
    async def one(command_id: CommandId, query: Annotated[CommandQuery, Query()]) -> Response:
        """Return the outcome of a command; with `wait`, as soon as there is one.

        404 while it is not known here, which never means "not executed". Outcomes are kept for 30 days.
        """
        with places.one():
            outcome = await get_command(command_id, query.wait)
        if outcome is None:
            return problem(Code.COMMAND_NOT_FOUND, f"No outcome of the command {command_id} is known here.")
        return Response(to_json(_shown(outcome)), 200, None, "application/json")

    return router


def _shown(outcome: OutcomeDocument) -> dict[str, Any]:
    """Return what Outcome describes."""
    return {
        "command_id": outcome["_id"],
        "note_id": outcome["note_id"],
        "status": outcome["status"],
        "version": outcome["version"],
        "error": outcome["error"],
        "at": format_time(outcome["at"]),
        "digest": outcome["digest"],
    }
