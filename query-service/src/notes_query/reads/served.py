"""What readers get now: the collections that are served, and single notes in them."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.driver import by_id, in_time
from notes_query.projecting.waiters import Waiters, level_of
from notes_query.projections.read_model import Serving, parked_of

View = Mapping[str, Any]
"""A note, or a part of it, as `NoteDocument` names the fields."""

# Plain dicts, since the driver copies them.
VIEW: Final = dict.fromkeys(("author_key", "body", "event_id", "ids", "snapshot", "tag_line"), 0)
ELSEWHERE_S: Final = 2.0
AT_ONCE: Final = 2
"""Queries of one kind under way, at most."""
KEYS: Final = 500
"""Keys of one query, at most."""
BODIES: Final = 20
"""The same of bodies, of which one may have 100,000 characters."""
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
    """Asks at once while nobody else does; else collects keys until the event loop comes around, and asks for all.

    AT_ONCE queries are under way at most, so that a store that hangs takes that many of the driver's threads.
    `timeout_s`: how long an answer may take. `keys`: of one query, at most.
    """

    def __init__(
        self, many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]], timeout_s: float, keys: int = KEYS
    ) -> None:
        self._many = many
        self._timeout_s = timeout_s
        self._keys = keys
        self._asked: dict[str, set[asyncio.Future[Found | None]]] = {}
        self._under_way = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is there under a key, as it is after this call. Raises StoreUnavailable, and as `many` does."""
        if not (self._under_way or self._asked):
            self._under_way = 1
            return (await self._ask([key])).get(key)
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer: asyncio.Future[Found | None] = loop.create_future()
        self._asked.setdefault(key, set()).add(answer)
        try:
            return await in_time(answer, self._timeout_s)
        finally:
            # After a hang, keys that nobody waits for any more would be asked for before those that somebody does.
            answers = self._asked.get(key, set())
            answers.discard(answer)
            if not answers:
                self._asked.pop(key, None)

    def _begin(self) -> None:
        while self._asked and self._under_way < AT_ONCE:
            some = {key: self._asked.pop(key) for key in list(islice(self._asked, self._keys))}
            self._under_way += 1
            task = asyncio.create_task(self._answer(some))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, keys: Collection[str]) -> Mapping[str, Found]:
        try:
            return await in_time(self._many(keys), self._timeout_s)
        finally:
            self._under_way -= 1
            self._begin()

    async def _answer(self, asked: Mapping[str, Iterable["asyncio.Future[Found | None]"]]) -> None:
        found: Mapping[str, Found] = {}
        failure: Exception | None = None
        try:
            found = await self._ask(list(asked))
        except Exception as error:  # noqa: BLE001 - it is raised where somebody waits for the answer
            failure = error
        for key, answers in asked.items():
            for answer in answers:
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
    """

    def __init__(self, database: Database, serving: Serving) -> None:
        self._served = served(database, serving)
        self._timeout_s = database.timeout_s
        self._missing = database[MISSING_VERSIONS]
        self._views = self._collecting(partial(self._found, VIEW))
        self._bodies = self._collecting(partial(self._found, _BODY), BODIES)
        self._waiting = self._collecting(self._with_waiting)

    def _collecting(
        self, many: Callable[[bool, Collection[str]], Awaitable[Mapping[str, Any]]], keys: int = KEYS
    ) -> Mapping[bool, Collecting[Any]]:
        return {waited: Collecting(partial(many, waited), self._timeout_s, keys) for waited in self._served}

    async def view(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return the note without its body, whatever its status."""
        return await self._views[waited].ask(note_id)

    async def body(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return id, version, status, `parked` and body."""
        return await self._bodies[waited].ask(note_id)

    async def has_waiting(self, note_id: str, *, waited: bool = False) -> bool:
        """Say whether a version of that note is missing."""
        return bool(await self._waiting[waited].ask(note_id))

    async def elsewhere(self, note_id: str) -> int:
        """Return the version of a note that readers of other releases get, 0 for none."""
        if not (others := self._served[False].elsewhere("notes")):
            return 0
        asked = asyncio.gather(*(notes.find_one({"_id": note_id}, {"version": 1}) for notes in others))
        found = await in_time(asked, self._timeout_s)
        return max((note["version"] for note in found if note is not None), default=0)

    async def _found(self, fields: Mapping[str, int], waited: bool, ids: Collection[str]) -> Mapping[str, View]:  # noqa: FBT001 - see `partial`
        """Return those that are there; for a moment after a switch the newer of both, so that none gets older."""
        notes, before = self._served[waited]["notes"], self._served[waited].before("notes")
        found = await by_id(notes, ids, fields)
        if before is None:
            return found
        old = await by_id(before, ids, fields)
        return old | {note_id: newer(note, old.get(note_id)) for note_id, note in found.items()}

    async def _with_waiting(self, waited: bool, ids: Collection[str]) -> Mapping[str, bool]:  # noqa: FBT001
        parked, ids = self._served[waited].beside("notes", parked_of), list(ids)
        waiting, missing = await asyncio.gather(
            parked.distinct("note_id", {"kind": "gap", "note_id": {"$in": ids}}),
            self._missing.distinct("_id", {"_id": {"$in": ids}}),
        )
        return dict.fromkeys([*waiting, *missing], True)


async def newest(
    reader: NoteReader,
    waiters: Waiters,
    note_id: str,
    read: Callable[[str], Awaitable[View | None]],
    *,
    min_version: int | None = None,
    wait_s: float = 0.0,
) -> View | None:
    """Return what `read` finds of a note: at `min_version`, for which it waits `wait_s` seconds at most.

    While another release answers readers, too, from documents of its own, also as new as there, for which it waits
    ELSEWHERE_S at most: who asks two instances in turn does not see the note get older.
    """
    elsewhere = await reader.elsewhere(note_id)
    if min_version is None:
        note = await read(note_id)
    else:
        note = await waiters.until(note_id, min_version, read, lambda note: level_of(note) >= min_version, wait_s)
    if not elsewhere or (note is not None and level_of(note) >= elsewhere):
        return note
    return await waiters.until(note_id, elsewhere, read, lambda note: level_of(note) >= elsewhere, ELSEWHERE_S)


async def is_parked(reader: NoteReader, note_id: str, note: View | None, *, waited: bool) -> bool:
    """Say whether a version of that note is missing; `note`: what was read of it."""
    return bool(note["parked"]) if note else await reader.has_waiting(note_id, waited=waited)


def newer(served: View, before: View | None) -> View:
    """Return the newer one of a note's documents, the one that is served now if they are as new."""
    return served if before is None or before["version"] <= served["version"] else before
