"""Errors as application/problem+json (RFC 9457), each with a stable code."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from notes_command.application.ports import StoreError, Unavailable
from notes_contracts import HTTP_STATUS, Code

log = structlog.get_logger()

RETRY_AFTER_S: Final = 2
RETRY_LATER: Final = frozenset({Code.UNAVAILABLE, Code.RATE_LIMITED})
FRAMEWORK: Final = MappingProxyType({404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED})


class Problem(Exception):
    """Raised by a route to answer with a problem document. `extra` are members beside the standard ones."""

    def __init__(self, code: Code, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.extra = extra


def invalid(error: ValidationError) -> Problem:
    """Return the problem that names every field at fault."""
    faults = [
        {"field": ".".join(map(str, item["loc"])) or "body", "message": item["msg"]}
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(Code.INVALID, "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults), errors=faults)


def invalid_field(field: str, message: str) -> Problem:
    """Return the problem that names one field or parameter."""
    return Problem(Code.INVALID, f"{field}: {message}", errors=[{"field": field, "message": message}])


def problem(code: Code, detail: str, extra: Mapping[str, Any] | None = None) -> Response:
    """Return the response for a code; whoever should try again is told when."""
    headers = {"Retry-After": str(RETRY_AFTER_S)} if code in RETRY_LATER else None
    body = to_json(document(code, detail, extra))
    return Response(body, HTTP_STATUS[code], headers, media_type="application/problem+json")


def document(code: Code, detail: str, extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the problem document of a code. Its type is `about:blank`, since the code says it all."""
    status = HTTP_STATUS[code]
    standard = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code.value}
    return {**standard, "detail": detail, **(extra or {})}


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(Problem)
    async def known(_: Request, error: Problem) -> Response:
        return problem(error.code, str(error), error.extra)

    @app.exception_handler(StoreError)
    async def store_away(_: Request, error: StoreError) -> Response:
        # What a row is refused for may quote the row.
        log.warning("store unavailable", error=str(error) if isinstance(error, Unavailable) else type(error).__name__)
        return problem(Code.UNAVAILABLE, "the store is not available; try again")

    @app.exception_handler(RequestValidationError)
    async def unfit(_: Request, error: RequestValidationError) -> Response:
        fields = [{"field": str(item["loc"][-1]), "message": item["msg"]} for item in error.errors()]
        named = "; ".join(f"{item['field']}: {item['message']}" for item in fields)
        return problem(Code.INVALID, named, {"errors": fields})

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> Response:
        answer = problem(FRAMEWORK.get(error.status_code, Code.INVALID), str(error.detail))
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def bug(_: Request, __: Exception) -> Response:
        # Starlette raises it again after this answer, and uvicorn logs it.
        return problem(Code.INTERNAL, "this is our fault; it was logged")
