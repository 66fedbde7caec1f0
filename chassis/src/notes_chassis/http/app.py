"""A service's HTTP side as one ASGI application of FastAPI, the same for every service."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import Histogram
from starlette.exceptions import HTTPException
from starlette.types import ExceptionHandler

from notes_chassis.access.guard import Guard, Scopes
from notes_chassis.access.tokens import Tokens
from notes_chassis.http.answers import Answers
from notes_chassis.http.openapi import ProblemDocs, add_docs, restore_examples, tidy_parameters
from notes_chassis.http.problems import Refusal, answer_framework, answer_internal, answer_invalid, answer_refusal
from notes_chassis.tracing.http import Traces

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing


class App(FastAPI):
    """The first route that matches answers, in the order of `routers`. Every error is a problem document.

    Without `tokens` no token is needed. `errors`: the handlers of a service's own exceptions. `problems` and `schemas`
    are for the OpenAPI document; `schemas` returns those that FastAPI cannot know, by name. `times`, `gzip`: see
    Answers. `tracing`: makes a span for each request, None for no spans.
    """

    def __init__(
        self,
        routers: Sequence[APIRouter],
        scopes: Scopes,
        tokens: Tokens | None,
        *,
        errors: Mapping[type[Exception], ExceptionHandler],
        problems: ProblemDocs,
        schemas: Callable[[], Mapping[str, Any]],
        times: Histogram | None = None,
        gzip: bool = False,
        tracing: "Tracing | None" = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            docs_url=None,
            redoc_url=None,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # nothing exports it, and it costs 4 µs
            redirect_slashes=False,  # a wrong path is answered with a problem, not a redirect
            **settings,
        )
        self._scopes = scopes
        self._open = tokens is None
        self._problems = problems
        self._schemas = schemas
        for router in routers:
            # `include_router` would match every request twice: by the router, and by its routes.
            self.router.routes.extend(router.routes)
        for route in self.routes:
            if isinstance(route, APIRoute):
                route.operation_id = route.operation_id or route.name
        add_docs(self)
        ours: dict[type[Exception], ExceptionHandler] = {
            Refusal: answer_refusal,
            HTTPException: answer_framework,
            RequestValidationError: answer_invalid,
            Exception: answer_internal,
        }
        for error, handler in {**ours, **errors}.items():
            self.add_exception_handler(error, handler)
        scopes.check(self.routes)
        if tokens is not None:
            self.add_middleware(Guard, scopes=scopes, tokens=tokens)
        if tracing is not None:
            self.add_middleware(Traces, tracing=tracing)
        self.add_middleware(Answers, times, gzip=gzip)

    def openapi(self) -> dict[str, Any]:
        """Return FastAPI's document with the parts that it cannot know: errors, bodies that routes read, and scopes."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {}).setdefault("schemas", {}).update(self._schemas())
            self._scopes.document(document, self._problems("unauthenticated", "forbidden"), optional=self._open)
            restore_examples(document, self.routes)
            tidy_parameters(document)
            internal = self._problems("internal")[500]
            for methods in document["paths"].values():
                for operation in methods.values():
                    operation["responses"].setdefault("500", internal)
        return super().openapi()
