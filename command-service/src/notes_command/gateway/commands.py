"""`POST /commands/<name>` puts a command on Kafka, and waits for its outcome if the client asks for that."""

from collections.abc import Sequence
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from uuid import uuid4

import structlog
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import from_json, to_json
from starlette.datastructures import Headers

from notes_chassis.access.guard import caller_of
from notes_chassis.access.tokens import Caller
from notes_chassis.http.body import Intake, Places
from notes_chassis.http.problems import Refusal, invalid
from notes_chassis.http.queries import QueryModel, query_of
from notes_command.errors import CommandTooLarge, StoreError, TopicUnavailable
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.gateway.openapi import command_documentation, read_json, refusal
from notes_command.gateway.outcomes import OutcomeWaiters, add_outcome_route, preferred_wait
from notes_command.metrics import GATEWAY, UNREAD
from notes_command.pipeline.decide import Outcome
from notes_contracts import (
    COMMANDS,
    Code,
    Command,
    CreateNote,
    command_name,
    digest_of,
    format_time,
    note_id_of_command,
    parse_id,
    write,
)
from notes_contracts.cloudevents import valid_trace
from notes_contracts.ids import Id
from notes_contracts.times import now

log = structlog.get_logger()

Trace = tuple[str | None, str | None]
"""`traceparent` and `tracestate`."""

SOURCE: Final = "/notes/command-service/http"
DESCRIPTION: Final = (
    "Answers 202 once Kafka has the command. With `Prefer: wait=N` it waits for the outcome: 200 if the command "
    "was accepted, a problem if it was not, 202 if N seconds were not enough. The value of `Notes-After` is what "
    "query-service takes as `after`: whatever is read with it shows what this command did."
)
BY_NAME: Final = MappingProxyType({command_name(ce_type): model for ce_type, model in COMMANDS.items()})


class Taken(BaseModel):
    """A command that is on Kafka: its id, and the note that it is about."""

    command_id: Id
    note_id: Id


def command_routes(topic: KafkaCommandTopic, waiters: OutcomeWaiters, intake: Intake, places: Places) -> APIRouter:
    """Return the routes of `/commands`."""
    router = APIRouter(tags=["commands"])

    async def send(model: type[Command], request: Request) -> Response:
        query_of(request, QueryModel)
        command_id = _command_id(request.headers.getlist("idempotency-key"))
        with intake.room() as upload:
            command = read_json(model, _with_note_id(model, await intake.read(request, upload), command_id))
            await _send(topic, command, command_id, _trace(request.headers), caller_of(request.scope))
            note_id = command.note_id
            digest = digest_of(command)
            del command  # while the client waits, its data must not take memory
        prefer = ", ".join(request.headers.getlist("prefer"))
        outcome = await _outcome(waiters, places, command_id, preferred_wait(prefer))
        further = {"Location": f"/commands/{command_id}", "Notes-After": command_id}
        if outcome is None:
            return _json({"command_id": command_id, "note_id": note_id}, 202, further)
        _raise_if_not_accepted(outcome, digest)
        return _json(outcome.data(), 200, further)

    # All commands have the same endpoint, and a route each, for its documentation. FastAPI could parse headers and
    # build answers by models. Measured: headers in the signature make a request cost 82 % more, an answer built by its
    # model 46 %. And an Idempotency-Key that was sent twice would look like one.
    for name, model in BY_NAME.items():
        router.add_api_route(
            f"/commands/{name}",
            partial(send, model),
            methods=["POST"],
            name=name.replace("-", "_"),
            summary=name.replace("-", " ").capitalize(),
            description=f"{model.__doc__}\n\n{DESCRIPTION}",
            status_code=202,
            response_model=Taken,
            response_description="Kafka has the command; it is not decided yet.",
            **command_documentation(model),
        )
    # The order matters for `Allow`: the first path that fits answers a method that no route has.
    add_outcome_route(router, waiters, places)

    @router.api_route("/commands/{name:path}", methods=["POST", "GET"], include_in_schema=False)
    async def unknown(request: Request, name: str) -> Response:
        if request.method != "POST":
            raise HTTPException(404)
        raise refusal(Code.UNKNOWN_COMMAND, f"there is no command {name[:100]!r}", known=sorted(BY_NAME))

    return router


def _command_id(keys: Sequence[str]) -> str:
    """Return the command id. Two keys are refused: a repeat with only the other one would have a second effect."""
    if not keys:
        return str(uuid4())
    key = keys[0]
    quoted = len(key) > 1 and key[0] == key[-1] == '"'
    command_id = parse_id(key[1:-1] if quoted else key) if len(keys) == 1 else None
    if command_id is None:
        raise invalid([("Idempotency-Key", "not a UUID")])
    return command_id


def _with_note_id(model: type[Command], body: bytes, command_id: str) -> bytes:
    if model is not CreateNote:
        return body
    try:
        data = from_json(body, allow_inf_nan=False)
    except ValueError:
        return body  # the validation names what is wrong
    if not isinstance(data, dict) or "note_id" in data:
        return body
    start = body.index(b"{") + 1  # inserted as text, because JSON written again has Infinity for 1e400
    note_id = b'"note_id":"%s"%s' % (note_id_of_command(command_id).encode(), b"," if data else b"")
    return body[:start] + note_id + body[start:]


def _trace(headers: Headers) -> Trace:
    """Return the valid trace context. Two parents count as none; the state may be in several header lines."""
    parents = headers.getlist("traceparent")
    return valid_trace(parents[0] if len(parents) == 1 else None, ",".join(headers.getlist("tracestate")))


async def _send(
    topic: KafkaCommandTopic, command: Command, command_id: str, trace: Trace, caller: Caller | None
) -> None:
    """Send the command. Raises Refusal `too_large`, or `unavailable`, which names the key for a repeat."""
    traceparent, tracestate = trace
    authtype, authid = (None, None) if caller is None else (caller.type, caller.id)
    try:
        written = write(
            command,
            id=command_id,
            source=SOURCE,
            time=format_time(now()),
            traceparent=traceparent,
            tracestate=tracestate,
            authtype=authtype,
            authid=authid,
        )
        await topic.send(written)
    except CommandTooLarge as error:
        GATEWAY.labels("too_large").inc()
        raise refusal(Code.TOO_LARGE, "the command is larger than what its topic takes") from error
    except TopicUnavailable as error:
        GATEWAY.labels("unavailable").inc()
        about = {"command_id": command_id, "note_id": command.note_id, "authid": authid}
        log.warning("command not sent", error=str(error), often=True, **about)
        raise refusal(
            Code.UNAVAILABLE,
            f"{error}; the command may have arrived: repeat it with the same Idempotency-Key",
            command_id=command_id,
        ) from error
    GATEWAY.labels("sent").inc()


async def _outcome(waiters: OutcomeWaiters, places: Places, command_id: str, seconds: float | None) -> Outcome | None:
    if seconds is None:
        return None
    try:
        with places.one():
            return await waiters.outcome(command_id, seconds)
    except Refusal:  # too many clients wait; the command is on Kafka, and the answer is 202
        return None
    except StoreError as error:  # the command is on Kafka all the same
        UNREAD.inc()
        log.warning("cannot wait for an outcome", error=str(error), often=True)
        return None


def _raise_if_not_accepted(outcome: Outcome, digest: str) -> None:
    shown = {"outcome": outcome.data()}
    if outcome.digest != digest:
        raise refusal(
            Code.IDEMPOTENCY_KEY_REUSED,
            "this Idempotency-Key was used for another command; its outcome stands",
            **shown,
        )
    if outcome.code is not None:
        raise refusal(outcome.code, outcome.message or "", **shown)


def _json(data: Any, status: int, headers: dict[str, str]) -> Response:
    return Response(to_json(data), status, headers, media_type="application/json")
