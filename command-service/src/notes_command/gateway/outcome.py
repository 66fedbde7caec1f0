"""`GET /commands/{id}` tells what came of a command."""

from http import HTTPStatus

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic_core import to_json

from notes_chassis.http.places import Places
from notes_command.gateway.documented import COMMAND, WAIT, answer, documented, problems
from notes_command.gateway.prefer import wait_parameter
from notes_command.gateway.problems import Problem, invalid_field
from notes_command.gateway.schemas import reference
from notes_command.gateway.waiting import OutcomeWaiters
from notes_contracts import COMMANDS, Code, Outcome, command_name, outcome_type, parse_id
from notes_contracts.examples import example_data

_NAMES = frozenset(map(command_name, COMMANDS))


def add_outcome_route(router: APIRouter, waiters: OutcomeWaiters, places: Places) -> None:
    """Add the route."""
    example = example_data(outcome_type("accepted"))

    @router.get(
        "/commands/{command_id}",  # noqa: FAST003 - see documented.py
        **documented(
            "get_outcome",
            "What came of a command",
            answer(200, "The outcome.", reference(Outcome), example)
            | problems(Code.COMMAND_NOT_FOUND, Code.INVALID, Code.UNAVAILABLE),
            [COMMAND, WAIT],
        ),
    )
    async def outcome(request: Request) -> Response:
        """Return the outcome of a command; 404 while it is unknown, which never means that it was not executed."""
        command_id = request.path_params["command_id"]
        known = parse_id(command_id)
        if known is None:
            if command_id in _NAMES:
                raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
            raise invalid_field("command_id", "not a UUID")
        with places.one():
            found = await waiters.outcome(known, wait_parameter(request.query_params.get("wait")))
        if found is None:
            raise Problem(Code.COMMAND_NOT_FOUND, f"no outcome of command {known} is known")
        return Response(to_json(found.data()), media_type="application/json")
