"""The HTTP side as one ASGI application."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, FastAPI

from notes_chassis.access.guard import Scopes
from notes_chassis.access.tokens import Tokens
from notes_chassis.health import Health
from notes_chassis.http.app import App
from notes_chassis.http.dead_letters import DeadLettersMeant
from notes_chassis.http.openapi import schemas_of
from notes_chassis.http.probes import metrics_routes, probe_routes
from notes_query.http.problems import ANSWERS, Problem, documented_problems
from notes_query.live.changes import event_schemas
from notes_query.monitoring import metrics
from notes_query.monitoring.maintenance import probe

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

READ: Final = "notes.read"
WRITE: Final = "notes.write"
ADMIN: Final = "notes.admin"

SCOPES: Final = Scopes(
    {
        "/notes": READ,
        "/notes/search": READ,
        "/notes/changes": READ,
        "/notes/{note_id}": READ,
        "/notes/{note_id}/body": READ,
        "/notes/{note_id}/history": READ,
        "/tags": READ,
        "/commands/{command_id}": WRITE,
        "/admin/dead-letters": ADMIN,
        "/admin/dead-letters/redrive": ADMIN,
        "/admin/dead-letters/drop": ADMIN,
        "/admin/dead-letters/{dead_letter}": ADMIN,
        "/admin/gaps": ADMIN,
    }
)
"""Which scope a request needs: without a line here for each route, nothing starts."""
READ_MODELS: Final = "read models"
NEEDED: Final = ("mongo", READ_MODELS)
"""What readiness asks for: what a request needs."""
READY_S: Final = 1.0
"""Seconds that MongoDB has to answer: a request for readiness takes about that long at most."""
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
    tracing: "Tracing | None" = None,
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
        tracing=tracing,
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `after` waits for it.",
        openapi_tags=TAGS,
        lifespan=lifespan,
    )


def _schemas() -> Mapping[str, Any]:
    return schemas_of(Problem, DeadLettersMeant) | event_schemas()


def health_routes(
    health: Health, ping_mongo: Callable[[], Awaitable[object]], missing: Callable[[], Sequence[str]] = tuple
) -> APIRouter:
    """Return the routes. `missing` says of the read models that requests need here which are not there yet, and why."""

    async def look() -> None:
        await probe(health, "mongo", ping_mongo, READY_S)
        reason = "; ".join(missing())
        health.report(READ_MODELS, ok=not reason, reason=reason)

    return probe_routes(health, NEEDED, look, "Can it answer queries?", "no answer within 1 s")


def metrics_route() -> APIRouter:
    """Return the route."""
    return metrics_routes("# TYPE notes_query_parked_events gauge\nnotes_query_parked_events 0.0\n")
