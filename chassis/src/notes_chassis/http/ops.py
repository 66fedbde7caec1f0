"""The listener of those who run the service: `/livez`, `/readyz` and `/metrics`, away from where users come in."""

import asyncio
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import structlog
from fastapi import APIRouter, FastAPI

from notes_chassis.http.answers import Answers
from notes_chassis.http.limits import HttpLimits
from notes_chassis.http.problems import answer_framework
from notes_chassis.http.server import Server

log = structlog.get_logger()

CONNECTIONS: Final = 100
"""Open connections of this listener. Not a setting."""


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
