"""Hears of commits, this instance's and others'."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from notes_command.adapters.postgres.engine import connect
from notes_command.adapters.postgres.statements import CHANNEL

log = structlog.get_logger()

RECONNECT_S: Final = 1.0
CHECK_S: Final = 5.0
"""A connection that was cut off without a word is noticed by a question every so often."""


@dataclass(slots=True)
class CommitListener:
    """Calls the subscribers after each commit, and whenever some may have been missed.

    `strangers` are not called for commits under `name`, this instance's own.
    """

    url: str
    subscribers: list[Callable[[], None]] = field(default_factory=list)
    strangers: list[Callable[[], None]] = field(default_factory=list)
    name: str = ""

    async def run(self) -> None:
        """Listen until cancelled. A lost connection is made again; then all are called, as if something was stored."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("commit listener lost its connection", error=str(error))
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        connection = await connect(self.url)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._call(self.subscribers + self.strangers)
            while True:
                await connection.fetchval("SELECT 1", timeout=CHECK_S)
                await asyncio.sleep(CHECK_S)
        finally:
            connection.terminate()

    def _heard(self, _: object, __: int, ___: str, name: object) -> None:
        own = self.name and name == self.name
        self._call(self.subscribers if own else self.subscribers + self.strangers)

    def _call(self, subscribers: list[Callable[[], None]]) -> None:
        for subscriber in subscribers:
            subscriber()
