"""`/livez`, `/readyz`, `/metrics`, `/asyncapi`."""

from collections.abc import Awaitable, Callable, Sequence

from fastapi import APIRouter, Response
from faststream.kafka import KafkaBroker
from faststream.specification.asyncapi import AsyncAPI
from faststream.specification.asyncapi.site import get_asyncapi_html
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic_core import to_json

from notes_query.entrypoints.health import Health
from notes_query.entrypoints.upkeep import probe

READY_S = 1.0
"""Seconds that MongoDB has to answer: whoever asks for readiness waits about that long."""


def health_routes(health: Health, ping_mongo: Callable[[], Awaitable[object]]) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["health"])

    @router.get("/livez", response_class=Response)
    async def live() -> Response:
        """Say that the process answers."""
        return Response(b'{"ok":true}', media_type="application/json")

    @router.get("/readyz", response_class=Response)
    async def ready() -> Response:
        """Say whether a request would be answered: 503 only if MongoDB is away. The rest is named, with since-when."""
        well = await probe(health, "mongo", ping_mongo, READY_S)
        body = {
            "ready": well,
            "parts": {name: part.as_json() for name, part in sorted(health.parts.items())},
        }
        return Response(to_json(body), 200 if well else 503, None if well else {"Retry-After": "1"}, "application/json")

    @router.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        """Return the figures for Prometheus."""
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router


def asyncapi_routes(brokers: Sequence[KafkaBroker], version: str) -> APIRouter:
    """Return the page that shows what is read from Kafka."""
    router = APIRouter(include_in_schema=False)
    # Without `try_it_out_path=None` the page comes with a form that publishes, open to everybody.
    page = get_asyncapi_html(
        AsyncAPI(*brokers, title="Notes: query-service", version=version).to_specification(), try_it_out_path=None
    )

    @router.get("/asyncapi", response_class=Response)
    async def asyncapi() -> Response:
        return Response(page, media_type="text/html; charset=utf-8")

    return router
