"""`/readyz`: whether a query would be answered."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from fastapi import APIRouter

from notes_chassis.health import Health
from notes_chassis.http.probes import metrics_routes, probe_routes
from notes_query.monitoring.maintenance import probe

READ_MODELS: Final = "read models"
NEEDED: Final = ("mongo", READ_MODELS)
"""What a request needs."""
READY_S = 1.0
"""Seconds that MongoDB has to answer: a request for readiness takes about that long at most."""


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
