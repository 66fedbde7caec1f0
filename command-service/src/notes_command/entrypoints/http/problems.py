"""Errors as application/problem+json (RFC 9457), each with a stable code."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from notes_command.application.ports import StoreError
from notes_contracts import HTTP_STATUS, Code

log = structlog.get_logger()

RETRY_AFTER_S = 2
FRAMEWORK = {404: Code.NOT_FOUND, 405: Code.METHOD_NOT_ALLOWED}


class Problem(Exception):
    """Raised by a route to answer with a problem document. `extra` are members beside the standard ones."""

    def __init__(self, code: Code, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.extra = extra


def problem(code: Code, detail: str, extra: Mapping[str, Any] | None = None) -> Response:
    """Return the response for a code; whoever should try again is told when."""
    status = HTTP_STATUS[code]
    document = {
        "type": "about:blank",  # the code says it all
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
        **(extra or {}),
    }
    headers = {"Retry-After": str(RETRY_AFTER_S)} if status == HTTP_STATUS[Code.UNAVAILABLE] else None
    return Response(to_json(document), status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Answer every error of the app with a problem document."""

    @app.exception_handler(Problem)
    async def known(_: Request, error: Problem) -> Response:
        return problem(error.code, str(error), error.extra)

    @app.exception_handler(StoreError)
    async def store_away(_: Request, error: StoreError) -> Response:
        log.warning("store unavailable", error=str(error))
        return problem(Code.UNAVAILABLE, "the store is not available; try again")

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
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
