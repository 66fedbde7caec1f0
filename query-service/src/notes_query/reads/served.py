"""What readers get now: the collections that are served, and single notes in them."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import Serving, parked_of
from notes_query.projecting.waiters import Waiters

View = Mapping[str, Any]
"""A note, or a part of it, as `NoteDocument` names the fields."""

# Plain dicts, since the driver copies them.
VIEW: Final = dict.fromkeys(("author_key", "body", "event_id", "ids", "snapshot", "tag_line"), 0)
ELSEWHERE_S: Final = 2.0
_BODY: Final = dict.fromkeys(("version", "status", "parked", "body"), 1)


class Served:
    """Collections by read model. Motor takes as long to make one as to ask it, so each is made once."""

    def __init__(self, database: Any, serving: Serving) -> None:
        self._database = database
        self._serving = serving
        self._made: dict[str, Any] = {}

    def __getitem__(self, read_model: str) -> Any:
        """Return the collection that is served. Raises Building."""
        return self._collection(self._serving.collection(read_model))

    def beside(self, read_model: str, name_of: Callable[[str], str]) -> Any:
        """Return the collection whose name is made from that of the one served. Raises Building."""
        return self._collection(name_of(self._serving.collection(read_model)))

    def before(self, read_model: str) -> Any:
        """Return the collection that was served until a moment ago; None for none."""
        name = self._serving.before(read_model)
        return None if name is None else self._collection(name)

    def elsewhere(self, read_model: str) -> list[Any]:
        """Return the collections that instances of other releases answer from; mostly none."""
        return [self._collection(name) for name in self._serving.elsewhere(read_model)]

    def _collection(self, name: str) -> Any:
        if (made := self._made.get(name)) is None:
            made = self._made[name] = self._database[name]
        return made


def served(database: Database, serving: Serving) -> Mapping[bool, Served]:
    """Return what to read, by whether the reader has waited: then from the primary, which has what was waited for."""
    return {False: Served(database.for_queries, serving), True: Served(database, serving)}


class NoteReader:
    """Single notes, straight from the documents. Every method raises StoreUnavailable, Building.

    While another release answers readers, too, from documents of its own, a note is not returned until it is as new as
    there, for ELSEWHERE_S at most: who asks two instances in turn does not see it get older.
    """

    def __init__(self, database: Database, serving: Serving, waiters: Waiters) -> None:
        self._served = served(database, serving)
        self._waiters = waiters
        self._missing = database[MISSING_VERSIONS]

    async def view(self, note_id: str) -> View | None:
        """Return the note without its body, whatever its status."""
        return await self._newest(note_id, VIEW)

    async def body(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return id, version, status, `parked` and body. `waited`: the reader has waited for a command."""
        return await self._newest(note_id, _BODY, waited=waited)

    async def _newest(self, note_id: str, fields: Mapping[str, int], *, waited: bool = False) -> View | None:
        least = await self._elsewhere(note_id)
        if not least:
            return await self._found(note_id, fields, waited=waited)
        with self._waiters.register(note_id, least) as waiter:
            found = await self._found(note_id, fields, waited=waited)
            if found is None or found["version"] < least:
                await waiter.wait(ELSEWHERE_S)
                found = await self._found(note_id, fields, waited=waited)
        return found

    async def _elsewhere(self, note_id: str) -> int:
        """Return the version of a note that readers of other releases get, 0 for none."""
        with driver_errors():
            found = [
                await notes.find_one({"_id": note_id}, {"version": 1})
                for notes in self._served[False].elsewhere("notes")
            ]
        return max((note["version"] for note in found if note is not None), default=0)

    async def _found(self, note_id: str, fields: Mapping[str, int], *, waited: bool) -> View | None:
        """Return the note; for a moment after a switch the newer of both, so that no reader sees it get older."""
        notes, before = self._served[waited]["notes"], self._served[waited].before("notes")
        with driver_errors():
            found: View | None = await notes.find_one({"_id": note_id}, fields)
            if before is None:
                return found
            return newer(found, await before.find_one({"_id": note_id}, fields))

    async def has_waiting(self, note_id: str) -> bool:
        """Say whether a version of that note is missing."""
        parked = self._served[False].beside("notes", parked_of)
        with driver_errors():
            found = await asyncio.gather(
                parked.find_one({"kind": "gap", "note_id": note_id}, {"_id": 1}),
                self._missing.find_one({"_id": note_id}, {"_id": 1}),
            )
        return any(found)


def newer(served: View | None, before: View | None) -> View | None:
    """Return the newer one of a note's documents, the one that is served now if they are as new."""
    if served is None or before is None:
        return served or before
    return before if before["version"] > served["version"] else served
