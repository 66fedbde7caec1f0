"""What readers get now: the collections that are served, and single notes in them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import Serving, parked_of
from notes_query.projecting.waiters import Waiters

View = Mapping[str, Any]
"""A note, or a part of it, as `NoteDocument` names the fields."""

# Plain dicts, since the driver copies them.
VIEW: Final = dict.fromkeys(("author_key", "body", "event_id", "ids", "snapshot", "tag_line"), 0)
ELSEWHERE_S: Final = 2.0
AT_ONCE: Final = 500
"""Keys of one query, at most."""
_BODY: Final = dict.fromkeys(("version", "status", "parked", "body"), 1)

Found = TypeVar("Found")


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


class Collecting(Generic[Found]):
    """Asks at once while nobody else does; else collects keys until the event loop comes around, and asks for all."""

    def __init__(self, many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]]) -> None:
        self._many = many
        self._asked: dict[str, list[asyncio.Future[Found | None]]] = {}
        self._alone = False
        self._asking: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is there under a key, as it is after this call."""
        if not (self._alone or self._asked or self._asking):
            self._alone = True
            try:
                return (await self._many([key])).get(key)
            finally:
                self._alone = False
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer: asyncio.Future[Found | None] = loop.create_future()
        self._asked.setdefault(key, []).append(answer)
        return await answer

    def _begin(self) -> None:
        asked, self._asked = self._asked, {}
        keys = iter(asked)
        while some := list(islice(keys, AT_ONCE)):
            task = asyncio.create_task(self._answer(some, asked))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _answer(self, keys: Sequence[str], asked: Mapping[str, Sequence["asyncio.Future[Found | None]"]]) -> None:
        found: Mapping[str, Found] = {}
        failure: Exception | None = None
        try:
            found = await self._many(keys)
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            failure = error
        for key in keys:
            for answer in asked[key]:
                if answer.done():
                    continue  # whoever asked has left
                if failure is None:
                    answer.set_result(found.get(key))
                else:
                    answer.set_exception(failure)


class NoteReader:
    """Single notes, straight from the documents. Every method raises StoreUnavailable, Building.

    Who asks in the same moment is answered by one query. `waited`: the reader has waited for something; hundreds are
    woken at once, by the same write.
    While another release answers readers, too, from documents of its own, a note is not returned until it is as new as
    there, for ELSEWHERE_S at most: who asks two instances in turn does not see it get older.
    """

    def __init__(self, database: Database, serving: Serving, waiters: Waiters) -> None:
        self._served = served(database, serving)
        self._waiters = waiters
        self._missing = database[MISSING_VERSIONS]
        self._views = {waited: Collecting(partial(self._found, waited)) for waited in self._served}
        self._waiting = {waited: Collecting(partial(self._with_waiting, waited)) for waited in self._served}

    async def view(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return the note without its body, whatever its status."""
        ask = self._views[waited].ask
        return await ask(note_id) if waited else await self._newest(note_id, ask)

    async def body(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return id, version, status, `parked` and body."""

        async def read(note_id: str) -> View | None:
            return (await self._found(waited, [note_id], _BODY)).get(note_id)

        return await self._newest(note_id, read)

    async def has_waiting(self, note_id: str, *, waited: bool = False) -> bool:
        """Say whether a version of that note is missing."""
        return bool(await self._waiting[waited].ask(note_id))

    async def _newest(self, note_id: str, read: Callable[[str], Awaitable[View | None]]) -> View | None:
        least = await self._elsewhere(note_id)
        if not least:
            return await read(note_id)
        return await self._waiters.until(note_id, least, read, lambda note: note["version"] >= least, ELSEWHERE_S)

    async def _elsewhere(self, note_id: str) -> int:
        """Return the version of a note that readers of other releases get, 0 for none."""
        with driver_errors():
            found = [
                await notes.find_one({"_id": note_id}, {"version": 1})
                for notes in self._served[False].elsewhere("notes")
            ]
        return max((note["version"] for note in found if note is not None), default=0)

    async def _found(
        self,
        waited: bool,  # noqa: FBT001 - see `partial`
        ids: Collection[str],
        fields: Mapping[str, int] = VIEW,
    ) -> Mapping[str, View]:
        """Return those that are there; for a moment after a switch the newer of both, so that none gets older."""
        notes, before = self._served[waited]["notes"], self._served[waited].before("notes")
        with driver_errors():
            found = await _by_id(notes, ids, fields)
            if before is None:
                return found
            old = await _by_id(before, ids, fields)
        return old | {note_id: newer(note, old.get(note_id)) for note_id, note in found.items()}

    async def _with_waiting(self, waited: bool, ids: Collection[str]) -> Mapping[str, bool]:  # noqa: FBT001
        """Return those of which a version is missing."""
        parked, ids = self._served[waited].beside("notes", parked_of), list(ids)
        with driver_errors():
            waiting, missing = await asyncio.gather(
                parked.distinct("note_id", {"kind": "gap", "note_id": {"$in": ids}}),
                self._missing.distinct("_id", {"_id": {"$in": ids}}),
            )
        return dict.fromkeys([*waiting, *missing], True)


async def _by_id(notes: Any, ids: Collection[str], fields: Mapping[str, int]) -> dict[str, View]:
    if len(ids) == 1:  # a cursor costs the event loop more than this
        note = await notes.find_one({"_id": next(iter(ids))}, fields)
        return {} if note is None else {note["_id"]: note}
    found = await notes.find({"_id": {"$in": list(ids)}}, fields, batch_size=len(ids) + 1).to_list(None)
    return {note["_id"]: note for note in found}


def newer(served: View, before: View | None) -> View:
    """Return the newer one of a note's documents, the one that is served now if they are as new."""
    return served if before is None or before["version"] <= served["version"] else before
