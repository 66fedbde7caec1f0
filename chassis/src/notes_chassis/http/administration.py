"""Administration over HTTP: routes whose acts are logged, and queries of lists."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import Field

from notes_chassis.access.guard import caller_of
from notes_chassis.http.problems import Refusal
from notes_chassis.http.queries import WHOLE, QueryModel, query_of
from notes_chassis.logs import log_act

PAGE_MAX: Final = 100
"""Items of a page, and ids of one request."""
PAGE: Final = 50
"""Items of a page if the query has no `limit`."""
ANSWER_S: Final = 10.0
"""Seconds that a request which only reads may take."""
_WHAT: Final = "notes.act.what"
_RESULT: Final = "notes.act.result"
"""Keys of a request's scope for the log."""


class AdminRoute(APIRoute):
    """Logs every request that changes something or shows one item: who did what, and the result.

    The query is read strictly, by the model of the endpoint's parameter `query` if it has one. A request that only
    reads is answered within ANSWER_S, even if a store hangs.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler with the checks, the timeout and the log around it."""
        handle = super().get_route_handler()
        model: type[QueryModel] = get_type_hints(self.endpoint).get("query", QueryModel)

        async def logged(request: Request) -> Response:
            result: object = "failed"
            limit = asyncio.timeout(ANSWER_S if request.method == "GET" else None)
            try:
                query_of(request, model)
                async with limit:
                    response = await handle(request)
                result = request.scope.get(_RESULT, "done")
            except Refusal as refusal:
                result = refusal.code
                raise
            except TimeoutError:
                if not limit.expired():
                    raise
                raise Refusal(503, "unavailable", f"no answer within {ANSWER_S:g} s") from None
            except RequestValidationError:
                result = "invalid"
                raise
            finally:
                if request.method == "POST" or request.path_params:
                    self._log(request, result)
            return response

        return logged

    def _log(self, request: Request, result: object) -> None:
        caller = caller_of(request.scope)
        who = "anybody" if caller is None else caller.id
        what = request.scope.get(_WHAT, {}) | request.path_params
        log_act("http", who, f"{request.method} {self.path}", result, **what)


def act_on(request: Request, **what: Any) -> None:
    """Note for the log what a request is about."""
    request.scope[_WHAT] = what


def came_of_it(request: Request, **result: int) -> None:
    """Note for the log the result of a request: numbers by name."""
    request.scope[_RESULT] = result


class PageQuery(QueryModel):
    """The query of a list."""

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX, description="Items, at most.", examples=[20]), WHOLE] = PAGE
