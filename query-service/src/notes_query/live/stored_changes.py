"""What other instances store, as MongoDB tells it: a change stream."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any, Final

from pymongo.errors import PyMongoError

from notes_query.errors import StoreUnavailable
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors, meaning_of
from notes_query.mongo.lookups import LEVEL, by_id, last_entries
from notes_query.projecting.waiters import Level
from notes_query.projections.read_model import note_of

AWAIT_MS: Final = 500
"""How long MongoDB holds back the answer that nothing has changed; it sends what has changed at once."""
_CHANGED: Final = "updateDescription.updatedFields.version"
_PIPELINE: Final = (
    {"$match": {"$or": [{"operationType": {"$in": ["insert", "replace"]}}, {_CHANGED: {"$exists": True}}]}},
    {
        "$project": {
            "documentKey": 1,
            **{f"fullDocument.{name}": 1 for name in ("version", "status")},
            **{f"updateDescription.updatedFields.{name}": 1 for name in ("version", "status")},
        }
    },
)


class MongoChanges:
    """The documents of a collection, by id; `collection` says which one now, and may raise Building.

    `level` reads where a document is out of its version and status. `of_entries`: there is one for each version of a
    note; the keys are notes then, too.
    """

    def __init__(
        self,
        database: Database,
        collection: Callable[[], str],
        level: Callable[[Mapping[str, Any]], int],
        *,
        of_entries: bool = False,
    ) -> None:
        self._database = database
        self._collection = collection
        self._level = level
        self._look_up = last_entries if of_entries else partial(by_id, fields=LEVEL)
        # Its own: the event loop has few, which would all be taken when names of servers have to be looked up.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="changes")

    async def follow(self, tell: Callable[[str, int], None], opened: Callable[[], Awaitable[None]]) -> None:
        """Call `tell` with key and level of whatever is stored, until cancelled.

        `opened` is awaited once nothing that is stored from then on can be missed. Raises StoreUnavailable, Building.
        """
        try:
            async with self._database[self._collection()].watch(list(_PIPELINE), max_await_time_ms=AWAIT_MS) as stream:
                # Not asked for changes yet: the answer that there are none would hold up who waits for what is stored.
                await self._database.renew_session_time()
                await opened()
                await self._pump(stream.delegate, tell)
        except PyMongoError as error:
            # A server that keeps no change streams, one whose history is too short: reading again is the cure for all.
            raise StoreUnavailable(str(meaning_of(error))) from None

    async def _pump(self, stream: Any, tell: Callable[[str, int], None]) -> None:
        """Tell what the stream says until it ends. In a thread: through Motor each change would cost a hop."""
        loop = asyncio.get_running_loop()
        stop = Event()

        def pump() -> None:
            while stream.alive and not stop.is_set():
                if (found := stream.try_next()) is not None:
                    loop.call_soon_threadsafe(tell, *self._change(found))

        pumping = loop.run_in_executor(self._thread, pump)
        try:
            await asyncio.shield(pumping)
        finally:
            stop.set()
            await asyncio.wait([pumping])

    async def levels(self, keys: Collection[str]) -> list[Level]:
        """Return where these keys are now, in one query; one that is not stored is left out.

        Raises StoreUnavailable, Building.
        """
        documents = self._database[self._collection()]
        with driver_errors():
            async with self._database.session() as session:
                found = await self._look_up(documents, keys, session=session)
        return [Level(key, self._level(document)) for key, document in found.items()]

    def _change(self, change: Mapping[str, Any]) -> Level:
        # Of a document that was there MongoDB tells what is new, or all of it if that is shorter.
        document = change.get("fullDocument") or change["updateDescription"]["updatedFields"]
        return Level(note_of(change["documentKey"]["_id"]), self._level(document))
