"""Errors as application/problem+json (RFC 9457), each with a stable code."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

import structlog
from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.types import ExceptionHandler

from notes_chassis.http.problems import Refusal, invalid, problem_response
from notes_command.errors import StoreError, Unavailable
from notes_contracts import HTTP_STATUS, Code
from notes_contracts.validation import InvalidData, NotJson, validate

log = structlog.get_logger()

Model = TypeVar("Model", bound=BaseModel)


class Problem(Refusal):
    """Raised by a route to answer with the status of a code. `members` are members beside the standard ones.

    A code that only a newer release knows is in an outcome that it has stored: like most of those, 409.
    """

    def __init__(self, code: str, detail: str, **members: Any) -> None:
        super().__init__(HTTP_STATUS.get(code, 409), str(code), detail, members=members)


def read_json(model: type[Model], body: bytes) -> Model:
    """Return the model in the body of a request. Raises Refusal `invalid`, which names the wrong fields."""
    try:
        return validate(model, body)
    except NotJson as error:
        raise invalid([("body", str(error))]) from error
    except InvalidData as error:
        raise invalid((fault.field, fault.message) for fault in error.faults) from error


def problem(code: Code, detail: str) -> Response:
    """Return the response for a code."""
    return problem_response(HTTP_STATUS[code], code.value, detail)


async def _store_away(_: Request, error: Exception) -> Response:
    # What a row is refused for may quote the row.
    log.warning("store unavailable", error=str(error) if isinstance(error, Unavailable) else type(error).__name__)
    return problem(Code.UNAVAILABLE, "the store is not available; try again")


ANSWERS: Final[Mapping[type[Exception], ExceptionHandler]] = {StoreError: _store_away}
"""What answers an error that leaves a route."""
