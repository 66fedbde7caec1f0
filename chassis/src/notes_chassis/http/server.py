"""uvicorn with limits. It lets waiting clients go as soon as the process is asked to end."""

import asyncio
import heapq
import resource
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

import structlog
import uvicorn
from prometheus_client import Gauge
from starlette.types import ASGIApp

from notes_chassis.http.endings import answered
from notes_chassis.http.limits import REFUSED, HttpLimits
from notes_chassis.http.protocol import Protocol
from notes_chassis.process import happens

log = structlog.get_logger()

GRACE_S: Final = 15
"""Seconds that answers under way have to finish."""
OTHER_FILES: Final = 256
"""Descriptors that are kept free for other things than connections: stores, Kafka, logs."""
LOG_EVERY_S: Final = 30.0
CHECK_S: Final = 1.0
"""Seconds between two checks of the connections."""
SLOW_CHECK_S: Final = 0.1
"""The same of connections whose clients do not take their answers."""
CONNECTIONS_OPEN = Gauge("notes_http_connections", "Open HTTP connections")


class Server(uvicorn.Server):
    """`ending` is called at the first SIGTERM or SIGINT, before connections are waited for."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, ending: Callable[[], None], limits: HttpLimits | None = None
    ) -> None:
        self.limits = limits or HttpLimits()
        self.check_now = asyncio.Event()
        """Set to check the connections at once: a client does not take its answer, or the server is to end."""
        config = _Config(self, app, host, port)
        super().__init__(config)
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None
        wanted = self.limits.http_connections
        self.most = max(min(wanted, _descriptors(wanted) - OTHER_FILES), 1)
        """Connections that may be open."""
        self._logged_at = float("-inf")

    async def run_until_signal(self) -> None:
        """Serve until a signal comes, then return: the process ends with an exit code, not as if it were killed."""
        self._loop = asyncio.get_running_loop()
        CONNECTIONS_OPEN.set_function(lambda: len(self.server_state.connections))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        await self.serve()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Called as a signal handler."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending)
            self._loop.call_soon_threadsafe(self.check_now.set)

    def end(self) -> None:
        """Stop serving, as a signal would."""
        self._ending()
        self.should_exit = True
        self.check_now.set()

    async def main_loop(self) -> None:
        """Tick once a second, and ten times, as uvicorn always does, while a client does not take its answer."""
        clock = asyncio.get_running_loop().time
        due = 0.0
        while True:
            is_due = clock() >= due
            if is_due:
                due = clock() + CHECK_S
            if await self.on_tick(0 if is_due else 1):
                return
            connections: set[Any] = self.server_state.connections
            if not any(connection.flow.write_paused for connection in connections):
                self.check_now.clear()
                if not await happens(self.check_now, due - clock()):
                    continue
            await asyncio.sleep(SLOW_CHECK_S)

    async def on_tick(self, counter: int) -> bool:
        """Check every connection if `counter`, in tenths of a second, is a whole second; always check the slow ones."""
        connections: list[Any] = list(self.server_state.connections)
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in connections:
                connection.check(now)
        self._abort_slowest([connection for connection in connections if connection.flow.write_paused])
        return await super().on_tick(counter)

    def _abort_slowest(self, slow: list[Any]) -> None:
        """Abort connections, the longest untaken first, until untaken answers are within `http_untaken_bytes`."""
        untaken = {connection: connection.transport.get_write_buffer_size() for connection in slow}
        over = sum(untaken.values()) - self.limits.http_untaken_bytes
        for connection in sorted(slow, key=lambda connection: connection.untaken_since):
            if over <= 0:
                return
            over -= untaken[connection]
            REFUSED.labels("untaken").inc()
            connection.transport.abort()

    def full(self, newest: Protocol) -> bool:
        """Return whether there are too many connections, after aborting the oldest without a complete request."""
        connections: set[Any] = self.server_state.connections
        if len(connections) <= self.most:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._logged_at > LOG_EVERY_S:
            self._logged_at = now
            log.warning("connections at their limit", connections=len(connections), limit=self.most)
        waiting = [connection for connection in connections if connection.waits and connection is not newest]
        # Several at a time, so that in a flood not every new connection leads to a search among all of them.
        for connection in heapq.nsmallest(1 + self.most // 50, waiting, key=lambda connection: connection.since):
            REFUSED.labels("gave_way").inc()
            connection.transport.abort()
            connections.discard(connection)
        return len(connections) > self.most


async def serve_until_signal(app: ASGIApp, host: str, port: int, ending: Callable[[], None], limits: HttpLimits) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code, 1 if it cannot listen there. `ending`: see Server."""
    server = Server(app, host, port, ending, limits)
    await server.run_until_signal()
    return 0 if server.started else 1


class _Config(uvicorn.Config):
    """uvicorn's configuration, which it hands to each connection, with the server's limits."""

    def __init__(self, server: Server, app: ASGIApp, host: str, port: int) -> None:
        super().__init__(
            answered(app),
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=int(server.limits.http_keep_alive_s) + 1,
        )
        self.limits = server.limits
        self.full = server.full
        self.slow = server.check_now.set


def _descriptors(wanted: int) -> int:
    """Raise the limit of open files for `wanted` connections as far as is allowed; return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + OTHER_FILES
    if soft < most:
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
