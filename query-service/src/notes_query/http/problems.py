"""Every error over HTTP is `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from notes_chassis.http.problems import (
    MEDIA_TYPE,
    RETRY_AFTER_S,
    Refusal,
    answer_framework,
    answer_refusal,
    problem_document,
    problem_response,
)
from notes_contracts import HTTP_STATUS, Code
from notes_contracts.examples import COMMAND_ID, NOTE_ID
from notes_query.errors import Building, Busy, InvalidCursor, StoreUnavailable

PROBLEM_REF: Final = "#/components/schemas/Problem"
RETRY_AFTER: Final = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 0},
    "example": RETRY_AFTER_S,
}
_DETAILS: Final = MappingProxyType(
    {
        Code.INVALID: "limit: Input should be less than or equal to 200",
        Code.INVALID_CURSOR: "the cursor is not one that this service has given out",
        Code.NOTE_NOT_FOUND: f"No note {NOTE_ID} is known here.",
        Code.NOTE_DELETED: f"The note {NOTE_ID} is deleted.",
        Code.COMMAND_NOT_FOUND: f"No outcome of the command {COMMAND_ID} is known here.",
        Code.UNAVAILABLE: "MongoDB: no answer within 5 s",
        Code.BUILDING: "notes is being built",
        Code.TOO_MANY_REQUESTS: "too many searches wait already",
        Code.UNAUTHENTICATED: "a bearer token is needed",
        Code.FORBIDDEN: "the token does not have the scope notes.read",
        Code.INTERNAL: "The server failed to answer; the log says why.",
    }
)


class InvalidRequest(Exception):
    """A request that does not hold; `errors` are pairs of a field's name and what is wrong with it."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in errors))
        self.errors = errors


class FieldError(BaseModel):
    """What is wrong with one parameter."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457. `code` is stable: branch on it. `errors` is there if the code is `invalid`."""

    type: Literal["about:blank"]
    title: str
    status: int
    code: Code
    detail: str
    errors: list[FieldError] | None = None


def problem(code: Code, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Return the response of an error, with the status that belongs to its code."""
    return problem_response(HTTP_STATUS[code], code.value, detail, headers, members)


def add_problem_handlers(app: FastAPI) -> None:
    """Give every error that leaves a route, and every request without a route, this form."""
    app.add_exception_handler(InvalidRequest, _invalid)
    app.add_exception_handler(InvalidCursor, _invalid_cursor)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(Building, _building)
    app.add_exception_handler(Busy, _busy)
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_exception_handler(HTTPException, answer_framework)
    app.add_exception_handler(Exception, _internal)


async def _invalid(_request: Request, error: Exception) -> Response:
    found = error.errors if isinstance(error, InvalidRequest) else ()
    errors = [{"field": name, "message": message} for name, message in found]
    return problem(Code.INVALID, str(error), errors=errors)


async def _invalid_cursor(_request: Request, error: Exception) -> Response:
    return problem(Code.INVALID_CURSOR, str(error))


async def _unavailable(_request: Request, error: Exception) -> Response:
    return problem(Code.UNAVAILABLE, str(error))


async def _building(_request: Request, error: Exception) -> Response:
    return problem(Code.BUILDING, str(error))


async def _busy(_request: Request, error: Exception) -> Response:
    return problem(Code.TOO_MANY_REQUESTS, str(error))


async def _internal(_request: Request, _error: Exception) -> Response:
    return problem(Code.INTERNAL, "The server failed to answer; the log says why.")


def documented_problems(*codes: Code) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI of a route's errors, by status; `internal` is among them without being named."""
    found: dict[int | str, dict[str, Any]] = {}
    for code in (*codes, Code.INTERNAL):
        status = HTTPStatus(HTTP_STATUS[code])
        if status.value not in found:
            only = {"type": "object", "properties": {"code": {"enum": []}}}
            content = {MEDIA_TYPE: {"schema": {"allOf": [{"$ref": PROBLEM_REF}, only]}, "examples": {}}}
            found[status.value] = {"description": status.phrase, "content": content}
            if code in (Code.UNAVAILABLE, Code.BUILDING, Code.TOO_MANY_REQUESTS):
                found[status.value]["headers"] = {"Retry-After": RETRY_AFTER}
        shown = found[status.value]["content"][MEDIA_TYPE]
        example = _example(code, status)
        shown["examples"][code.value] = {"summary": example["detail"], "value": example}
        shown["schema"]["allOf"][1]["properties"]["code"]["enum"].append(code.value)
    return found


def refusals() -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI of what is answered for want of a token or scope."""
    found = documented_problems(Code.UNAUTHENTICATED, Code.FORBIDDEN)
    del found[500]
    challenge = {
        "description": "What is missing, as RFC 6750 says.",
        "schema": {"type": "string"},
        "example": 'Bearer realm="notes"',
    }
    return {status: {**shown, "headers": {"WWW-Authenticate": challenge}} for status, shown in found.items()}


def _example(code: Code, status: HTTPStatus) -> dict[str, Any]:
    body = problem_document(status.value, code.value, _DETAILS[code])
    if code is Code.INVALID:
        body["errors"] = [{"field": "limit", "message": "Input should be less than or equal to 200"}]
    return body


def problem_schemas() -> dict[str, Any]:
    """Return the schema that PROBLEM_REF points at, and those that it needs, by name."""
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Problem": schema}
