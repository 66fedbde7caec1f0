"""Notes of which a version is missing, or has come twice and differently."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple, Protocol

from notes_query.application.await_versions import Missing


class Waiting(NamedTuple):
    """What is kept apart of a note: how many events wait, how many forks there are, and since when."""

    note_id: str
    events: int
    forks: int
    since: datetime


class Gap(NamedTuple):
    """A note that is not complete.

    `version`: what its document holds, 0 without one. `missing`: the first version that is not there, null if there are
    forks only. `awaited`: the last version that an outcome has announced, if it did not come.
    """

    note_id: str
    version: int
    missing: int | None
    waiting: int
    awaited: int | None
    forks: int
    since: datetime


class Gaps(Protocol):
    """The gaps of the core documents that readers get. Raises StoreUnavailable, Building."""

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """Return gaps, the oldest first; of one note only, if it is given."""
        ...


def gaps_of(waiting: Iterable[Waiting], missing: Iterable[Missing], versions: Mapping[str, int]) -> list[Gap]:
    """Return what is told of each note, together, the oldest first; `versions` are those of the documents."""
    apart = {one.note_id: one for one in waiting}
    announced = {one.note_id: one for one in missing if one.version > versions.get(one.note_id, 0)}
    found = []
    for note_id in apart.keys() | announced.keys():
        kept, late, version = apart.get(note_id), announced.get(note_id), versions.get(note_id, 0)
        events = 0 if kept is None else kept.events
        since = [one.since for one in (kept, late) if one is not None]
        awaited = None if late is None else late.version
        first = version + 1 if events or awaited is not None else None
        found.append(Gap(note_id, version, first, events, awaited, 0 if kept is None else kept.forks, min(since)))
    return sorted(found, key=lambda gap: (gap.since, gap.note_id))
