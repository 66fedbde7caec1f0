"""uvicorn, told to let waiting readers go as soon as it is asked to end."""

import asyncio
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_S: Final = 15
"""Seconds that answers under way have to finish."""


ABORT: Final = "notes.abort"
"""The ASGI extension under which a request finds what cuts its connection, whatever is still to be sent."""


class Protocol(HttpToolsProtocol):
    """uvicorn's, with that extension: closing waits until the client has taken what was sent, which may be never."""

    def on_message_begin(self) -> None:
        """See uvicorn."""
        super().on_message_begin()
        self.scope["extensions"] = {ABORT: {"connection": self.transport.abort}}


class Server(uvicorn.Server):
    """`ending` is called at the first SIGTERM or SIGINT, before connections are waited for."""

    def __init__(self, app: FastAPI, host: str, port: int, ending: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=Protocol,
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=GRACE_S,
            )
        )
        self._ending = ending
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run_until_signal(self) -> None:
        """Serve. The signal is dealt with once this returns: whoever sent it sees a plain end, not a killed process."""
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        await self.serve()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """See uvicorn. Runs in a signal handler."""
        super().handle_exit(sig, frame)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._ending)

    def end(self) -> None:
        """Stop serving, as a signal would."""
        self._ending()
        self.should_exit = True
