"""The HTTP side as one ASGI application, and the AsyncAPI document of what is read from Kafka and written to it."""

import re
from collections.abc import Awaitable, Callable, Sequence
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
from notes_contracts import asyncapi as contract
from notes_query.composition.shared import ADMIN
from notes_query.http.problems import ANSWERS, Problem, documented_problems
from notes_query.live.changes import event_schemas
from notes_query.monitoring import metrics
from notes_query.monitoring.maintenance import probe
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.builds import group_of
from notes_query.settings import Settings

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

READ: Final = "notes.read"
WRITE: Final = "notes.write"

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
"""The scope that each route needs. The service does not start if a route is missing here."""
SERVED: Final = "read models"
NEEDED: Final = ("mongo", SERVED)
"""The parts that readiness asks for, because requests need them."""
READY_S: Final = 1.0
"""Seconds that MongoDB may take to answer a request for readiness."""
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
    """Return the application with these routes, which lives as long as `lifespan`.

    The first route that matches answers. Without `tokens` no request needs one.
    """
    return App(
        routers,
        SCOPES,
        tokens,
        errors=ANSWERS,
        problems=documented_problems,
        schemas=lambda: schemas_of(Problem, DeadLettersMeant) | event_schemas(),
        times=metrics.REQUEST_SECONDS,
        gzip=True,
        tracing=tracing,
        title="Notes: query-service",
        version=version,
        description="Reads notes. What is written arrives a moment later: `after` waits for it.",
        openapi_tags=TAGS,
        lifespan=lifespan,
    )


def health_routes(
    health: Health, ping_mongo: Callable[[], Awaitable[object]], missing: Callable[[], Sequence[str]] = tuple
) -> APIRouter:
    """Return the probes. `missing` returns which of the read models that requests need are missing, and why."""

    async def check() -> None:
        await probe(health, "mongo", ping_mongo, READY_S)
        reason = "; ".join(missing())
        health.report(SERVED, ok=not reason, reason=reason)

    return probe_routes(health, NEEDED, check, "Can it answer queries?", "no answer within 1 s")


def metrics_route() -> APIRouter:
    """Return the route of the metrics, documented with an example."""
    return metrics_routes("# TYPE notes_query_parked_events gauge\nnotes_query_parked_events 0.0\n")


def asyncapi_document(settings: Settings, version: str) -> dict[str, Any]:
    """Return the AsyncAPI document, with the names of topics that are set."""
    operation = contract.Operation
    document = contract.asyncapi(
        "Notes: query-service",
        version,
        "Builds documents out of events. CloudEvents 1.0 over Kafka: attributes in headers, data as the value.",
        [
            operation(
                "receive",
                contract.EVENTS,
                settings.topic_events,
                "Folds them into the documents of their notes. Each build of a projector reads in a group of its own.",
                _example(settings.query_group, "notes", 1),
            ),
            operation(
                "receive",
                contract.OUTCOMES,
                settings.topic_outcomes,
                "Keeps them by command id.",
                settings.outcomes_group,
            ),
            operation(
                "send",
                contract.EVENT_DEAD_LETTERS,
                settings.topic_event_dead_letters,
                "Shows what could not be processed.",
            ),
        ],
    )
    document["operations"]["receiveEvents"]["bindings"]["kafka"]["groupId"] = _groups(settings.query_group)
    return document


def _example(prefix: str, projector: str, number: int) -> str:
    versions = {model.name: model.version for model in READ_MODELS.values() if model.projector == projector}
    return group_of(prefix, versions, number)


def _groups(prefix: str) -> dict[str, Any]:
    """Return the schema of the names of groups, one for each build, which feeds read models of one projector."""
    projectors = sorted({read_model.projector for read_model in READ_MODELS.values()})
    return {
        "type": "string",
        # Some readers of patterns refuse an escaped hyphen.
        "pattern": f"^{re.escape(prefix).replace(chr(92) + '-', '-')}(-[a-z_]+-v[1-9][0-9]*)+-[1-9][0-9]*$",
        "description": f"`{prefix}-<read model>-v<version>-<build>`; a build of several read models names them all",
        "examples": [_example(prefix, projector, number) for number, projector in enumerate(projectors, 1)],
    }
