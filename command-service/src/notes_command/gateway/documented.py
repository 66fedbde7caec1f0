"""What OpenAPI says of a route, in one call. The routes read their requests themselves, so FastAPI cannot know it."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from fastapi.responses import Response

from notes_chassis.http.problems import RETRY_AFTER_S, RETRY_LATER
from notes_command.gateway.problem_examples import example_problem
from notes_contracts import HTTP_STATUS, Code
from notes_contracts.examples import COMMAND_ID, NOTE_ID, TRACEPARENT
from notes_contracts.ids import UUID_PATTERN

Responses = dict[int | str, dict[str, Any]]

PROBLEM: Final = {"$ref": "#/components/schemas/Problem"}
UUID: Final = {"type": "string", "format": "uuid", "pattern": UUID_PATTERN}


def parameter(
    name: str, where: str, description: str, schema: Mapping[str, Any], example: Any, *, required: bool = False
) -> dict[str, Any]:
    """Return the OpenAPI of a parameter."""
    return {
        "name": name,
        "in": where,
        "required": required,
        "description": description,
        "schema": dict(schema),
        "example": example,
    }


BODY_CODES: Final = (Code.TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.REQUEST_TIMEOUT)
"""What reading a body can be answered with."""
_DASHED: Final = "A UUID with dashes, in any case."
NOTE: Final = parameter("note_id", "path", f"The note. {_DASHED}", UUID, NOTE_ID, required=True)
COMMAND: Final = parameter("command_id", "path", f"The command. {_DASHED}", UUID, COMMAND_ID, required=True)
WAIT: Final = parameter(
    "wait",
    "query",
    "Seconds to wait for the outcome, if there is none yet; capped at 30.",
    {"type": "number", "minimum": 0, "default": 0},
    0.5,
)
IDEMPOTENCY_KEY: Final = parameter(
    "Idempotency-Key",
    "header",
    f"The command id: send it again with a retry, and the command has its effect once. {_DASHED} Made if it is absent.",
    UUID,
    COMMAND_ID,
)
PREFER: Final = parameter(
    "Prefer",
    "header",
    "`wait=N` (RFC 7240): wait for the outcome, at most N seconds, capped at 30. Anything else is ignored.",
    {"type": "string"},
    "wait=5",
)
TRACE: Final = parameter(
    "traceparent",
    "header",
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
    """Return the OpenAPI of an answer that is no problem."""
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

    `parameters` stand beside a route that takes its request whole. FastAPI's 422, of another form than ours, stays
    away because nothing is declared in a signature.
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
