"""A response that goes on: server-sent events."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Final

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from notes_chassis.http.protocol import ABORT
from notes_query.live.stream import Stream

log = structlog.get_logger()

STREAM_HEADERS: Final = MappingProxyType({"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
"""A proxy that stores or buffers would hold changes back."""
SEND_S: Final = 30.0
"""Seconds after which a client that takes nothing of what was sent is cut off."""


class EventStream(Response):
    """Sends a stream until it ends, the client leaves, or the client takes nothing any more. Closes the stream."""

    media_type = "text/event-stream"

    def __init__(self, stream: Stream) -> None:
        super().__init__(headers=STREAM_HEADERS)
        del self.headers["content-length"]
        self._stream = stream

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See Starlette."""
        abort: Callable[[], None] = scope.get("extensions", {}).get(ABORT, {}).get("connection", lambda: None)
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_left(receive))
        self._stream.cut = sending.cancel
        try:
            await asyncio.wait([sending, leaving], return_when=asyncio.FIRST_COMPLETED)
        finally:
            left = leaving.done()
            for task in (sending, leaving):
                task.cancel()
            await asyncio.wait([sending, leaving])
            await self._stream.close()
        if sending.cancelled():
            if not left:
                abort()
        elif isinstance(error := sending.exception(), TimeoutError):
            log.info("a client takes nothing of what was sent, and is cut off")
            abort()
        elif error is not None:
            raise error

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._stream.chunks()) as chunks:
            async for chunk in chunks:
                await _in_time(send, {"type": "http.response.body", "body": chunk, "more_body": True})
        await _in_time(send, {"type": "http.response.body", "body": b"", "more_body": False})


async def _in_time(send: Send, message: Any) -> None:
    async with asyncio.timeout(SEND_S):
        await send(message)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
