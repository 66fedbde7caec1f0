"""How large a request may be before it is looked at. The HTTP parser itself sets no limit."""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from notes_contracts import Code
from notes_query.entrypoints.http.problems import problem_of

HEADERS_MAX: Final = 32 * 1024
TARGET_MAX: Final = 16 * 1024


class SizeLimit:
    """Refuses requests with more than HEADERS_MAX bytes of headers, or TARGET_MAX bytes of path and query."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http":
            size = 0
            for name, value in scope["headers"]:
                size += len(name) + len(value)
            if size > HEADERS_MAX:
                status, text = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {HEADERS_MAX} bytes of headers"
                await problem_of(status, Code.TOO_LARGE, text)(scope, receive, send)
                return
            if len(scope["path"]) + len(scope["query_string"]) > TARGET_MAX:
                status, text = HTTPStatus.REQUEST_URI_TOO_LONG, f"more than {TARGET_MAX} bytes of path and query"
                await problem_of(status, Code.TOO_LARGE, text)(scope, receive, send)
                return
        await self._app(scope, receive, send)
