"""`/livez`, `/readyz` and `/metrics`, and a listener for them beside the one for users."""

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
CHECK_S: Final = 0.5
"""Seconds in which a flood of requests for readiness causes one check. Anybody may ask, without a token."""
SPARE_CHECKS: Final = 10
"""Checks that accumulate in quiet times: rare requests, such as probes, always get a check of their own."""


class Alive(BaseModel):
    """The process answers."""

    ok: Literal[True]


class PartView(BaseModel):
    """A part of the service: whether it is well, since when, and why not."""

    ok: bool
    since: Annotated[str, Field(pattern=_TIME, json_schema_extra={"format": "date-time"})]
    reason: str | None = None


class Readiness(BaseModel):
    """Whether requests are served, and the state of every part."""

    ready: bool
    parts: dict[str, PartView]


class SharedCheck:
    """Checks once for all who ask at the same time, and every CHECK_S at most when SPARE_CHECKS are used up.

    A check costs Kafka or MongoDB a request: thousands of them would be felt by all their clients.
    """

    def __init__(self, check: Callable[[], Awaitable[object]]) -> None:
        self._check = check
        self._checking: asyncio.Future[object] | None = None
        self._spare = float(SPARE_CHECKS)
        self._counted_at = monotonic()

    async def __call__(self) -> None:
        """Check, or wait for the check under way, or leave it at the last one."""
        if self._checking is None or self._checking.done():
            now = monotonic()
            self._spare = min(self._spare + (now - self._counted_at) / CHECK_S, SPARE_CHECKS)
            self._counted_at = now
            if self._spare < 1:
                return
            self._spare -= 1
            self._checking = asyncio.ensure_future(self._check())
        await asyncio.shield(self._checking)  # a client that leaves does not end it for the others


def probe_routes(
    health: Health, needed: Collection[str], check: Callable[[], Awaitable[object]], summary: str, reason: str
) -> APIRouter:
    """Return the routes `/livez` and `/readyz`.

    `needed`: the parts that requests need; the others are only shown. `check` reports on them to `health` before the
    answer, as often as SharedCheck allows. `summary`, and `reason` of the first part, are for the OpenAPI document.
    """
    router = APIRouter(tags=["operations"])
    shared_check = SharedCheck(check)

    def shown(*, ok: bool) -> dict[str, Any]:
        part = {"ok": ok, "since": _SINCE} | ({} if ok else {"reason": reason})
        example = {"ready": ok, "parts": {next(iter(needed)): part}}
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
            200: {"description": "It can.", **shown(ok=True)},
            503: {"description": "It cannot.", "headers": {"Retry-After": RETRY_AFTER}, **shown(ok=False)},
        },
    )
    async def readyz() -> Response:
        """503 only while something is away that a request needs; everything else is named in the body."""
        await shared_check()
        ready = health.ready(needed)
        headers = None if ready else {"Retry-After": str(RETRY_AFTER_S)}
        body = to_json({"ready": ready, "parts": health.as_json()})
        return Response(body, 200 if ready else 503, headers, "application/json")

    return router


def show_readiness(health: Health, needed: Collection[str]) -> None:
    """Set the metric `notes_ready` to what /readyz answers."""
    READY.set_function(lambda: health.ready(needed))


def metrics_routes(example: str) -> APIRouter:
    """Return the route `/metrics`. `example`: for the OpenAPI document."""
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
    """A server that leaves signals to the service's main server."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture no signal."""
        yield


class OpsListener:
    """The listener for probes, a task of the process. While its port is taken the task fails and is tried again."""

    def __init__(self, routers: Sequence[APIRouter], host: str, port: int) -> None:
        self._app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        for router in routers:
            self._app.include_router(router)
        for status in (404, 405):
            self._app.add_exception_handler(status, answer_framework)
        self._app.add_exception_handler(Exception, answer_internal)
        self._app.add_middleware(Answers)
        self._host = host
        self._port = port
        self._limits = HttpLimits().model_copy(update={"http_connections": CONNECTIONS})

    async def run(self) -> None:
        """Serve until cancelled. Raises OSError if it cannot listen on the address."""
        server = OpsServer(self._app, self._host, self._port, lambda: None, self._limits)
        server.config.lifespan = "off"  # a lifespan that is cancelled with this task logs a traceback
        with await _listening(self._host, self._port) as socket_:
            log.info("the ops listener is there", port=socket_.getsockname()[1])
            try:
                await server.serve([socket_])
            finally:
                for listener in server.servers:
                    listener.close()
                for connection in list(server.server_state.connections):
                    connection.transport.abort()


async def _listening(host: str, port: int) -> socket.socket:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, address = found[0]
    return socket.create_server(address[:2], family=family, backlog=CONNECTIONS)
