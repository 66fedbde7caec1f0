"""Notice that a note's last version is missing: its command was accepted, and the event does not come.

A missing version with a later one behind it is noticed by the fold. Nothing comes behind the last one; but the outcome
of its command said which version it made.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from notes_query.errors import Building
from notes_query.repairing.version_store import Level, MissingVersions, MongoAwaitedVersions, NoteLevels

log = structlog.get_logger()

LEASE: Final = timedelta(minutes=1)
LOOKED_AT: Final = 1_000
"""Missing versions that are looked at again in one step; the next step goes on with the next ones."""


@dataclass(slots=True)
class AwaitVersions:
    """Any number of instances may look; a claim keeps them from looking at the same.

    `stored_through`: whatever was written to the topic of events before that time is in the served documents; None: not
    known. While it is behind, a version that is late is no gap.
    """

    awaited: MongoAwaitedVersions
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
        """Forget what has come; mark what has not, since a repeat or a new build takes the mark away."""
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
