"""Notice that a note's last version is missing: its command was accepted, and the event does not come.

A missing version with a later one behind it is noticed by the fold. Nothing comes behind the last one; but the outcome
of its command said which version it made.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Protocol

import structlog

from notes_query.errors import Building
from notes_query.projecting.ports import AwaitedVersions

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=1)
LOOKED_AT: Final = 1_000
"""Missing versions that are looked at again in one step; the next step goes on with the next ones."""


class Level(NamedTuple):
    """What a note's document holds."""

    version: int
    parked: bool


class Missing(NamedTuple):
    """A note that should be at `version`, or above, and is not. `since`: when the version was due."""

    note_id: str
    version: int
    since: datetime


class MissingVersions(Protocol):
    """Versions that did not come in time. Raises StoreUnavailable."""

    async def add(self, versions: Mapping[str, int], since: datetime) -> None:
        """Keep these; of a note that is there already the higher version, and since when it was first missed."""
        ...

    async def oldest(self, limit: int) -> list[Missing]:
        """Return some, those that are missed for longest first."""
        ...

    async def page(self, after: str, limit: int) -> list[Missing]:
        """Return those of the notes after this id, by id."""
        ...

    async def of(self, note_ids: Collection[str]) -> list[Missing]:
        """Return those of these notes."""
        ...

    async def found(self, reached: Mapping[str, int]) -> None:
        """Forget the notes that have reached these versions, unless a higher one is missed."""
        ...

    async def forget(self, note_ids: Collection[str]) -> None:
        """Forget these, whatever their documents hold."""
        ...

    async def count(self) -> int:
        """Return how many notes miss their last version."""
        ...


class NoteLevels(Protocol):
    """The documents that readers get. Raises StoreUnavailable, Building."""

    async def of(self, note_ids: Collection[str]) -> dict[str, Level]:
        """Return what is stored, in one query."""
        ...

    async def park(self, versions: Mapping[str, int]) -> None:
        """Mark the documents that are at these versions: something is missing."""
        ...


@dataclass(slots=True)
class AwaitVersions:
    """Any number of instances may look; a claim keeps them from looking at the same.

    `stored_through`: whatever was written to the topic of events before that time is in the served documents; None: not
    known. While it is behind, a version that is late is no gap.
    """

    awaited: AwaitedVersions
    missing: MissingVersions
    levels: NoteLevels
    stored_through: Callable[[], datetime | None]
    clock: Callable[[], datetime]
    _after: str = ""

    async def __call__(self) -> bool:
        """Take one step; return whether there may be more to do at once. Raises StoreUnavailable."""
        try:
            await self._look_again()
            through = self.stored_through()
            return through is not None and await self._take(through)
        except Building:
            return False

    async def _take(self, through: datetime) -> bool:
        """Look at what was due before everything that is stored, so that lateness is no reason for its absence."""
        now = self.clock()
        claim, versions = await self.awaited.claim(min(through, now), now + LEASE)
        if not versions:
            return False
        levels = await self.levels.of(versions)
        late = {note_id: version for note_id, version in versions.items() if _below(levels.get(note_id), version)}
        if late:
            await self.missing.add(late, now)
            await self._park(late, levels)
            for note_id, version in late.items():
                log.error("a version is missing", note_id=note_id, version=version)
        await self.awaited.done(claim)
        return True

    async def _look_again(self) -> None:
        """Forget what has come; mark what has not, since a repeat or a new generation takes the mark away."""
        missed = {one.note_id: one.version for one in await self.missing.page(self._after, LOOKED_AT)}
        self._after = max(missed) if len(missed) == LOOKED_AT else ""
        if not missed:
            return
        levels = await self.levels.of(missed)
        late = {note_id: version for note_id, version in missed.items() if _below(levels.get(note_id), version)}
        await self._park(late, levels)
        if reached := {note_id: version for note_id, version in missed.items() if note_id not in late}:
            await self.missing.found(reached)
            log.info("missing versions have come", notes=len(reached))

    async def _park(self, late: Collection[str], levels: Mapping[str, Level]) -> None:
        unmarked = {id_: levels[id_].version for id_ in late if id_ in levels and not levels[id_].parked}
        if unmarked:
            await self.levels.park(unmarked)


def _below(level: Level | None, version: int) -> bool:
    return level is None or level.version < version
