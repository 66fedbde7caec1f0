"""`POST /commands/<name>` puts a command on Kafka; `GET /commands/{id}` tells what came of it."""

from types import MappingProxyType
from typing import Annotated, Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, Header, Request
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from notes_command.application.ports import StoreError
from notes_command.application.result import Outcome
from notes_command.application.send_command import CommandTopic, TopicUnavailable
from notes_command.application.wait_for_outcome import OutcomeWaiters
from notes_command.entrypoints.http.body import read_body
from notes_command.entrypoints.http.prefer import preferred_wait, wait_parameter
from notes_command.entrypoints.http.problems import Problem
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

BY_NAME: Final = MappingProxyType({command_name(ce_type): model for ce_type, model in COMMANDS.items()})


def command_routes(topic: CommandTopic, waiters: OutcomeWaiters) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["commands"])

    @router.post("/commands/{name}", status_code=202, openapi_extra=_request_body())
    async def send(
        name: str,
        request: Request,
        idempotency_key: Annotated[str | None, Header()] = None,
        prefer: Annotated[list[str] | None, Header()] = None,
        traceparent: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Send a command. 202 once Kafka has it; with `Prefer: wait=N` the outcome, if it is there in time."""
        model = BY_NAME.get(name)
        if model is None:
            raise Problem(Code.UNKNOWN_COMMAND, f"there is no command {name[:100]!r}", known=sorted(BY_NAME))
        command_id = _command_id(idempotency_key)
        command = _command(model, await read_body(request), command_id)
        try:
            await topic.send(write(command, id=command_id, traceparent=traceparent))
        except TopicUnavailable as error:
            raise Problem(
                Code.UNAVAILABLE,
                f"{error}; the command may have arrived: repeat it with the same Idempotency-Key",
                command_id=command_id,
            ) from error
        outcome = await _outcome(waiters, command_id, preferred_wait(", ".join(prefer or ())))
        location = {"Location": f"/commands/{command_id}"}
        if outcome is None:
            return _json({"command_id": command_id, "note_id": command.note_id}, 202, location)
        _raise_if_not_accepted(outcome, digest_of(command))
        return _json(outcome.data(), 200, location)

    @router.get("/commands/{command_id}")
    async def outcome(command_id: str, wait: str | None = None) -> Response:
        """Return the outcome of a command; 404 while it is unknown, which never means that it was not executed."""
        known = parse_id(command_id)
        if known is None:
            raise _invalid("command_id", "not a UUID")
        found = await waiters.outcome(known, wait_parameter(wait))
        if found is None:
            raise Problem(Code.COMMAND_NOT_FOUND, f"no outcome of command {known} is known")
        return _json(found.data(), 200)

    return router


def _command_id(idempotency_key: str | None) -> str:
    if idempotency_key is None:
        return str(uuid4())
    command_id = parse_id(idempotency_key.strip('"'))
    if command_id is None:
        raise _invalid("Idempotency-Key", "not a UUID")
    return command_id


def _command(model: type[Command], body: bytes, command_id: str) -> Command:
    """Return the command in the body. Raises Problem `invalid` that names every field at fault."""
    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise _invalid("body", f"not JSON: {error}") from error
    if model is CreateNote and isinstance(data, dict) and "note_id" not in data:
        data["note_id"] = note_id_of_command(command_id)
    try:
        return model.model_validate_json(to_json(data))
    except ValidationError as error:
        faults = [
            {"field": ".".join(map(str, item["loc"])) or "body", "message": item["msg"]}
            for item in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        named = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
        raise Problem(Code.INVALID, named, errors=faults) from error


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


def _invalid(field: str, message: str) -> Problem:
    return Problem(Code.INVALID, f"{field}: {message}", errors=[{"field": field, "message": message}])


def _json(data: Any, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(to_json(data), status, headers, media_type="application/json")


def _request_body() -> dict[str, Any]:
    schemas = [model.model_json_schema() | {"title": name} for name, model in BY_NAME.items()]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"oneOf": schemas}}}}}
