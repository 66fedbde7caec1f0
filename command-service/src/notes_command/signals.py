"""Notifications of commits, of this instance and of others, for the loops that wait for them."""

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
"""The channel of NOTIFY. It announces commits to inbox or outbox, and instances that listen."""
_HERE: Final = "here: "
"""Prefix of the message by which an instance says that it listens. The release before takes it for a commit; that is
harmless."""
_ASK: Final = "SELECT current_setting('transaction_read_only') = 'on'"
_SAY_HERE: Final = f"{_ASK}, pg_notify('{CHANNEL}', $1)"
GONE_S: Final = 15.0
"""Seconds without a message after which an instance counts as gone."""
RECONNECT_S: Final = 1.0
CHECK_S: Final = 5.0
"""Seconds between two messages of an instance. A connection on which no question is answered for so long was cut off
silently."""
ASK_S: Final = 1.0
"""Seconds between two questions to the server."""
LATE_S: Final = 1.5
"""Seconds without an answer after which `/readyz` says so: a server that hangs closes no connection."""
SILENCE: Final = "silence"
"""The cause, in the part `postgres` of `/readyz`, that is reported here."""


class Signal:
    """Wakes a loop. A signal that is set while the loop does not wait is kept."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def set(self) -> None:
        """Wake the loop now, or as soon as it waits."""
        self._event.set()

    async def wait(self, at_most: float) -> bool:
        """Return True once the signal is set, or False after `at_most` seconds."""
        try:
            return await happens(self._event, at_most)
        finally:
            self._event.clear()


@dataclass(slots=True)
class CommitListener:
    """Calls `subscribers` after each announced commit, and whenever announcements may have been missed.

    `elsewhere` are called only for commits of other instances, which have another `name`. The listener leaves a server
    that is read-only, because nothing is committed there. From then on no older connection is trusted.

    Each instance says that it listens: when it begins, every five seconds, and in reply to a new instance. An instance
    that has heard of no other need not announce its commits: its own parts are signalled directly.

    The listener has a connection of its own, which waits for no other work. So it also reports to `health` when
    PostgreSQL does not answer.
    """

    url: str
    subscribers: list[Callable[[], None]] = field(default_factory=list)
    elsewhere: list[Callable[[], None]] = field(default_factory=list)
    name: str = ""
    trust: Trust = field(default_factory=Trust)
    health: Health = field(default_factory=Health)
    _heard_at: dict[str, float] = field(default_factory=dict)
    """When each other instance was last heard, by the monotonic clock."""
    _known_from: float = float("inf")
    """From when on all instances that listen have been heard."""
    _newcomer: Signal = field(default_factory=Signal)

    @property
    def others(self) -> bool:
        """Return whether another instance may listen."""
        now = time.monotonic()
        return now < self._known_from or any(now - heard_at < GONE_S for heard_at in self._heard_at.values())

    async def run(self) -> None:
        """Listen until cancelled. After a reconnect all subscribers are called, as after a commit."""
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
            with late(LATE_S, self._late):
                await connection.add_listener(CHANNEL, self._heard)
            self._call(self.subscribers + self.elsewhere)
            self._known_from = time.monotonic() + CHECK_S  # every instance that listens has replied by then
            say_at = float("-inf")
            while True:
                question: tuple[str, ...] = (_ASK,)
                if time.monotonic() >= say_at:
                    question = (_SAY_HERE, _HERE + self.name)
                    say_at = time.monotonic() + CHECK_S
                with late(LATE_S, self._late):
                    is_read_only = await connection.fetchval(*question, timeout=CHECK_S)
                self.health.report("postgres", ok=True, cause=SILENCE)
                if is_read_only:
                    self.trust.renew()
                    raise ConnectionResetError("the server only reads")
                if await self._newcomer.wait(ASK_S):
                    say_at = float("-inf")
        finally:
            self._known_from = float("inf")
            connection.terminate()

    def _late(self) -> None:
        self.health.report("postgres", ok=False, reason=f"no answer within {LATE_S:g} s", cause=SILENCE)

    def _heard(self, _: object, __: int, ___: str, payload: object) -> None:
        name = str(payload).removeprefix(_HERE)
        if name and name == self.name:
            if name == payload:
                self._call(self.subscribers)
            return
        # "here" counts as a commit, too: commits before it were not announced, if its sender knew of nobody else.
        self._call(self.subscribers + self.elsewhere)
        if name:
            self._note(name)

    def _note(self, name: str) -> None:
        """Note that another instance was heard, and forget those that are gone."""
        now = time.monotonic()
        if now - self._heard_at.get(name, float("-inf")) >= GONE_S:
            self._newcomer.set()
        self._heard_at = {other: heard_at for other, heard_at in self._heard_at.items() if now - heard_at < GONE_S}
        self._heard_at[name] = now

    def _call(self, subscribers: list[Callable[[], None]]) -> None:
        for subscriber in subscribers:
            subscriber()
