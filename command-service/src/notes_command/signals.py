"""Signals of commits, of this instance and of others, for the loops that wait for them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import asyncpg
import structlog

from notes_chassis.health import Health
from notes_chassis.process import happens, late
from notes_command.postgres import Trust, connect

log = structlog.get_logger()

CHANNEL: Final = "notes_command"
"""Commits that leave something in the inbox or the outbox are announced here, and who listens says so."""
_HERE: Final = "here: "
"""What an instance says before its name. The release before takes it for a commit, which does no harm."""
_ASK: Final = "SELECT current_setting('transaction_read_only') = 'on'"
_SAY: Final = f"{_ASK}, pg_notify('{CHANNEL}', $1)"
GONE_S: Final = 15.0
"""Seconds after which an instance that said nothing is gone."""
RECONNECT_S: Final = 1.0
CHECK_S: Final = 5.0
"""A connection that was cut off without a word is noticed by a question that nobody answers for so long."""
ASK_S: Final = 1.0
LATE_S: Final = 1.5
"""Seconds without an answer after which readiness says so: a server that hangs closes no connection."""


SILENCE: Final = "silence"
"""The cause, in the part `postgres` of /readyz, that is reported here."""


class Signal:
    """Wakes one loop. A signal that is set while the loop does not wait is not lost."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the loop, now or when it next waits."""
        self._event.set()

    async def wait(self, at_most: float) -> bool:
        """Return once it is set, True, or after `at_most` seconds, False."""
        try:
            return await happens(self._event, at_most)
        finally:
            self._event.clear()


@dataclass(slots=True)
class CommitListener:
    """Calls the subscribers after each commit that is announced, and whenever some may have been missed.

    `elsewhere` are called only for commits of other instances, which have another `name`. A server that only reads is
    left, since nothing is committed there; from then on no older connection is trusted.

    Each instance says that it is here, when it begins to listen, every five seconds, and in reply to one that it did
    not know. Who has heard of nobody else need not announce its commits: its own readers hear of them without that.

    Its connection waits for nobody else's work, so that it also tells `health` when PostgreSQL does not answer.
    """

    url: str
    subscribers: list[Callable[[], None]] = field(default_factory=list)
    elsewhere: list[Callable[[], None]] = field(default_factory=list)
    name: str = ""
    trust: Trust = field(default_factory=Trust)
    health: Health = field(default_factory=Health)
    _others: dict[str, float] = field(default_factory=dict)
    _alone_from: float = float("inf")
    _newcomer: Signal = field(default_factory=Signal)

    @property
    def others(self) -> bool:
        """Return whether another instance may listen."""
        now = time.monotonic()
        return now < self._alone_from or any(now - at < GONE_S for at in self._others.values())

    async def run(self) -> None:
        """Listen until cancelled. A lost connection is made again; then all are called, as if something was stored."""
        while True:
            try:
                await self._listen()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("commit listener lost its connection", reason=type(error).__name__)
            await asyncio.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        with late(LATE_S, self._late):
            connection = await connect(self.url)
        try:
            await connection.add_listener(CHANNEL, self._heard)
            self._call(self.subscribers + self.elsewhere)
            self._alone_from = time.monotonic() + CHECK_S  # whoever is there has replied by then
            say_at = float("-inf")
            while True:
                question: tuple[str, ...] = (_ASK,)
                if time.monotonic() >= say_at:
                    question, say_at = (_SAY, _HERE + self.name), time.monotonic() + CHECK_S
                with late(LATE_S, self._late):
                    only_reads = await connection.fetchval(*question, timeout=CHECK_S)
                self.health.report("postgres", ok=True, cause=SILENCE)
                if only_reads:
                    self.trust.renew()
                    raise ConnectionResetError("the server only reads")
                if await self._newcomer.wait(ASK_S):
                    say_at = float("-inf")
        finally:
            self._alone_from = float("inf")
            connection.terminate()

    def _late(self) -> None:
        self.health.report("postgres", ok=False, reason=f"no answer within {LATE_S:g} s", cause=SILENCE)

    def _heard(self, _: object, __: int, ___: str, said: object) -> None:
        name = str(said).removeprefix(_HERE)
        if name and name == self.name:
            if name == said:
                self._call(self.subscribers)
            return
        # A reply is as good as a commit: what was committed before it was not announced to a newcomer.
        self._call(self.subscribers + self.elsewhere)
        if name:
            if time.monotonic() - self._others.get(name, float("-inf")) >= GONE_S:
                self._newcomer.set()
            self._others = {name: time.monotonic()} | {
                other: at for other, at in self._others.items() if other != name and time.monotonic() - at < GONE_S
            }

    def _call(self, subscribers: list[Callable[[], None]]) -> None:
        for subscriber in subscribers:
            subscriber()
