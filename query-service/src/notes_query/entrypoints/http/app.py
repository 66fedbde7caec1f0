"""The HTTP side as one ASGI application."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI

from notes_query.entrypoints.http.problems import add_problem_handlers


def make_app(
    routers: Sequence[APIRouter], lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], version: str
) -> FastAPI:
    """Return the application of these routes, which lives as long as `lifespan`."""
    app = FastAPI(
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `min_version` waits for it.",
        redoc_url=None,
        lifespan=lifespan,
    )
    for router in routers:
        app.include_router(router)
    add_problem_handlers(app)
    return app
