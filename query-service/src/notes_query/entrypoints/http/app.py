"""The HTTP side as one ASGI application."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from notes_query.entrypoints.http.docs import add_docs
from notes_query.entrypoints.http.openapi import restore_examples
from notes_query.entrypoints.http.problems import add_problem_handlers, internal_problem, problem_schemas

TAGS: Final = [
    {"name": "notes", "description": "Read notes."},
    {"name": "lists", "description": "Find notes."},
    {"name": "commands", "description": "What came of commands."},
    {"name": "operations", "description": "For whoever runs the service."},
]


class App(FastAPI):
    """FastAPI, whose documentation also knows the document of every error, and the error that every route can have."""

    described: Sequence[BaseRoute] = ()

    def openapi(self) -> dict[str, Any]:
        """See FastAPI."""
        if self.openapi_schema is None:
            document = super().openapi()
            document.setdefault("components", {}).setdefault("schemas", {}).update(problem_schemas())
            document["security"] = []  # said, not forgotten: nobody is asked who they are
            restore_examples(document, self.described)
            for methods in document["paths"].values():
                for operation in methods.values():
                    operation["responses"].setdefault("500", internal_problem())
        return super().openapi()


def make_app(
    routers: Sequence[APIRouter], lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], version: str
) -> FastAPI:
    """Return the application of these routes, which lives as long as `lifespan`."""
    app = App(
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `min_version` waits for it.",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect would answer a wrong path with something other than a problem
        lifespan=lifespan,
    )
    add_docs(app)
    for router in routers:
        app.include_router(router)
    app.described = [route for router in routers for route in router.routes]
    add_problem_handlers(app)
    return app
