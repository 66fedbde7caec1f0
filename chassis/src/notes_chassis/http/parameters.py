"""Parameters of requests: numbers in digits, and refusals that name the field."""

from typing import Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from notes_chassis.http.limits import ERRORS
from notes_chassis.http.problems import problem_response


def _digits(text: object) -> object:
    # pydantic takes `1.0`, `+1`, ` 1` and `1_0` for numbers, too.
    if isinstance(text, str) and not (text.isascii() and text.isdecimal()):
        raise PydanticCustomError("int_parsing", "Input should be a whole number, in digits")
    return text


WHOLE: Final = BeforeValidator(_digits)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """Handle FastAPI's RequestValidationError, as Starlette's exception handlers do: `invalid`, naming the fields."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = [(".".join(map(str, one["loc"][1:])), one["msg"]) for one in error.errors()[:ERRORS]]
    detail = "; ".join(f"{field}: {message}" for field, message in found)
    errors = [{"field": field, "message": message} for field, message in found]
    return problem_response(422, "invalid", detail, members={"errors": errors})
