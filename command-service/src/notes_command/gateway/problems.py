"""Errors as application/problem+json (RFC 9457), each with a stable code."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeVar

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from notes_chassis.http.limits import ARRIVE_S, BODY_BYTES
from notes_chassis.http.problems import Refusal, answer_framework, answer_refusal, problem_document, problem_response
from notes_command.errors import StoreError, Unavailable
from notes_contracts import HTTP_STATUS, Code, outcome_type
from notes_contracts.examples import COMMAND_ID, NOTE_ID, example_data
from notes_contracts.validation import InvalidData, NotJson, validate

log = structlog.get_logger()

Model = TypeVar("Model", bound=BaseModel)
_REJECTED: Final = {**example_data(outcome_type("rejected")), "note_id": NOTE_ID}


class Problem(Refusal):
    """Raised by a route to answer with the status of a code. `members` are members beside the standard ones."""

    def __init__(self, code: Code, detail: str, **members: Any) -> None:
        super().__init__(HTTP_STATUS[code], code.value, detail, members=members)


def read_json(model: type[Model], body: bytes) -> Model:
    """Return what the body of a request says. Raises Problem `invalid` that names the fields at fault."""
    try:
        return validate(model, body)
    except NotJson as error:
        raise invalid_field("body", str(error)) from error
    except InvalidData as error:
        errors = [{"field": fault.field, "message": fault.message} for fault in error.faults]
        raise Problem(Code.INVALID, str(error), errors=errors) from error


def invalid_field(field: str, message: str) -> Problem:
    """Return the problem that names one field or parameter."""
    return Problem(Code.INVALID, f"{field}: {message}", errors=[{"field": field, "message": message}])


def problem(code: Code, detail: str) -> Response:
    """Return the response for a code."""
    return problem_response(HTTP_STATUS[code], code.value, detail)


def document(code: Code, detail: str, members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the problem document of a code."""
    return problem_document(HTTP_STATUS[code], code.value, detail, members)


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_exception_handler(HTTPException, answer_framework)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        (_, *path), message = error.errors()[0]["loc"], error.errors()[0]["msg"]
        return invalid_field(".".join(map(str, path)), message).response()

    @app.exception_handler(StoreError)
    async def store_away(_: Request, error: StoreError) -> Response:
        # What a row is refused for may quote the row.
        log.warning("store unavailable", error=str(error) if isinstance(error, Unavailable) else type(error).__name__)
        return problem(Code.UNAVAILABLE, "the store is not available; try again")

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        # Starlette raises it again after this answer, and uvicorn logs it.
        return problem(Code.INTERNAL, "this is our fault; it was logged")


def _decided(code: Code, message: str) -> tuple[str, dict[str, Any]]:
    """Return the sentence and the members of an answer that a rule gave, with the outcome that says so."""
    return message, {"outcome": {**_REJECTED, "error": {"code": code.value, "message": message}}}


_TITLE: Final = "String should have at least 1 character"
_EXAMPLES: Final = MappingProxyType[Code, tuple[str, dict[str, Any]]](
    {
        Code.INVALID: (f"title: {_TITLE}", {"errors": [{"field": "title", "message": _TITLE}]}),
        Code.NOTE_ALREADY_EXISTS: _decided(Code.NOTE_ALREADY_EXISTS, f"there is a note {NOTE_ID} already"),
        Code.NOTE_NOT_FOUND: (f"there is no note {NOTE_ID}", {}),
        Code.NOTE_ARCHIVED: _decided(Code.NOTE_ARCHIVED, f"note {NOTE_ID} is archived"),
        Code.NOTE_DELETED: (f"note {NOTE_ID} was deleted", {}),
        Code.TOO_MANY_TAGS: _decided(Code.TOO_MANY_TAGS, "a note has at most 20 tags"),
        Code.VERSION_CONFLICT: _decided(Code.VERSION_CONFLICT, f"note {NOTE_ID} is at version 3, not 1"),
        Code.INTERNAL: ("this is our fault; it was logged", {}),
        Code.IDEMPOTENCY_KEY_REUSED: (
            "this Idempotency-Key was used for another command; its outcome stands",
            {"outcome": example_data(outcome_type("accepted"))},
        ),
        Code.COMMAND_NOT_FOUND: (f"no outcome of command {COMMAND_ID} is known", {}),
        Code.TOO_LARGE: (f"the body is larger than {BODY_BYTES} bytes", {}),
        Code.UNSUPPORTED_MEDIA_TYPE: ("a body is application/json", {}),
        Code.REQUEST_TIMEOUT: (f"the body did not arrive within {ARRIVE_S:g} s", {}),
        Code.UNAVAILABLE: ("the store is not available; try again", {}),
        Code.TOO_MANY_REQUESTS: ("at most 20 snapshots a second", {}),
    }
)


def example_problem(code: Code) -> dict[str, Any]:
    """Return the problem document to show for a code."""
    detail, extra = _EXAMPLES[code]
    return document(code, detail, extra)
