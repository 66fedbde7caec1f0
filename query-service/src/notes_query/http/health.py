"""`/livez`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_chassis.http.openapi import RETRY_AFTER
from notes_contracts.examples import CREATED_AT
from notes_contracts.times import Timestamp
from notes_query.monitoring.maintenance import probe

READ_MODELS: Final = "read models"
NEEDED: Final = ("mongo", READ_MODELS)
"""What a request needs. Everything else is named in the body, with since-when."""
READY_S = 1.0
"""Seconds that MongoDB has to answer: a request for readiness takes about that long at most."""

_FIGURES: Final = "# TYPE notes_query_parked_events gauge\nnotes_query_parked_events 0.0\n"


class Alive(BaseModel):
    """The process answers."""

    ok: Literal[True]


class PartView(BaseModel):
    """One thing that is well or not: since when, and why not."""

    ok: bool
    since: Timestamp
    reason: str | None = None


class Readiness(BaseModel):
    """Whether requests are served, and the state of every part."""

    ready: bool
    parts: dict[str, PartView]


def health_routes(
    health: Health, ping_mongo: Callable[[], Awaitable[object]], missing: Callable[[], Sequence[str]] = tuple
) -> APIRouter:
    """Return the routes. `missing` says of the read models that requests need here which are not there yet, and why."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/livez",
        operation_id="livez",
        summary="Is it alive?",
        response_class=Response,
        responses={
            200: {"description": "It is.", "model": Alive, "content": {"application/json": {"example": {"ok": True}}}}
        },
    )
    async def live() -> Response:
        """Say that the process answers."""
        return Response(b'{"ok":true}', media_type="application/json")

    @router.get(
        "/readyz",
        operation_id="readyz",
        summary="Can it answer queries?",
        response_class=Response,
        responses={
            200: {"description": "It can.", "model": Readiness, "content": _readiness(well=True)},
            503: {
                "description": "It cannot.",
                "model": Readiness,
                "content": _readiness(well=False),
                "headers": {"Retry-After": RETRY_AFTER},
            },
        },
    )
    async def ready() -> Response:
        """Say whether a request would be answered: 503 only if MongoDB is away or a read model is not complete."""
        await probe(health, "mongo", ping_mongo, READY_S)
        reason = "; ".join(missing())
        health.report(READ_MODELS, ok=not reason, reason=reason)
        well = health.ready(NEEDED)
        body = {
            "ready": well,
            "parts": health.as_json(),
        }
        return Response(to_json(body), 200 if well else 503, None if well else {"Retry-After": "1"}, "application/json")

    return router


def metrics_route() -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["operations"])

    @router.get(
        "/metrics",
        operation_id="metrics",
        summary="Figures",
        response_class=Response,
        responses={
            200: {
                "description": "The figures.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": _FIGURES}},
            }
        },
    )
    async def metrics() -> Response:
        """Return the figures in Prometheus's text format."""
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def _readiness(*, well: bool) -> dict[str, Any]:
    part = {"ok": well, "since": CREATED_AT} | ({} if well else {"reason": "no answer within 1 s"})
    return {"application/json": {"example": {"ready": well, "parts": {"mongo": part}}}}
