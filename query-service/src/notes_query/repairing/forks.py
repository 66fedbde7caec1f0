"""Forks as a person looks after them: events under a version that another event has made."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol


class KeptFork(NamedTuple):
    """A fork. `id`: note id, version and event id. `topic`, `partition`, `offset`: where it was read, and still is.

    `read_models`: the builds that keep it. `stopped`: at least one of them folds the note no further because of it.
    """

    id: str
    note_id: str
    version: int
    event_id: str
    type: str
    topic: str
    partition: int
    offset: int
    since: datetime
    read_models: tuple[str, ...]
    stopped: bool


class Forks(Protocol):
    """The forks of all builds. Raises StoreUnavailable."""

    async def find(self, limit: int, note_id: str | None = None, ids: Sequence[str] | None = None) -> list[KeptFork]:
        """Return forks, the oldest first: all, those of one note, or those with these ids."""
        ...

    async def looked_after(self, ids: Collection[str], now: datetime) -> None:
        """Show and count these no longer, in builds to come neither. They go on stopping what they stop."""
        ...

    async def disregard(self, ids: Collection[str], now: datetime) -> None:
        """Keep these no longer, and let them count for nothing, in builds to come too."""
        ...


class Dropped(NamedTuple):
    """Ids of forks. `refused`: they stop their note, and dropping them was not forced."""

    dropped: list[str]
    refused: list[str]


@dataclass(frozen=True, slots=True)
class DropForks:
    """Drops forks that a snapshot has healed; others only if forced, which says that the first history is right.

    `heal` lets folding go on with what waits of these notes, in all builds.
    """

    forks: Forks
    heal: Callable[[Collection[str]], Awaitable[None]]
    clock: Callable[[], datetime]

    async def __call__(self, wanted: Sequence[KeptFork], *, force: bool) -> Dropped:
        """Return what was dropped. Raises StoreUnavailable; the same again is harmless."""
        dropped = [one for one in wanted if force or not one.stopped]
        await self.forks.looked_after([one.id for one in dropped if not one.stopped], self.clock())
        await self.forks.disregard([one.id for one in dropped if one.stopped], self.clock())
        await self.heal({one.note_id for one in dropped if one.stopped})
        return Dropped([one.id for one in dropped], [one.id for one in wanted if one not in dropped])
