"""Every error over HTTP is `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeVar

from fastapi import Request, Response
from pydantic import BaseModel
from starlette.types import ExceptionHandler

from notes_chassis.http.dead_letters import EXAMPLE as DEAD_LETTER
from notes_chassis.http.openapi import FieldError, ProblemDocs
from notes_chassis.http.problems import invalid, problem_response
from notes_contracts import HTTP_STATUS, Code
from notes_contracts.examples import COMMAND_ID, NOTE_ID
from notes_contracts.validation import InvalidData, NotJson, validate
from notes_query.errors import Building, Busy, InvalidCursor, StoreUnavailable

_INVALID: Final = "Input should be less than or equal to 200"
documented_problems: Final = ProblemDocs(
    HTTP_STATUS,
    {
        Code.INVALID: (f"limit: {_INVALID}", {"errors": [{"field": "limit", "message": _INVALID}]}),
        Code.NOTE_NOT_FOUND: (f"No note {NOTE_ID} is known here.", {}),
        Code.NOTE_DELETED: (f"The note {NOTE_ID} is deleted.", {}),
        Code.COMMAND_NOT_FOUND: (f"No outcome of the command {COMMAND_ID} is known here.", {}),
        Code.DEAD_LETTER_NOT_FOUND: (f"there is no dead letter {DEAD_LETTER}", {}),
        Code.UNAVAILABLE: ("MongoDB: no answer within 5 s", {}),
        Code.BUILDING: ("notes is being built", {}),
        Code.TOO_MANY_REQUESTS: ("too many searches wait already", {}),
        Code.FORBIDDEN: ("the token does not have the scope notes.read", {}),
    },
)
"""Returns the OpenAPI of a route's errors."""


Model = TypeVar("Model", bound=BaseModel)


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
    """Return the model in the body of a request. Raises Refusal, which names the wrong fields."""
    try:
        return validate(model, body)
    except NotJson as error:
        raise invalid([("body", str(error))]) from error
    except InvalidData as error:
        raise invalid((fault.field, fault.message) for fault in error.faults) from error


def problem(code: Code, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Return the response of an error, with the status that belongs to its code."""
    return problem_response(HTTP_STATUS[code], code.value, detail, headers, members)


def _answering(code: Code) -> ExceptionHandler:
    async def answer(_request: Request, error: Exception) -> Response:
        return problem(code, str(error))

    return answer


ANSWERS: Final[Mapping[type[Exception], ExceptionHandler]] = {
    InvalidCursor: _answering(Code.INVALID_CURSOR),
    StoreUnavailable: _answering(Code.UNAVAILABLE),
    Building: _answering(Code.BUILDING),
    Busy: _answering(Code.TOO_MANY_REQUESTS),
}
"""What answers an error that leaves a route."""
