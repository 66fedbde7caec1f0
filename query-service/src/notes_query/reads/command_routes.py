"""`GET /commands/{command_id}`."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_chassis.http.places import Places
from notes_contracts import Code
from notes_query.http import examples
from notes_query.http.problems import problem
from notes_query.reads.get_command import GetCommand
from notes_query.reads.parameters import CommandQuery, id_of, query_of
from notes_query.reads.routing import add_get
from notes_query.reads.views import OutcomeView, outcome_view


def command_routes(get_command: GetCommand, places: Places) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["commands"])

    async def one(request: Request) -> Response:
        """Return the outcome of a command; with `wait`, as soon as there is one.

        404 while it is not known here, which never means "not executed". Outcomes are kept for 30 days.
        """
        id_ = id_of(request.path_params["command_id"], "command_id")
        wait = query_of(request, CommandQuery).wait
        with places.one():
            outcome = await get_command(id_, wait)
        if outcome is None:
            return problem(Code.COMMAND_NOT_FOUND, f"No outcome of the command {id_} is known here.")
        return Response(to_json(outcome_view(outcome)), 200, None, "application/json")

    add_get(
        router,
        "/commands/{command_id}",
        one,
        operation_id="get_outcome",
        summary="The outcome of one command",
        query=CommandQuery,
        path_id="command_id",
        answer=OutcomeView,
        example=examples.OUTCOME,
        problems=(Code.COMMAND_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE),
    )
    return router
