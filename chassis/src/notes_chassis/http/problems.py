"""Errors as application/problem+json (RFC 9457), of bounded size whatever the request was."""

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
    """Raised to answer with a problem document. `members`: beside the standard ones."""

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
    """Return the refusal of an invalid request. `errors`: the fields or parameters at fault, each with a message."""
    members = [{"field": field, "message": message} for field, message in errors]
    detail = "; ".join(f"{error['field']}: {error['message']}" for error in members)
    return Refusal(422, "invalid", detail, members={"errors": members})


async def answer_refusal(_request: Request, error: Exception) -> Response:
    """Handle a Refusal; an exception handler of Starlette, as the others here."""
    assert isinstance(error, Refusal)
    return error.response()


async def answer_framework(_request: Request, error: Exception) -> Response:
    """Handle Starlette's HTTPException: there is no such route, or it does not take the method."""
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
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
    """Return the answer, with `Retry-After` for the statuses of RETRY_LATER.

    `no-cache`: else a cache may go on answering 404 or 410 although the resource is there a moment later.
    """
    retry = {"Retry-After": str(RETRY_AFTER_S)} if status in RETRY_LATER else {}
    headers = {"Cache-Control": "no-cache", **retry, **(headers or {})}
    return Response(problem_body(status, code, detail, members), status, headers, MEDIA_TYPE)


def problem_body(status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> bytes:
    """Return the document as JSON of at most PROBLEM_BYTES bytes, with at most ERRORS `errors`."""
    document = problem_document(status, code, detail[:DETAIL_MAX], members)
    errors = document.pop("errors", None)
    if errors is not None:
        errors = [
            {"field": error["field"][:FIELD_MAX], "message": error["message"][:MESSAGE_MAX]}
            for error in errors[:ERRORS]
        ]
        document["errors"] = errors
    for name in members or ():
        if name != "errors":
            document[name] = _short(document[name])
    while len(body := to_json(document)) > PROBLEM_BYTES:
        if errors:
            errors = errors[: len(errors) // 2]
            document["errors"] = errors
        else:
            document = problem_document(status, code, detail[:MESSAGE_MAX])
    return body


def problem_document(status: int, code: str, detail: str, members: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the problem document. Its type is `about:blank`: the code tells problems apart."""
    standard = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    return {**standard, "detail": detail, **(members or {})}


def _short(value: Any) -> Any:
    if isinstance(value, str):
        return value[:DETAIL_MAX]
    if isinstance(value, Mapping):
        return {name: _short(member) for name, member in value.items()}
    return value


async def answer_internal(_request: Request, _error: Exception) -> Response:
    """Handle any other exception. Starlette raises it again after this answer, and uvicorn logs it."""
    return problem_response(500, "internal", FAILED)


async def answer_invalid(_request: Request, error: Exception) -> Response:
    """Handle FastAPI's RequestValidationError: the problem `invalid`, naming the fields."""
    assert isinstance(error, RequestValidationError)
    errors = error.errors()[:ERRORS]
    return invalid((".".join(map(str, found["loc"][1:])), found["msg"]) for found in errors).response()
