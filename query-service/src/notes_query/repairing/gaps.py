"""Notes of which a version is missing, or has come twice and differently."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from notes_query.repairing.await_versions import Missing


class Waiting(NamedTuple):
    """What is kept beside a note: how many events wait, how many forks there are, and since when.

    `heals_at`: of which version a snapshot has to be, at least, for folding to go on behind its forks; 0 without any.
    """

    note_id: str
    events: int
    forks: int
    since: datetime
    heals_at: int = 0


class Gap(NamedTuple):
    """A note that is not complete.

    `version`: what its document holds, 0 without one. `missing`: the first version that is not there, null if there are
    forks only. `awaited`: the last version that an outcome has announced, if it did not come. `stopped`: folding goes
    on with a snapshot above the forks alone.
    """

    note_id: str
    version: int
    missing: int | None
    waiting: int
    awaited: int | None
    forks: int
    since: datetime
    stopped: bool = False


class Gaps(Protocol):
    """The gaps of the core documents that readers get. Raises StoreUnavailable, Building."""

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """Return gaps, the oldest first; of one note only, if it is given."""
        ...

    async def page(self, after: str, limit: int) -> tuple[list[Gap], str]:
        """Return the gaps of the notes after this id, by id, and the id to go on after: an empty one at the end."""
        ...


def gaps_of(
    waiting: Iterable[Waiting],
    missing: Iterable[Missing],
    versions: Mapping[str, int],
    snapshots: Mapping[str, int] | None = None,
) -> list[Gap]:
    """Return what is told of each note, together, the oldest first.

    `versions`: those of the documents; `snapshots`: those of the last snapshots that were taken.
    """
    apart = {one.note_id: one for one in waiting}
    announced = {one.note_id: one for one in missing if one.version > versions.get(one.note_id, 0)}
    found = []
    for note_id in apart.keys() | announced.keys():
        kept, late, version = apart.get(note_id), announced.get(note_id), versions.get(note_id, 0)
        events = 0 if kept is None else kept.events
        since = [one.since for one in (kept, late) if one is not None]
        awaited = None if late is None else late.version
        first = version + 1 if events or awaited is not None else None
        forks, heals_at = (0, 0) if kept is None else (kept.forks, kept.heals_at)
        stopped = (snapshots or {}).get(note_id, 0) < heals_at
        found.append(Gap(note_id, version, first, events, awaited, forks, min(since), stopped))
    return sorted(found, key=lambda gap: (gap.since, gap.note_id))
