"""`POST /commands/<name>` puts a command on Kafka, and waits for what comes of it if it is asked to."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from notes_command.application.ports import StoreError
from notes_command.application.result import Outcome
from notes_command.application.send_command import CommandTooLarge, CommandTopic, TopicUnavailable
from notes_command.application.wait_for_outcome import OutcomeWaiters
from notes_command.entrypoints.http.body import Intake, read_body
from notes_command.entrypoints.http.command_docs import command_documentation
from notes_command.entrypoints.http.outcome import add_outcome_route
from notes_command.entrypoints.http.prefer import preferred_wait
from notes_command.entrypoints.http.problems import Problem, invalid, invalid_field
from notes_command.entrypoints.metrics import GATEWAY
from notes_contracts import (
    COMMANDS,
    Code,
    Command,
    CreateNote,
    command_name,
    digest_of,
    note_id_of_command,
    parse_id,
    write,
)

log = structlog.get_logger()

Route = Callable[[Request], Awaitable[Response]]

DESCRIPTION: Final = (
    "{}\n\nAnswers 202 once Kafka has the command. With `Prefer: wait=N` it waits for the outcome: 200 if the command "
    "was accepted, a problem if it was not, 202 if N seconds were not enough."
)
BY_NAME: Final = MappingProxyType({command_name(ce_type): model for ce_type, model in COMMANDS.items()})


@dataclass(frozen=True, slots=True)
class Taken:
    """What is kept of a command that is on Kafka: a client that waits must not hold what it sent."""

    note_id: str
    digest: str


def command_routes(topic: CommandTopic, waiters: OutcomeWaiters) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["commands"])
    intake = Intake()

    async def send(model: type[Command], request: Request) -> Response:
        command_id = _command_id(request.headers.get("idempotency-key"))
        with intake.room() as take:
            command = _command(model, await read_body(request, take), command_id)
            taken = await _send(topic, command, command_id, request.headers.get("traceparent"))
            del command
        prefer = ", ".join(request.headers.getlist("prefer"))
        outcome = await _outcome(waiters, command_id, preferred_wait(prefer))
        location = {"Location": f"/commands/{command_id}"}
        if outcome is None:
            return _json({"command_id": command_id, "note_id": taken.note_id}, 202, location)
        _raise_if_not_accepted(outcome, taken.digest)
        return _json(outcome.data(), 200, location)

    # One road for all. They are routed one by one, so that each has its own documentation.
    for name, model in BY_NAME.items():
        router.add_api_route(
            f"/commands/{name}",
            _of(model, send),
            methods=["POST"],
            description=DESCRIPTION.format(model.__doc__),
            **command_documentation(model),
        )
    # The order matters to `Allow`: a method that none of them has is answered by the first path that fits.
    add_outcome_route(router, waiters)

    @router.post("/commands/{name}", include_in_schema=False)
    async def unknown(name: str) -> Response:
        raise Problem(Code.UNKNOWN_COMMAND, f"there is no command {name[:100]!r}", known=sorted(BY_NAME))

    return router


def _of(model: type[Command], send: Callable[[type[Command], Request], Awaitable[Response]]) -> Route:
    async def route(request: Request) -> Response:
        return await send(model, request)

    return route


def _command_id(idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return str(uuid4())
    command_id = parse_id(idempotency_key.strip('"'))
    if command_id is None:
        raise invalid_field("Idempotency-Key", "not a UUID")
    return command_id


def _command(model: type[Command], body: bytes, command_id: str) -> Command:
    """Return the command in the body. Raises Problem `invalid` that names every field at fault."""
    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise invalid_field("body", f"not JSON: {error}") from error
    if model is CreateNote and isinstance(data, dict) and "note_id" not in data:
        data["note_id"] = note_id_of_command(command_id)
    try:
        return model.model_validate_json(to_json(data))
    except ValidationError as error:
        raise invalid(error) from error


async def _send(topic: CommandTopic, command: Command, command_id: str, traceparent: str | None) -> Taken:
    """Send the command. Raises Problem `too_large`, and `unavailable`, which tells the key to repeat it with."""
    try:
        await topic.send(write(command, id=command_id, traceparent=traceparent))
    except CommandTooLarge as error:
        GATEWAY.labels("too_large").inc()
        raise Problem(Code.TOO_LARGE, "the topic of commands takes no record of that size") from error
    except TopicUnavailable as error:
        GATEWAY.labels("unavailable").inc()
        log.warning("command not sent", command_id=command_id, note_id=command.note_id, error=str(error))
        raise Problem(
            Code.UNAVAILABLE,
            f"{error}; the command may have arrived: repeat it with the same Idempotency-Key",
            command_id=command_id,
        ) from error
    GATEWAY.labels("sent").inc()
    return Taken(command.note_id, digest_of(command))


async def _outcome(waiters: OutcomeWaiters, command_id: str, seconds: float | None) -> Outcome | None:
    if seconds is None:
        return None
    try:
        return await waiters.outcome(command_id, seconds)
    except StoreError as error:  # the command is on its way all the same
        log.warning("cannot wait for an outcome", error=str(error))
        return None


def _raise_if_not_accepted(outcome: Outcome, digest: str) -> None:
    shown = {"outcome": outcome.data()}
    if outcome.digest != digest:
        raise Problem(
            Code.IDEMPOTENCY_KEY_REUSED,
            "this Idempotency-Key was used for another command; its outcome stands",
            **shown,
        )
    if outcome.code is not None:
        raise Problem(outcome.code, outcome.message or "", **shown)


def _json(data: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(data), status, headers, media_type="application/json")
