"""uvicorn, with limits, told to let waiting clients go as soon as it is asked to end."""

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
"""Descriptors that are kept free of connections: for the stores, for Kafka, for logs."""
TOLD_S: Final = 30.0
LOOK_S: Final = 1.0
SLOW_LOOK_S: Final = 0.1
"""Seconds between two looks at the connections, and while a client does not take its answer."""
CONNECTIONS_OPEN = Gauge("notes_http_connections", "Open HTTP connections")


class Server(uvicorn.Server):
    """`ending` is called at the first SIGTERM or SIGINT, before connections are waited for."""

    def __init__(
        self, app: ASGIApp, host: str, port: int, ending: Callable[[], None], limits: HttpLimits | None = None
    ) -> None:
        self.limits = limits or HttpLimits()
        self.awaited = asyncio.Event()
        """Set to look at the connections at once: a client does not take its answer, or all is to end."""
        config = _Config(self, app, host, port)
        super().__init__(config)
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None
        most = self.limits.http_connections
        self.most = max(min(most, _descriptors(most) - OTHER_FILES), 1)
        self._told_at = float("-inf")

    async def run_until_signal(self) -> None:
        """Serve. The signal is dealt with once this returns: whoever sent it sees a plain end, not a killed process."""
        self._loop = asyncio.get_running_loop()
        CONNECTIONS_OPEN.set_function(lambda: len(self.server_state.connections))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        await self.serve()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end. Runs in a signal handler."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending)
            self._loop.call_soon_threadsafe(self.awaited.set)

    def end(self) -> None:
        """Stop serving, as a signal would."""
        self._ending()
        self.should_exit = True
        self.awaited.set()

    async def main_loop(self) -> None:
        """Tick once a second, and ten times while a client does not take its answer: uvicorn's own always does."""
        clock, due = asyncio.get_running_loop().time, 0.0
        while True:
            if whole := clock() >= due:
                due = clock() + LOOK_S
            if await self.on_tick(0 if whole else 1):
                return
            connections: set[Any] = self.server_state.connections
            if not any(one.flow.write_paused for one in connections):
                self.awaited.clear()
                if not await happens(self.awaited, due - clock()):
                    continue
            await asyncio.sleep(SLOW_LOOK_S)

    async def on_tick(self, counter: int) -> bool:
        """Look at every connection once a second: uvicorn counts tenths of it."""
        connections: list[Any] = list(self.server_state.connections)
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in connections:
                connection.look(now)
        self._let_go_of_slowest([one for one in connections if one.flow.write_paused])
        return await super().on_tick(counter)

    def _let_go_of_slowest(self, slow: list[Any]) -> None:
        """Cut off who takes nothing for longest, while the answers that clients do not take need too much memory."""
        untaken = {one: one.transport.get_write_buffer_size() for one in slow}
        over = sum(untaken.values()) - self.limits.http_untaken_bytes
        for one in sorted(slow, key=lambda one: one.untaken_since):
            if over <= 0:
                return
            over -= untaken[one]
            REFUSED.labels("untaken").inc()
            one.transport.abort()

    def full(self, newest: Protocol) -> bool:
        """Return whether the newest connection is one too many, after those without a whole request gave way."""
        connections: set[Any] = self.server_state.connections
        if len(connections) <= self.most:
            return False
        now = asyncio.get_running_loop().time()
        if now - self._told_at > TOLD_S:
            self._told_at = now
            log.warning("connections at their limit", connections=len(connections), limit=self.most)
        waiting = [one for one in connections if one.waits and one is not newest]
        # Some more than one, so that a flood does not look at all connections for each of its own.
        for one in heapq.nsmallest(1 + self.most // 50, waiting, key=lambda one: one.since):
            REFUSED.labels("gave_way").inc()
            one.transport.abort()
            connections.discard(one)
        return len(connections) > self.most


async def serve_until_signal(app: ASGIApp, host: str, port: int, ending: Callable[[], None], limits: HttpLimits) -> int:
    """Serve until SIGTERM or SIGINT; return the exit code: 1 where the address cannot be had. `ending`: as Server's."""
    server = Server(app, host, port, ending, limits)
    await server.run_until_signal()
    return 0 if server.started else 1


class _Config(uvicorn.Config):
    """What uvicorn hands to each connection."""

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
        self.slow = server.awaited.set


def _descriptors(wanted: int) -> int:
    """Return how many files this process may have open, after asking for as many as are wanted."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted + OTHER_FILES
    if soft < most:
        soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft
