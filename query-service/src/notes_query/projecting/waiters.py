"""Readers who wait for something to be stored. One that waits costs a future in a dict, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
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


class _Waiter(NamedTuple):
    """One reader who waits for `level`; what wakes is a document, if known, and the time, None at the deadline."""

    level: int
    woken: "asyncio.Future[tuple[Any, float | None]]"

    def wake(self, stored: Mapping[str, Any] | None, at: float | None) -> None:
        """End the wait, now or as soon as it begins."""
        if not self.woken.done():
            self.woken.set_result((stored, at))


class Waiters:
    """Who waits for which key (a note id, a command id) to reach which level (a version).

    `begins` is called with the key whenever a wait begins, `woken` with the seconds that a woken reader took to go on.
    `place` gives a place for each who waits, or refuses it. Who is answered at once needs none.
    """

    def __init__(
        self,
        begins: Callable[[str], None] = lambda _: None,
        woken: Callable[[float], None] = lambda _: None,
        place: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._waiting: dict[str, set[_Waiter]] = {}
        self._closed = False
        self._wanted_until = -inf
        self._begins = begins
        self._woken = woken
        self._place = place

    async def until(
        self,
        key: str,
        level: int,
        read: Callable[[str], Awaitable[Found | None]],
        enough: Callable[[Found], bool],
        seconds: float,
    ) -> Found | None:
        """Return what `read` finds under a key once it is enough, else what is there after `seconds`.

        `level`: what has to be reached for the reader to be woken, and to be given what was stored then, if whoever
        wakes knows it. Raises as `read` and `place` do.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        with ExitStack() as place:
            waited = False
            while True:
                # In this order: whatever is stored after the read wakes, so nothing is missed between.
                with self._registered(key, level) as waiter:
                    found = await read(key)
                    left = until - loop.time()
                    if left <= 0 or self._closed or (found is not None and enough(found)):
                        return found
                    if not waited:
                        place.enter_context(self._place())
                    waits, waited = not waiter.woken.done(), True
                    timer = loop.call_later(left, waiter.wake, None, None)
                    self._begins(key)
                    stored: Found | None
                    try:
                        stored, at = await waiter.woken
                    finally:
                        timer.cancel()
                if waits and at is not None:
                    self._woken(monotonic() - at)
                if stored is not None:
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
        """Wake the readers who wait for `key` to reach `level` or less; `stored`: the document that has, if known."""
        for waiter in self._waiting.get(key, ()):
            if waiter.level <= level:
                waiter.wake(stored, monotonic())

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
        for key in self._waiting:
            self.wake(key, LAST)

    def __len__(self) -> int:
        return len(self._waiting)
