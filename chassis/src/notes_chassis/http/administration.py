"""Administration over HTTP: routes whose acts are logged, and pages."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Final

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field

from notes_chassis.access.guard import caller_of
from notes_chassis.http.problems import WHOLE, Refusal
from notes_chassis.logs import log_act

PAGE_MAX: Final = 100
"""Items of a page, and ids of one request."""
PAGE: Final = 50


class AdminRoute(APIRoute):
    """Logs every request that changes something, or shows one thing whole: who, what, and what came of it."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, with that around it."""
        handle = super().get_route_handler()

        async def logged(request: Request) -> Response:
            result: object = "failed"
            try:
                response = await handle(request)
                result = request.scope.get(_RESULT, "done")
            except Refusal as refusal:
                result = refusal.code
                raise
            except RequestValidationError:
                result = "invalid"
                raise
            finally:
                if request.method == "POST" or request.path_params:
                    caller = caller_of(request.scope)
                    who = "anybody" if caller is None else caller.id
                    what = request.scope.get(_WHAT, {}) | request.path_params
                    log_act("http", who, f"{request.method} {self.path}", result, **what)
            return response

        return logged


_WHAT: Final = "notes.act.what"
_RESULT: Final = "notes.act.result"


def act_on(request: Request, **what: Any) -> None:
    """Say what a request is about, for the log."""
    request.scope[_WHAT] = what


def came_of_it(request: Request, **result: int) -> None:
    """Say what came of a request, for the log: numbers by name."""
    request.scope[_RESULT] = result


class PageQuery(BaseModel):
    """What is not known is refused: a filter that is passed over would show what nobody asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit: Annotated[int, Field(ge=1, le=PAGE_MAX, description="Items, at most.", examples=[20]), WHOLE] = PAGE
