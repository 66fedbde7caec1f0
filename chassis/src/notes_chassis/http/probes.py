"""`/livez`, `/readyz`, `/metrics`, and a listener of their own, away from where users come in."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection, Generator, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Annotated, Any, Final, Literal

import structlog
from fastapi import APIRouter, FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Gauge, generate_latest
from pydantic import BaseModel, Field
from pydantic_core import to_json

from notes_chassis.health import Health
from notes_chassis.http.answers import Answers
from notes_chassis.http.limits import HttpLimits
from notes_chassis.http.openapi import RETRY_AFTER
from notes_chassis.http.problems import RETRY_AFTER_S, answer_framework, answer_internal
from notes_chassis.http.server import Server

_TIME: Final = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"
_SINCE: Final = "2026-01-02T03:04:05.678Z"

log = structlog.get_logger()
READY: Final = Gauge("notes_ready", "1 while /readyz says 200, as far as it was looked")
CONNECTIONS: Final = 100
"""Open connections of this listener. Not a setting."""
LOOK_S: Final = 0.5
"""How old the answer is at most that a flood of requests for readiness shares. Anybody may ask, without a token."""
LOOKS: Final = 10
"""Looks that a quiet time leaves over: who asks now and then, as probes do, sees what is so now."""


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


class SharedLook:
    """Looks for whoever asks, but once for all who ask meanwhile, and every LOOK_S at most once LOOKS are used up.

    A look costs Kafka or MongoDB a request, and all who use them would pay for thousands of them.
    """

    def __init__(self, look: Callable[[], Awaitable[object]]) -> None:
        self._look = look
        self._looking: asyncio.Future[object] | None = None
        self._left, self._at = float(LOOKS), monotonic()

    async def __call__(self) -> None:
        """Look, or wait for the look that is on its way, or leave it at the one before."""
        if self._looking is None or self._looking.done():
            now = monotonic()
            self._left, self._at = min(self._left + (now - self._at) / LOOK_S, LOOKS), now
            if self._left < 1:
                return
            self._left -= 1
            self._looking = asyncio.ensure_future(self._look())
        await asyncio.shield(self._looking)  # who goes away does not end it for the others


def probe_routes(
    health: Health, needed: Collection[str], look: Callable[[], Awaitable[object]], summary: str, reason: str
) -> APIRouter:
    """Return the routes of life and readiness.

    `needed`: the parts that a request needs; everything else is named in the body, with since-when. `look` is called
    first, to report on them; SharedLook says how often. `summary`, and `reason` of the first of them, are for the
    OpenAPI document.
    """
    router = APIRouter(tags=["operations"])
    shared_look = SharedLook(look)

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
        await shared_look()
        well = health.ready(needed)
        headers = None if well else {"Retry-After": str(RETRY_AFTER_S)}
        body = to_json({"ready": well, "parts": health.as_json()})
        return Response(body, 200 if well else 503, headers, "application/json")

    return router


def show_readiness(health: Health, needed: Collection[str]) -> None:
    """Have the metric `notes_ready` say what /readyz does."""
    READY.set_function(lambda: health.ready(needed))


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


class OpsServer(Server):
    """Leaves the signals to the server that users come to."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Catch none."""
        yield


class OpsListener:
    """A task of the process. A port that is taken is tried again; until then readiness names the task."""

    def __init__(self, routers: Sequence[APIRouter], host: str, port: int) -> None:
        self._app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        for router in routers:
            self._app.include_router(router)
        for status in (404, 405):
            self._app.add_exception_handler(status, answer_framework)
        self._app.add_exception_handler(Exception, answer_internal)
        self._app.add_middleware(Answers)
        self._host, self._port = host, port
        self._limits = HttpLimits().model_copy(update={"http_connections": CONNECTIONS})

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError where the address cannot be had."""
        server = OpsServer(self._app, self._host, self._port, lambda: None, self._limits)
        server.config.lifespan = "off"  # a lifespan that is cancelled with this task logs a traceback
        with await _listening(self._host, self._port) as listening:
            log.info("the ops listener is there", port=listening.getsockname()[1])
            try:
                await server.serve([listening])
            finally:
                for one in server.servers:
                    one.close()
                for connection in list(server.server_state.connections):
                    connection.transport.abort()


async def _listening(host: str, port: int) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=CONNECTIONS)
