"""`/livez`, `/readyz`, `/metrics`."""

from collections.abc import Awaitable, Callable, Collection
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_chassis.http.openapi import RETRY_AFTER
from notes_chassis.http.problems import RETRY_AFTER_S

_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
_SINCE: Final = "2026-01-02T03:04:05.678Z"


class Alive(BaseModel):
    """The process answers."""

    ok: Literal[True]


class PartView(BaseModel):
    """One thing that is well or not: since when, and why not."""

    ok: bool
    since: Annotated[str, Field(pattern=_TIME, json_schema_extra={"format": "date-time"})]
    reason: str | None = None


class Readiness(BaseModel):
    """Whether requests are served, and the state of every part."""

    ready: bool
    parts: dict[str, PartView]


def probe_routes(
    health: Health, needed: Collection[str], look: Callable[[], Awaitable[object]], summary: str, reason: str
) -> APIRouter:
    """Return the routes of life and readiness.

    `needed`: the parts that a request needs; everything else is named in the body, with since-when. `look` is called
    first, to report on them. `summary`, and `reason` of the first of them, are for the OpenAPI document.
    """
    router = APIRouter(tags=["operations"])

    def shown(*, well: bool) -> dict[str, Any]:
        part = {"ok": well, "since": _SINCE} | ({} if well else {"reason": reason})
        example = {"ready": well, "parts": {next(iter(needed)): part}}
        return {"model": Readiness, "content": {"application/json": {"example": example}}}

    @router.get(
        "/livez",
        summary="Is it alive?",
        response_class=Response,
        responses={
            200: {"description": "It is.", "model": Alive, "content": {"application/json": {"example": {"ok": True}}}}
        },
    )
    async def livez() -> Response:
        """Say that the process answers."""
        return Response(b'{"ok":true}', media_type="application/json")

    @router.get(
        "/readyz",
        summary=summary,
        response_class=Response,
        responses={
            200: {"description": "It can.", **shown(well=True)},
            503: {"description": "It cannot.", "headers": {"Retry-After": RETRY_AFTER}, **shown(well=False)},
        },
    )
    async def readyz() -> Response:
        """503 only while something is away that a request needs; everything else is named in the body."""
        await look()
        well = health.ready(needed)
        headers = None if well else {"Retry-After": str(RETRY_AFTER_S)}
        body = to_json({"ready": well, "parts": health.as_json()})
        return Response(body, 200 if well else 503, headers, "application/json")

    return router


def metrics_routes(example: str) -> APIRouter:
    """Return the route. `example`: what the OpenAPI document shows."""
    router = APIRouter(tags=["operations"])
    content = {"text/plain": {"schema": {"type": "string"}, "example": example}}

    @router.get(
        "/metrics",
        summary="Figures",
        response_class=Response,
        responses={200: {"description": "The figures.", "content": content}},
    )
    async def metrics() -> Response:
        """Return the figures in Prometheus's text format."""
        return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
