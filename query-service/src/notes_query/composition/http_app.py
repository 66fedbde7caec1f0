"""The HTTP side as one ASGI application."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from notes_chassis.access.guard import Guard
from notes_chassis.access.tokens import Tokens
from notes_chassis.http.answers import Answers
from notes_chassis.http.dead_letters import DeadLettersMeant
from notes_chassis.http.docs import add_docs, restore_examples
from notes_chassis.http.parameters import tidy_parameters
from notes_query.http.problems import Problem, add_problem_handlers, documented_problems, refusals, schemas_of
from notes_query.http.scopes import SCOPES
from notes_query.live.changes import event_schemas
from notes_query.monitoring import metrics

TAGS: Final = [
    {"name": "notes", "description": "Read notes."},
    {"name": "lists", "description": "Find notes."},
    {"name": "commands", "description": "What came of commands."},
    {"name": "operations", "description": "For whoever runs the service."},
]


class App(FastAPI):
    """FastAPI, whose documentation also knows the document of every error, and the error that every route can have."""

    def __init__(self, *, open_to_all: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self._open = open_to_all

    def openapi(self) -> dict[str, Any]:
        """See FastAPI."""
        if self.openapi_schema is None:
            document = super().openapi()
            more = schemas_of(Problem, DeadLettersMeant) | event_schemas()
            document.setdefault("components", {}).setdefault("schemas", {}).update(more)
            SCOPES.document(document, refusals(), optional=self._open)
            restore_examples(document, self.routes)
            tidy_parameters(document)
            internal = documented_problems()[500]
            for methods in document["paths"].values():
                for operation in methods.values():
                    operation["responses"].setdefault("500", internal)
        return super().openapi()


def make_app(
    routers: Sequence[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    version: str,
    tokens: Tokens | None = None,
) -> FastAPI:
    """Return the application of these routes, which lives as long as `lifespan`.

    The first route that fits answers. Without `tokens` nobody is asked for one.
    """
    app = App(
        open_to_all=tokens is None,
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `after` waits for it.",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        telemetry=dict.fromkeys(("tracing", "metrics", "logs"), False),  # nobody exports it; looking for it costs 4 µs
        redirect_slashes=False,  # a redirect would answer a wrong path with something other than a problem
        lifespan=lifespan,
    )
    for router in routers:
        # Not by `include_router`, which matches every request twice: by the router, and by all its routes.
        app.router.routes.extend(router.routes)
    add_docs(app)
    add_problem_handlers(app)
    SCOPES.check(app.routes)
    if tokens is not None:
        app.add_middleware(Guard, scopes=SCOPES, tokens=tokens)
    app.add_middleware(Answers, metrics.REQUEST_SECONDS, gzip=True)
    return app
