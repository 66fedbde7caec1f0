"""Readers who wait for something to be stored. A waiting reader costs a future in a dict, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from math import inf
from time import monotonic
from typing import Any, Final, NamedTuple, TypeVar

COMMANDS: Final = "commands"
"""The kind of readers who wait for an outcome. All others have the name of the read model that they wait for."""
LAST: Final = 2**63 - 1
"""The level behind which no other comes: it wakes every reader."""
WANTED_S: Final = 10.0
"""Seconds after a reader has begun to wait in which others are likely to."""


Found = TypeVar("Found")


class Level(NamedTuple):
    """The id of a document, and the level (a note's version) that it has reached."""

    key: str
    level: int


def version_of(note: Mapping[str, Any]) -> int:
    """Return the level of a note for those who follow its versions."""
    version: int = note["version"]
    return version


def level_of(note: Mapping[str, Any]) -> int:
    """Return the level of a note for readers who wait for a version: a deleted note will have no other."""
    return LAST if note.get("status") == "deleted" else version_of(note)


class _Waiter(NamedTuple):
    """One reader who waits for `level`.

    `woken`: the document that was stored, if it is known, and the time of it; None for both at the deadline.
    """

    level: int
    woken: "asyncio.Future[tuple[Any, float | None]]"

    def wake(self, stored: Mapping[str, Any] | None, stored_at: float | None) -> None:
        """End the wait, now or as soon as it begins."""
        if not self.woken.done():
            self.woken.set_result((stored, stored_at))


class Waiters:
    """Readers who wait for a key (a note id, a command id) to reach a level (a version).

    `begins` is called with the key whenever a wait begins, `woken` with the seconds that a woken reader took to go on.
    `slot` takes a slot for each waiting reader, or raises. A reader that is answered at once needs none.
    """

    def __init__(
        self,
        begins: Callable[[str], None] = lambda _: None,
        woken: Callable[[float], None] = lambda _: None,
        slot: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._waiting: dict[str, set[_Waiter]] = {}
        self._closed = False
        self._wanted_until = -inf
        self._begins = begins
        self._woken = woken
        self._slot = slot

    async def until(
        self,
        key: str,
        level: int,
        read: Callable[[str], Awaitable[Found | None]],
        enough: Callable[[Found], bool],
        seconds: float,
    ) -> Found | None:
        """Return what `read` finds under a key once that is enough, else what is there after `seconds`.

        The reader is woken when the key reaches `level`, and is given the stored document if the caller of `wake` knows
        it. Raises as `read` and `slot` do.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        with ExitStack() as slot:
            has_slot = False
            while True:
                # Register before reading: what is stored after the read wakes this reader, so nothing is missed.
                with self._registered(key, level) as waiter:
                    found = await read(key)
                    left_s = deadline - loop.time()
                    if left_s <= 0 or self._closed or (found is not None and enough(found)):
                        return found
                    if not has_slot:
                        slot.enter_context(self._slot())
                        has_slot = True
                    stored: Found | None = await self._wait(key, waiter, left_s)
                if stored is not None:
                    return stored

    async def _wait(self, key: str, waiter: _Waiter, seconds: float) -> Any:
        """Return the document that was stored, if it is known, or None after `seconds`."""
        was_woken = waiter.woken.done()
        timer = asyncio.get_running_loop().call_later(seconds, waiter.wake, None, None)
        self._begins(key)
        try:
            stored, stored_at = await waiter.woken
        finally:
            timer.cancel()
        if stored_at is not None and not was_woken:
            self._woken(monotonic() - stored_at)
        return stored

    @contextmanager
    def _registered(self, key: str, level: int) -> Iterator[_Waiter]:
        waiter = _Waiter(level, asyncio.get_running_loop().create_future())
        self._wanted_until = monotonic() + WANTED_S
        waiting = self._waiting.setdefault(key, set())
        waiting.add(waiter)
        try:
            yield waiter
        finally:
            waiting.discard(waiter)
            if not waiting and self._waiting.get(key) is waiting:
                del self._waiting[key]

    def wake(self, key: str, level: int = 1, stored: Mapping[str, Any] | None = None) -> None:
        """Wake the readers who wait for `key` to reach `level` or less; `stored`: the document that did, if known."""
        for waiter in self._waiting.get(key, ()):
            if waiter.level <= level:
                waiter.wake(stored, monotonic())

    @property
    def wanted(self) -> bool:
        """Whether a reader waits, or has begun to in the last WANTED_S seconds."""
        return bool(self._waiting) or monotonic() < self._wanted_until

    def keys(self) -> list[str]:
        """Return the keys that readers wait for."""
        return list(self._waiting)

    def close(self) -> None:
        """Wake all readers, and let none wait any more: the service stops."""
        self._closed = True
        for key in self._waiting:
            self.wake(key, LAST)

    def __len__(self) -> int:
        return len(self._waiting)
