"""What OpenAPI says of a route, in one call. The routes read their requests themselves, so FastAPI cannot know it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from fastapi import Path, Query
from fastapi.responses import Response
from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from notes_chassis.http.problems import RETRY_AFTER_S, RETRY_LATER
from notes_command.gateway.problems import example_problem
from notes_command.gateway.schemas import Taken, reference
from notes_contracts import (
    HTTP_STATUS,
    ArchiveNote,
    Change,
    Code,
    Command,
    CreateNote,
    DeleteNote,
    Outcome,
    RestoreNote,
    TagNote,
    command_name,
    outcome_type,
)
from notes_contracts.examples import COMMAND_ID, EXAMPLES, NOTE_ID, TRACEPARENT, example_data
from notes_contracts.ids import UUID_PATTERN, parse_id

Responses = dict[int | str, dict[str, Any]]

PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
UUID: Final = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}
BODY_CODES: Final = (Code.TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.REQUEST_TIMEOUT)
"""What reading a body can be answered with."""
_ALWAYS: Final = (*BODY_CODES, Code.NOTE_DELETED, Code.INVALID, Code.IDEMPOTENCY_KEY_REUSED, Code.UNAVAILABLE)
_ARCHIVED_TOO: Final = (CreateNote, ArchiveNote, RestoreNote, DeleteNote)
_TYPES: Final = {type(message): ce_type for ce_type, message in EXAMPLES.items() if isinstance(message, Command)}

_LINKS: Final = {
    "outcome": {
        "operationId": "get_outcome",
        "parameters": {"command_id": "$response.body#/command_id"},
        "description": "What came of the command.",
    },
    "note": {
        "operationId": "read_note",
        "parameters": {"note_id": "$response.body#/note_id"},
        "description": "The note, once the command is decided.",
    },
}


def _uuid(text: str) -> str:
    found = parse_id(text)
    if found is None:
        raise PydanticCustomError("uuid", "not a UUID")
    return found


_DASHED: Final = "A UUID with dashes, in any case."
NoteId = Annotated[
    str,
    AfterValidator(_uuid),
    WithJsonSchema(UUID),
    Path(description=f"The note. {_DASHED}", openapi_examples={"note": {"value": NOTE_ID}}),
]
CommandId = Annotated[
    str,
    WithJsonSchema(UUID),
    Path(description=f"The command. {_DASHED}", openapi_examples={"command": {"value": COMMAND_ID}}),
]
"""Read in the route: what stands there may be the name of a command, too, which can only be posted to."""
Wait = Annotated[
    float,
    Query(
        ge=0,
        description="Seconds to wait for the outcome, if there is none yet; capped at 30.",
        openapi_examples={"half a second": {"value": 0.5}},
    ),
]


def _header(name: str, description: str, schema: Mapping[str, Any], example: Any) -> dict[str, Any]:
    # Written and read by hand: declared in a signature, three headers take FastAPI's part of a request from 47 µs to
    # 166 µs, and a key that was sent twice could not be told from one.
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": dict(schema),
        "example": example,
    }


IDEMPOTENCY_KEY: Final = _header(
    "Idempotency-Key",
    f"The command id: send it again with a retry, and the command has its effect once. {_DASHED} Made if it is absent.",
    UUID,
    COMMAND_ID,
)
PREFER: Final = _header(
    "Prefer",
    "`wait=N` (RFC 7240): wait for the outcome, at most N seconds, capped at 30. Anything else is ignored.",
    {"type": "string"},
    "wait=5",
)
TRACE: Final = _header(
    "traceparent",
    "W3C trace context; passed on if it is valid.",
    {"type": "string"},
    TRACEPARENT,
)


def answer(
    status: int,
    description: str,
    schema: Mapping[str, Any],
    example: Any,
    *,
    media_type: str = "application/json",
    headers: Mapping[str, Any] | None = None,
) -> Responses:
    """Return the OpenAPI of an answer that is not a problem."""
    shown: dict[str, Any] = {
        "description": description,
        "content": {media_type: {"schema": dict(schema), "example": example}},
    }
    return {status: shown if headers is None else {**shown, "headers": dict(headers)}}


def header(description: str, schema: Mapping[str, Any], example: Any) -> dict[str, Any]:
    """Return the OpenAPI of a response's header."""
    return {"description": description, "schema": dict(schema), "example": example}


def problems(*codes: Code) -> Responses:
    """Return the OpenAPI of a route's errors, by status, with an example of each code."""
    by_status: dict[int, list[Code]] = {}
    for code in codes:
        by_status.setdefault(HTTP_STATUS[code], []).append(code)
    return {status: _problem(status, found) for status, found in sorted(by_status.items())}


def _problem(status: int, codes: Sequence[Code]) -> dict[str, Any]:
    only = {"type": "object", "properties": {"code": {"enum": [code.value for code in codes]}}}
    examples = {
        code.value: {"summary": example_problem(code)["detail"], "value": example_problem(code)} for code in codes
    }
    content = {"application/problem+json": {"schema": {"allOf": [PROBLEM, only]}, "examples": examples}}
    shown: dict[str, Any] = {"description": HTTPStatus(status).phrase, "content": content}
    if status in RETRY_LATER:
        after = header("Seconds after which to try again.", {"type": "integer", "minimum": 0}, RETRY_AFTER_S)
        shown["headers"] = {"Retry-After": after}
    return shown


def documented(
    operation_id: str,
    summary: str,
    responses: Responses,
    parameters: Sequence[Mapping[str, Any]] = (),
    body: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the arguments of a route that document it; its docstring is the description.

    `parameters` are headers that the route reads out of its request. A route with typed parameters lists `invalid`
    among its problems, which keeps FastAPI's own 422, of another form, out of the document.
    """
    extra: dict[str, Any] = {}
    if parameters:
        extra["parameters"] = [dict(one) for one in parameters]
    if body is not None:
        extra["requestBody"] = dict(body)
    status = min(int(code) for code in responses)
    return {
        "operation_id": operation_id,
        "summary": summary,
        "status_code": status,
        "response_class": Response,
        "responses": responses | problems(Code.INTERNAL),
        "openapi_extra": extra,
    }


def _codes(model: type[Command]) -> tuple[Code, ...]:
    """Return what a command of this type can be answered with: the rules of the decision, and what HTTP adds."""
    codes = [*_ALWAYS]
    codes += [Code.NOTE_NOT_FOUND, Code.VERSION_CONFLICT] if issubclass(model, Change) else [Code.NOTE_ALREADY_EXISTS]
    if not issubclass(model, _ARCHIVED_TOO):
        codes.append(Code.NOTE_ARCHIVED)
    if issubclass(model, CreateNote | TagNote):
        codes.append(Code.TOO_MANY_TAGS)
    return tuple(codes)


def command_documentation(model: type[Command]) -> dict[str, Any]:
    """Return the arguments of the route that takes commands of this type."""
    ce_type = _TYPES[model]
    name = command_name(ce_type)
    summary = name.replace("-", " ").capitalize()
    decided = answer(
        200, "Accepted: the outcome, with `Prefer: wait`.", reference(Outcome), example_data(outcome_type("accepted"))
    )
    location = header("Where the outcome will be.", {"type": "string"}, f"/commands/{COMMAND_ID}")
    taken = answer(
        202,
        "Kafka has the command; it is not decided yet.",
        reference(Taken),
        {"command_id": COMMAND_ID, "note_id": NOTE_ID},
    )
    responses = decided | taken | problems(*_codes(model))
    for status in (200, 202):
        responses[status] |= {"headers": {"Location": location}, "links": _LINKS}
    body = {
        "required": True,
        "description": f"The data of {ce_type}. A field nobody knows is invalid.",
        "content": {"application/json": {"schema": reference(model), "example": example_data(ce_type)}},
    }
    return documented(name.replace("-", "_"), summary, responses, [IDEMPOTENCY_KEY, PREFER, TRACE], body)
