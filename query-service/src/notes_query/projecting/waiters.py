"""Readers who wait for something to be stored. One that waits costs a future in a dict, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from math import inf
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

COMMANDS: Final = "commands"
"""What those wait for who wait for an outcome; all others wait for a read model."""
LAST: Final = 2**63 - 1
WANTED_S: Final = 10.0
"""Seconds after somebody has waited in which others may be expected to."""


Found = TypeVar("Found")


class Level(NamedTuple):
    """The id of a document, and the level (a note's version) that it has reached."""

    key: str
    level: int


def version_of(note: Mapping[str, Any]) -> int:
    """Return the level of a note for who is told of its versions."""
    version: int = note["version"]
    return version


def level_of(note: Mapping[str, Any]) -> int:
    """Return the level of a note for who waits for a version: of one that is deleted nothing more will come."""
    return LAST if note.get("status") == "deleted" else version_of(note)


class Waiter:
    """One reader's place in the queue: waits until the key has reached `level`.

    `stored`: the document that was stored then, if whoever woke the reader had it.
    """

    __slots__ = ("_begins", "_key", "_reached", "_woken", "_woken_at", "level", "stored")

    def __init__(self, key: str, level: int, begins: Callable[[str], None], woken: Callable[[float], None]) -> None:
        self.level = level
        self.stored: Any = None
        self._key = key
        self._begins = begins
        self._woken = woken
        self._woken_at: float | None = None
        self._reached: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def wake(self, stored: Mapping[str, Any] | None = None) -> None:
        """End the wait, now or as soon as it begins."""
        if not self._reached.done():
            self.stored, self._woken_at = stored, monotonic()
            self._give_up()

    async def wait(self, seconds: float) -> None:
        """Return when woken, after `seconds` at the latest."""
        timer = asyncio.get_running_loop().call_later(seconds, self._give_up)
        waits = not self._reached.done()
        self._begins(self._key)
        try:
            await self._reached
        finally:
            timer.cancel()
        if waits and self._woken_at is not None:
            self._woken(monotonic() - self._woken_at)

    def _give_up(self) -> None:
        if not self._reached.done():
            self._reached.set_result(None)


class Waiters:
    """Who waits for which key (a note id, a command id) to reach which level (a version).

    Register first, then read, then wait: whatever is stored after the read wakes, so nothing is missed between.
    `begins` is called with the key whenever a wait begins, `woken` with the seconds that a woken reader took to go on.
    """

    def __init__(
        self, begins: Callable[[str], None] = lambda _: None, woken: Callable[[float], None] = lambda _: None
    ) -> None:
        self._waiting: dict[str, set[Waiter]] = {}
        self._closed = False
        self._wanted_until = -inf
        self._begins = begins
        self._woken = woken

    @contextmanager
    def register(self, key: str, level: int = 1) -> Iterator[Waiter]:
        """Hold a place until the block is left."""
        waiter = Waiter(key, level, self._begins, self._woken)
        self._wanted_until = monotonic() + WANTED_S
        if self._closed:
            waiter.wake()
        waiting = self._waiting.setdefault(key, set())
        waiting.add(waiter)
        try:
            yield waiter
        finally:
            waiting.discard(waiter)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]

    async def until(
        self,
        key: str,
        level: int,
        read: Callable[[str], Awaitable[Found | None]],
        enough: Callable[[Found], bool],
        seconds: float,
    ) -> Found | None:
        """Return what `read` finds under a key once it is enough, else what is there after `seconds`.

        `level`: what has to be reached for the reader to be woken, and to be given what was stored then: it is not read
        once more. Raises as `read` does.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        with self.register(key, level) as waiter:
            found = await read(key)
            left = until - loop.time()
            if left <= 0 or (found is not None and enough(found)):
                return found
            await waiter.wait(left)
        return await read(key) if waiter.stored is None else waiter.stored

    def wake(self, key: str, level: int = 1, stored: Mapping[str, Any] | None = None) -> None:
        """Wake the readers who wait for `key` to reach `level` or less; `stored`: the document that has, if known."""
        for waiter in self._waiting.get(key, ()):
            if waiter.level <= level:
                waiter.wake(stored)

    @property
    def wanted(self) -> bool:
        """Whether somebody waits, or has begun to in the last seconds."""
        return bool(self._waiting) or monotonic() < self._wanted_until

    def keys(self) -> list[str]:
        """Return what is waited for."""
        return list(self._waiting)

    def close(self) -> None:
        """Wake everyone, and let nobody wait any more: the service is going down."""
        self._closed = True
        for waiting in self._waiting.values():
            for waiter in waiting:
                waiter.wake()

    def __len__(self) -> int:
        return len(self._waiting)
