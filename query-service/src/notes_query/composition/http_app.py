"""The HTTP side as one ASGI application."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from fastapi import APIRouter, FastAPI

from notes_chassis.access.tokens import Tokens
from notes_chassis.http.app import App
from notes_chassis.http.dead_letters import DeadLettersMeant
from notes_chassis.http.openapi import schemas_of
from notes_query.http.problems import ANSWERS, Problem, documented_problems
from notes_query.http.scopes import SCOPES
from notes_query.live.changes import event_schemas
from notes_query.monitoring import metrics

TAGS: Final = [
    {"name": "notes", "description": "Read notes."},
    {"name": "lists", "description": "Find notes."},
    {"name": "commands", "description": "What came of commands."},
    {"name": "operations", "description": "For whoever runs the service."},
]


def make_app(
    routers: Sequence[APIRouter],
    lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]],
    version: str,
    tokens: Tokens | None = None,
) -> FastAPI:
    """Return the application of these routes, which lives as long as `lifespan`.

    The first route that fits answers. Without `tokens` nobody is asked for one.
    """
    return App(
        routers,
        SCOPES,
        tokens,
        errors=ANSWERS,
        problems=documented_problems,
        schemas=_schemas,
        times=metrics.REQUEST_SECONDS,
        gzip=True,
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `after` waits for it.",
        openapi_tags=TAGS,
        lifespan=lifespan,
    )


def _schemas() -> Mapping[str, Any]:
    return schemas_of(Problem, DeadLettersMeant) | event_schemas()
