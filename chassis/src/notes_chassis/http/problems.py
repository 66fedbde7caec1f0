"""Errors as application/problem+json (RFC 9457). However much was sent, an answer stays small."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from notes_chassis.http.limits import ERRORS, PROBLEM_BYTES

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S: Final = 1
RETRY_LATER: Final = frozenset({429, 503})
DETAIL_MAX: Final = 2_000
"""Characters of a text in a problem document."""
MESSAGE_MAX: Final = 500
FIELD_MAX: Final = 100
FAILED: Final = "The server failed to answer; the log says why."
_CODES: Final = MappingProxyType({404: "not_found", 405: "method_not_allowed"})


class Refusal(Exception):
    """Raised to answer with a problem document. `members` are members beside the standard ones."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.headers = headers
        self.members = members or {}

    def response(self) -> Response:
        """Return the answer."""
        return problem_response(self.status, self.code, str(self), self.headers, self.members)


def invalid(errors: Iterable[tuple[str, str]]) -> Refusal:
    """Return the refusal of a request that does not hold: the fields or parameters at fault, and what is wrong."""
    found = [{"field": field, "message": message} for field, message in errors]
    detail = "; ".join(f"{one['field']}: {one['message']}" for one in found)
    return Refusal(422, "invalid", detail, members={"errors": found})


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Handle a Refusal, as Starlette's exception handlers do."""
    assert isinstance(error, Refusal)
    return error.response()


async def answer_framework(_request: Request, error: Exception) -> Response:
    """Handle Starlette's HTTPException, likewise: no route, or none for this method."""
    assert isinstance(error, HTTPException)
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    if "GET" in headers.get("Allow", "") and "HEAD" not in headers["Allow"]:
        headers["Allow"] += ", HEAD"
    return problem_response(status, _CODES.get(status, "invalid"), status.description or status.phrase, headers)


def problem_response(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    """Return the answer; whoever should try again is told when.

    `no-cache`: a cache may answer with a 404 or 410 by itself, though what was asked for may be there a moment later.
    """
    retry = {"Retry-After": str(RETRY_AFTER_S)} if status in RETRY_LATER else {}
    headers = {"Cache-Control": "no-cache", **retry, **(headers or {})}
    return Response(problem_body(status, code, detail, members), status, headers, MEDIA_TYPE)


def problem_body(status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> bytes:
    """Return the document as JSON of at most PROBLEM_BYTES bytes, with at most ERRORS `errors`."""
    document = problem_document(status, code, detail[:DETAIL_MAX], members)
    errors = document.pop("errors", None)
    if errors is not None:
        document["errors"] = errors = [
            {"field": one["field"][:FIELD_MAX], "message": one["message"][:MESSAGE_MAX]} for one in errors[:ERRORS]
        ]
    for name in members or ():
        if name != "errors":
            document[name] = _short(document[name])
    while len(body := to_json(document)) > PROBLEM_BYTES:
        if errors:
            document["errors"] = errors = errors[: len(errors) // 2]
        else:
            document = problem_document(status, code, detail[:MESSAGE_MAX])
    return body


def problem_document(status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the problem document. Its type is `about:blank`, since the code says it all."""
    standard = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    return {**standard, "detail": detail, **(members or {})}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:DETAIL_MAX]
    if isinstance(value, Mapping):
        return {name: _short(found) for name, found in value.items()}
    return value


async def answer_internal(_request: Request, _error: Exception) -> Response:
    """Handle any other exception, likewise. Starlette raises it again after this answer, and uvicorn logs it."""
    return problem_response(500, "internal", FAILED)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """Handle FastAPI's RequestValidationError, as Starlette's exception handlers do: `invalid`, naming the fields."""
    assert isinstance(error, RequestValidationError)
    return invalid((".".join(map(str, one["loc"][1:])), one["msg"]) for one in error.errors()[:ERRORS]).response()
