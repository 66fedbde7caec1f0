"""The HTTP side as a whole."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager

from fastapi import APIRouter, FastAPI

from notes_command.entrypoints.http import problems

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(routers: Sequence[APIRouter], lifespan: Lifespan | None = None) -> FastAPI:
    """Return the app with those routes; every error is a problem document."""
    app = FastAPI(
        title="Notes: command-service",
        version="1.0.0",
        summary="Takes commands over HTTP to Kafka and tells what came of them.",
        lifespan=lifespan,
        redoc_url=None,
    )
    problems.install(app)
    for router in routers:
        app.include_router(router)
    return app
