"""Every error over HTTP is `application/problem+json` (RFC 9457) with a stable `code`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from notes_contracts import HTTP_STATUS, Code
from notes_query.application.errors import InvalidCursor, StoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
PROBLEM_REF: Final = "#/components/schemas/Problem"
INTERNAL_DETAIL: Final = "The server failed to answer; the log says why."
_BY_STATUS: Final = MappingProxyType({404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED})


class InvalidRequest(Exception):
    """A request that does not hold; `errors` are pairs of a field's name and what is wrong with it."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name}: {message}" for name, message in errors))
        self.errors = errors


class Problem(BaseModel):
    """The document, for the documentation."""

    type: str
    title: str
    status: int
    code: str
    detail: str


def problem(code: Code, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> Response:
    """Return the response of an error, with the status that belongs to its code."""
    status = HTTPStatus(HTTP_STATUS[code])
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": code, "detail": detail}
    return Response(to_json(body | members), status.value, headers, MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Give every error that leaves a route, and every request without a route, this form."""
    app.add_exception_handler(InvalidRequest, _invalid)
    app.add_exception_handler(InvalidCursor, _invalid_cursor)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _internal)


async def _invalid(_request: Request, error: Exception) -> Response:
    found = error.errors if isinstance(error, InvalidRequest) else ()
    errors = [{"field": name, "message": message} for name, message in found]
    return problem(Code.INVALID, str(error), errors=errors)


async def _invalid_cursor(_request: Request, error: Exception) -> Response:
    return problem(Code.INVALID_CURSOR, str(error))


async def _unavailable(_request: Request, error: Exception) -> Response:
    return problem(Code.UNAVAILABLE, str(error), {"Retry-After": str(RETRY_AFTER_S)})


async def _http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    code = _BY_STATUS.get(status, Code.INVALID if status < 500 else Code.INTERNAL)
    return problem(code, HTTPStatus(status).description or HTTPStatus(status).phrase, headers)


async def _internal(_request: Request, _error: Exception) -> Response:
    return problem(Code.INTERNAL, INTERNAL_DETAIL)


def documented_problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI of a route's errors."""
    content = {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REF}}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


def internal_problem() -> dict[str, Any]:
    """Return the OpenAPI of the error that every route can have."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = {"type": "about:blank", "title": status.phrase, "status": status.value, "code": Code.INTERNAL.value}
    examples = {Code.INTERNAL.value: {"value": {**body, "detail": INTERNAL_DETAIL}}}
    return {
        "description": status.phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": PROBLEM_REF}, "examples": examples}},
    }


def problem_schemas() -> dict[str, Any]:
    """Return the schema that PROBLEM_REF points at, by name."""
    return {"Problem": Problem.model_json_schema()}
