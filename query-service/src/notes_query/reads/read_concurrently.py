"""Reads of single notes that are asked for in the same moment, done as one query.

They are for readers who wait: from the primary, which has what they were woken for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import Serving, parked_of
from notes_query.reads.served import VIEW, Served, View, newer

AT_ONCE: Final = 500

Found = TypeVar("Found")


class ManyNotes:
    """Notes by their ids, each method in one query. Every method raises StoreUnavailable, Building."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._served = Served(database, serving)
        self._missing = database[MISSING_VERSIONS]

    async def views(self, note_ids: Collection[str]) -> Mapping[str, View]:
        """Return those that are there, whatever their status."""
        ids = list(note_ids)
        served, before = self._served["notes"], self._served.before("notes")
        found = await _found(served, ids)
        if before is None:
            return found
        old = await _found(before, ids)
        both = {note_id: newer(found.get(note_id), old.get(note_id)) for note_id in found.keys() | old.keys()}
        return {note_id: note for note_id, note in both.items() if note is not None}

    async def with_waiting(self, note_ids: Collection[str]) -> Mapping[str, bool]:
        """Return those of which a version is missing."""
        ids = list(note_ids)
        parked = self._served.beside("notes", parked_of)
        with driver_errors():
            waiting, missing = await asyncio.gather(
                parked.distinct("note_id", {"kind": "gap", "note_id": {"$in": ids}}),
                self._missing.distinct("_id", {"_id": {"$in": ids}}),
            )
        return dict.fromkeys([*waiting, *missing], True)


async def _found(notes: Any, ids: Sequence[str]) -> dict[str, View]:
    with driver_errors():
        found = await notes.find({"_id": {"$in": ids}}, VIEW, batch_size=len(ids) + 1).to_list(None)
    return {note["_id"]: note for note in found}


class ReadConcurrently:
    """What NoteReader is, for readers who have waited: hundreds are woken at once, by the same write."""

    def __init__(self, notes: ManyNotes) -> None:
        self._views = Collecting(notes.views)
        self._waiting = Collecting(notes.with_waiting)

    async def view(self, note_id: str) -> View | None:
        """Return the note without its body, whatever its status. Raises StoreUnavailable, Building."""
        return await self._views.ask(note_id)

    async def has_waiting(self, note_id: str) -> bool:
        """Say whether a version of that note is missing. Raises StoreUnavailable, Building."""
        return bool(await self._waiting.ask(note_id))


class Collecting(Generic[Found]):
    """Collects keys until the event loop comes around, then asks for all of them."""

    def __init__(self, many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]]) -> None:
        self._many = many
        self._asked: dict[str, asyncio.Future[Found | None]] = {}
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is there under a key, as it is after this call."""
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer = self._asked.get(key)
        if answer is None:
            answer = self._asked[key] = loop.create_future()
        return await asyncio.shield(answer)  # others may wait for it, too

    def _begin(self) -> None:
        asked, self._asked = self._asked, {}
        keys = iter(asked)
        while some := list(islice(keys, AT_ONCE)):
            task = asyncio.create_task(self._answer({key: asked[key] for key in some}))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, asked: Mapping[str, "asyncio.Future[Found | None]"]) -> None:
        try:
            found = await self._many(asked)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            for answer in asked.values():
                answer.set_exception(error)
                answer.exception()  # taken note of, even if nobody waits any more
            return
        for key, answer in asked.items():
            answer.set_result(found.get(key))
