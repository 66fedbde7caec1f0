"""Signals of commits, of this instance and of others, for the loops that wait for them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from notes_command.postgres import Trust, connect

log = structlog.get_logger()

CHANNEL: Final = "notes_command"
"""Every commit that leaves something in the inbox or the outbox is announced here."""
RECONNECT_S: Final = 1.0
_READS_ONLY: Final = "SELECT current_setting('transaction_read_only') = 'on'"
CHECK_S: Final = 5.0
"""A connection that was cut off without a word is noticed by a question every so often."""


class Signal:
    """Wakes one loop. A signal that is set while the loop does not wait is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the loop, now or when it next waits."""
        self._event.set()

    async def wait(self, at_most: float) -> None:
        """Return once it is set, or after `at_most` seconds."""
        try:
            async with asyncio.timeout(at_most):
                await self._event.wait()
        except TimeoutError:
            return
        finally:
            self._event.clear()


@dataclass(slots=True)
class CommitListener:
    """Calls the subscribers after each commit, and whenever some may have been missed.

    `elsewhere` are called only for commits of other instances, which have another `name`. A server that only reads is
    left, since nothing is committed there; from then on no older connection is trusted.
    """

    url: str
    subscribers: list[Callable[[], None]] = field(default_factory=list)
    elsewhere: list[Callable[[], None]] = field(default_factory=list)
    name: str = ""
    trust: Trust = field(default_factory=Trust)

    async def run(self) -> None:
        """Listen until cancelled. A lost connection is made again; then all are called, as if something was stored."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("commit listener lost its connection", reason=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        connection = await connect(self.url)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._call(self.subscribers + self.elsewhere)
            while True:
                if await connection.fetchval(_READS_ONLY, timeout=CHECK_S):
                    self.trust.renew()
                    raise ConnectionResetError("the server only reads")
                await asyncio.sleep(CHECK_S)
        finally:
            connection.terminate()

    def _heard(self, _: object, __: int, ___: str, name: object) -> None:
        own = self.name and name == self.name
        self._call(self.subscribers if own else self.subscribers + self.elsewhere)

    def _call(self, subscribers: list[Callable[[], None]]) -> None:
        for subscriber in subscribers:
            subscriber()
