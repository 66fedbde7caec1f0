"""Parameters of requests: numbers in digits, refusals that name the field, and how they are documented."""

from typing import Any, Final

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


def tidy_parameters(document: dict[str, Any]) -> None:
    """Give every parameter of a document its example, and its schema without null: over HTTP it is there or not."""
    operations = (operation for methods in document["paths"].values() for operation in methods.values())
    for parameter in (parameter for operation in operations for parameter in operation.get("parameters", ())):
        schema = parameter["schema"]
        for choice in schema.pop("anyOf", ()):
            schema |= choice if choice.get("type") != "null" else {}
        for said_twice in ("title", "description"):
            schema.pop(said_twice, None)
        if examples := schema.pop("examples", None):
            parameter["example"] = examples[0]
