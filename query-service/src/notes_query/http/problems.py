"""Every error over HTTP is `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final, Literal, TypeVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from notes_chassis.http.dead_letters import EXAMPLE as DEAD_LETTER
from notes_chassis.http.limits import ARRIVE_S, BODY_BYTES
from notes_chassis.http.parameters import answer_invalid
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
from notes_contracts.validation import InvalidData, NotJson, validate
from notes_query.errors import Building, Busy, InvalidCursor, StoreUnavailable

_REFERENCE: Final = "#/components/schemas/{model}"
PROBLEM_REF: Final = "#/components/schemas/Problem"
RETRY_AFTER: Final = {
    "description": "Seconds after which to try again.",
    "schema": {"type": "integer", "minimum": 0},
    "example": RETRY_AFTER_S,
}
BODY_CODES: Final = (Code.TOO_LARGE, Code.UNSUPPORTED_MEDIA_TYPE, Code.REQUEST_TIMEOUT)
"""What reading a body can be answered with."""
_DETAILS: Final = MappingProxyType(
    {
        Code.INVALID: "limit: Input should be less than or equal to 200",
        Code.INVALID_CURSOR: "the cursor is not one that this service has given out",
        Code.NOTE_NOT_FOUND: f"No note {NOTE_ID} is known here.",
        Code.NOTE_DELETED: f"The note {NOTE_ID} is deleted.",
        Code.COMMAND_NOT_FOUND: f"No outcome of the command {COMMAND_ID} is known here.",
        Code.DEAD_LETTER_NOT_FOUND: f"there is no dead letter {DEAD_LETTER}",
        Code.TOO_LARGE: f"the body is larger than {BODY_BYTES} bytes",
        Code.UNSUPPORTED_MEDIA_TYPE: "a body is application/json",
        Code.REQUEST_TIMEOUT: f"the body did not arrive within {ARRIVE_S:g} s",
        Code.UNAVAILABLE: "MongoDB: no answer within 5 s",
        Code.BUILDING: "notes is being built",
        Code.TOO_MANY_REQUESTS: "too many searches wait already",
        Code.UNAUTHENTICATED: "a bearer token is needed",
        Code.FORBIDDEN: "the token does not have the scope notes.read",
        Code.INTERNAL: "The server failed to answer; the log says why.",
    }
)


Model = TypeVar("Model", bound=BaseModel)


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
    """RFC 9457. `code` is stable: branch on it. `errors` is there if the code is `invalid`.

    `ids` are the first dead letters of those that are not there.
    """

    type: Literal["about:blank"]
    title: str
    status: int
    code: Code
    detail: str
    errors: list[FieldError] | None = None
    ids: list[str] | None = None


def read_json(model: type[Model], body: bytes) -> Model:
    """Return the model in the body of a request. Raises InvalidRequest, which names the wrong fields."""
    try:
        return validate(model, body)
    except NotJson as error:
        raise InvalidRequest([("body", str(error))]) from error
    except InvalidData as error:
        raise InvalidRequest([(fault.field, fault.message) for fault in error.faults]) from error


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
    app.add_exception_handler(RequestValidationError, answer_invalid)
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


def json_body(model: type[BaseModel], description: str, example: Any) -> dict[str, Any]:
    """Return what documents the body of a route that reads it itself, within limits."""
    content = {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}, "example": example}
    return {"requestBody": {"required": True, "description": description, "content": {"application/json": content}}}


def schemas_of(*models: type[BaseModel]) -> dict[str, Any]:
    """Return the schemas of models that FastAPI cannot know, and those that they need, by name."""
    _, found = models_json_schema([(model, "validation") for model in models], ref_template=_REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    return schemas
