"""What readers get: the collections that are served now, and single notes of them."""

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
"""The fields that are left out of a view."""
ELSEWHERE_S: Final = 2.0
"""Seconds that a reader waits at most for the version that another release answers."""
MAX_CONCURRENT_QUERIES: Final = 2
"""Queries of one kind at a time."""
MAX_KEYS: Final = 500
"""Keys of one query."""
MAX_BODIES: Final = 20
"""Keys of one query of bodies, each of up to 100,000 characters."""
_BODY: Final = dict.fromkeys(("version", "status", "parked", "body"), 1)

Found = TypeVar("Found")


class Served:
    """Collections by read model. Each is made once: Motor takes as long to make a collection as to query it."""

    def __init__(self, database: Any, serving: Serving) -> None:
        self._database = database
        self._serving = serving
        self._made: dict[str, Any] = {}

    def __getitem__(self, read_model: str) -> Any:
        """Return the collection that is served. Raises Building."""
        return self._collection(self._serving.collection(read_model))

    def beside(self, read_model: str, name_of: Callable[[str], str]) -> Any:
        """Return the collection that `name_of` names, given the name of the served one. Raises Building."""
        return self._collection(name_of(self._serving.collection(read_model)))

    def before(self, read_model: str) -> Any:
        """Return the collection that was served until a moment ago; None for none."""
        name = self._serving.before(read_model)
        return None if name is None else self._collection(name)

    def elsewhere(self, read_model: str) -> list[Any]:
        """Return the collections from which instances of other releases answer; mostly there are none."""
        return [self._collection(name) for name in self._serving.elsewhere(read_model)]

    def _collection(self, name: str) -> Any:
        collection = self._made.get(name)
        if collection is None:
            collection = self._made[name] = self._database[name]
        return collection


def served(database: Database, serving: Serving) -> Mapping[bool, Served]:
    """Return what to read, by whether the reader has waited. Then it is the primary, which has what was waited for."""
    return {False: Served(database.for_queries, serving), True: Served(database, serving)}


class Collecting(Generic[Found]):
    """Answers many readers with one query.

    A single reader is answered at once. Keys that others ask for meanwhile are collected until the next turn of the
    event loop. At most MAX_CONCURRENT_QUERIES run at a time, so that a store that hangs holds no more threads of the
    driver. `timeout_s`: how long an answer may take. `max_keys`: of one query.
    """

    def __init__(
        self,
        many: Callable[[Collection[str]], Awaitable[Mapping[str, Found]]],
        timeout_s: float,
        max_keys: int = MAX_KEYS,
    ) -> None:
        self._many = many
        self._timeout_s = timeout_s
        self._max_keys = max_keys
        self._asked: dict[str, set[asyncio.Future[Found | None]]] = {}
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: str) -> Found | None:
        """Return what is stored under a key, read after this call. Raises StoreUnavailable, and as `many` does."""
        if not (self._running or self._asked):
            self._running = 1
            return (await self._ask([key])).get(key)
        loop = asyncio.get_running_loop()
        if not self._asked:
            loop.call_soon(self._begin)
        answer: asyncio.Future[Found | None] = loop.create_future()
        self._asked.setdefault(key, set()).add(answer)
        try:
            return await in_time(answer, self._timeout_s)
        finally:
            # After a hang, keys that nobody waits for any more must not be read before the others.
            answers = self._asked.get(key, set())
            answers.discard(answer)
            if not answers:
                self._asked.pop(key, None)

    def _begin(self) -> None:
        while self._asked and self._running < MAX_CONCURRENT_QUERIES:
            asked = {key: self._asked.pop(key) for key in list(islice(self._asked, self._max_keys))}
            self._running += 1
            task = asyncio.create_task(self._answer(asked))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _ask(self, keys: Collection[str]) -> Mapping[str, Found]:
        try:
            return await in_time(self._many(keys), self._timeout_s)
        finally:
            self._running -= 1
            self._begin()

    async def _answer(self, asked: Mapping[str, Iterable["asyncio.Future[Found | None]"]]) -> None:
        found: Mapping[str, Found] = {}
        failure: Exception | None = None
        try:
            found = await self._ask(list(asked))
        except Exception as error:  # noqa: BLE001 - it is raised to the readers that wait for the answer
            failure = error
        for key, answers in asked.items():
            for answer in answers:
                if answer.done():
                    continue  # the reader has left
                if failure is None:
                    answer.set_result(found.get(key))
                else:
                    answer.set_exception(failure)


class NoteReader:
    """Single notes, straight from the documents. Every method raises StoreUnavailable, Building.

    Readers that ask in the same moment are answered by one query. `waited`: the reader has waited for something; one
    write may wake hundreds of such readers at once.
    """

    def __init__(self, database: Database, serving: Serving) -> None:
        self._served = served(database, serving)
        self._timeout_s = database.timeout_s
        self._missing = database[MISSING_VERSIONS]
        self._views = self._collecting(partial(self._found, VIEW))
        self._bodies = self._collecting(partial(self._found, _BODY), MAX_BODIES)
        self._waiting = self._collecting(self._with_waiting)

    def _collecting(
        self, many: Callable[[bool, Collection[str]], Awaitable[Mapping[str, Any]]], keys: int = MAX_KEYS
    ) -> Mapping[bool, Collecting[Any]]:
        return {waited: Collecting(partial(many, waited), self._timeout_s, keys) for waited in self._served}

    async def view(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return the note without its body, whatever its status."""
        return await self._views[waited].ask(note_id)

    async def body(self, note_id: str, *, waited: bool = False) -> View | None:
        """Return id, version, status, `parked` and body."""
        return await self._bodies[waited].ask(note_id)

    async def has_waiting(self, note_id: str, *, waited: bool = False) -> bool:
        """Return whether a version of that note is missing."""
        return bool(await self._waiting[waited].ask(note_id))

    async def elsewhere(self, note_id: str) -> int:
        """Return the version of a note that readers of other releases get, 0 for none."""
        others = self._served[False].elsewhere("notes")
        if not others:
            return 0
        asked = asyncio.gather(*(notes.find_one({"_id": note_id}, {"version": 1}) for notes in others))
        found = await in_time(asked, self._timeout_s)
        return max((note["version"] for note in found if note is not None), default=0)

    async def _found(self, fields: Mapping[str, int], waited: bool, ids: Collection[str]) -> Mapping[str, View]:  # noqa: FBT001 - see `partial`
        """Return the stored notes of these ids, for a moment after a switch the newer one of both builds."""
        notes = self._served[waited]["notes"]
        before = self._served[waited].before("notes")
        found = await by_id(notes, ids, fields)
        if before is None:
            return found
        old = await by_id(before, ids, fields)
        return old | {note_id: newer(note, old.get(note_id)) for note_id, note in found.items()}

    async def _with_waiting(self, waited: bool, ids: Collection[str]) -> Mapping[str, bool]:  # noqa: FBT001
        parked = self._served[waited].beside("notes", parked_of)
        these = {"$in": list(ids)}
        waiting, missing = await asyncio.gather(
            parked.distinct("note_id", {"kind": "gap", "note_id": these}),
            self._missing.distinct("_id", {"_id": these}),
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
    """Return what `read` finds of a note. Wait at most `wait_s` seconds for `min_version`.

    While another release answers readers from its own documents, also wait at most ELSEWHERE_S seconds for the version
    there: a reader that asks two instances in turn must not see the note get older.
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
    """Return whether a version of a note is missing; `note`: what was read of it."""
    return bool(note["parked"]) if note else await reader.has_waiting(note_id, waited=waited)


def newer(served: View, before: View | None) -> View:
    """Return the newer of a note's documents; of equal ones the one that is served now."""
    return served if before is None or before["version"] <= served["version"] else before
