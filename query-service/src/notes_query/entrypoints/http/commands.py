"""`GET /commands/{command_id}`."""

from fastapi import APIRouter, Request, Response
from pydantic_core import to_json

from notes_contracts import Code
from notes_query.application.get_command import GetCommand
from notes_query.entrypoints.http.parameters import CommandQuery, documented, id_of, query_of
from notes_query.entrypoints.http.problems import documented_problems, problem
from notes_query.entrypoints.http.views import OutcomeView, outcome_view


def command_routes(get_command: GetCommand) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["commands"])

    @router.get(
        "/commands/{command_id}",
        response_class=Response,
        responses={200: {"model": OutcomeView}, **documented_problems(404, 422, 503)},
        openapi_extra=documented(CommandQuery),
    )
    async def one(command_id: str, request: Request) -> Response:
        """Return the outcome of a command. 404 while it is not known here, which never means "not executed"."""
        id_ = id_of(command_id, "command_id")
        outcome = await get_command(id_, query_of(request, CommandQuery).wait)
        if outcome is None:
            return problem(Code.COMMAND_NOT_FOUND, f"No outcome of the command {id_} is known here.")
        return Response(to_json(outcome_view(outcome)), 200, None, "application/json")

    return router
