"""Wakes readers whose note is projected by another instance.

The projector wakes readers in its own process, which is enough for the partitions that this instance owns. For the
others one change stream is opened, for all readers together, and closed when nobody has needed it for a while.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from threading import Event
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from pymongo.errors import PyMongoError

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.process import Backoff
from notes_query.errors import NotesQueryError, StoreUnavailable
from notes_query.mongo.database import Database
from notes_query.mongo.driver import LEVEL, by_id, driver_errors, last_entries, meaning_of
from notes_query.projecting.waiters import Level, Waiters
from notes_query.projections.read_model import note_of, partitions_of

log = structlog.get_logger()

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
LOOK_S: Final = 1.0
IDLE_S: Final = 10.0
"""Seconds that the stream stays open for nobody: opening it costs the first reader a few milliseconds."""


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


class ForeignWakes:
    """One for each kind of reader, who wait in `waiters`. `owns` says whether this instance projects a key.

    `woken` and `place` are as Waiters has them. `run` ends by cancellation only.
    """

    def __init__(
        self,
        changes: MongoChanges,
        owns: Callable[[str], bool],
        woken: Callable[[float], None] = lambda _: None,
        place: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.waiters = Waiters(self._begins, woken, place)
        self._changes = changes
        self._owns = owns
        self._needed = asyncio.Event()
        self._reassigned = False
        self._switched = asyncio.Event()
        self._backoff = Backoff()

    def _begins(self, key: str) -> None:
        if not self._owns(key):
            self._needed.set()

    def reassigned(self) -> None:
        """Partitions have come or gone: what was stored in between has woken nobody here."""
        self._reassigned = True
        if self.waiters:
            self._needed.set()

    def switched(self) -> None:
        """Another build is served: what it had already has woken nobody, and the stream is on the old one."""
        self._switched.set()
        if self.waiters:
            self._needed.set()

    async def run(self) -> None:
        """Wait until a reader needs it, follow, and stop when none does."""
        while True:
            await self._needed.wait()
            self._switched.clear()
            following = asyncio.create_task(self._changes.follow(self.waiters.wake, self._catch_up))
            try:
                await self._while_needed(following)
            except NotesQueryError as error:
                # Still needed: the stream is opened again, and then what was missed is read.
                log.warning("changes of other instances are not seen, trying again", error=str(error))
                await asyncio.sleep(self._backoff.next())
            finally:
                following.cancel()
                await asyncio.wait([following])

    async def _while_needed(self, following: "asyncio.Task[None]") -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + IDLE_S
        switched = asyncio.create_task(self._switched.wait())
        try:
            while loop.time() < until:
                done, _ = await asyncio.wait([following, switched], timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if following in done:
                    following.result()
                    raise StoreUnavailable("the change stream has ended")
                if done:
                    return  # and again at once, on the collection that is served now
                self._backoff.reset()
                if self._reassigned:
                    await self._catch_up()
                if not all(map(self._owns, self.waiters.keys())):
                    until = loop.time() + IDLE_S
            self._needed.clear()
        finally:
            switched.cancel()

    async def _catch_up(self) -> None:
        """Wake the readers whose version is stored by now: one query, for all readers."""
        self._reassigned = False
        if keys := self.waiters.keys():
            for key, level in await self._changes.levels(keys):
                self.waiters.wake(key, level)


def owns_key(batches: BatchConsumer, topic: str, key: str) -> bool:
    """Return whether all records with a key are read here."""
    assigned, number = batches.rebalance.assigned, _partitions(batches, topic)
    if len(assigned) == number:
        return number > 0
    return number > 0 and all(TopicPartition(topic, one) in assigned for one in partitions_of(key, number))


def owns_everything(batches: BatchConsumer, topic: str) -> bool:
    """Return whether the whole topic is read here, for what is not looked for by the records' key."""
    assigned = batches.rebalance.assigned
    return bool(assigned) and len(assigned) == _partitions(batches, topic)


def _partitions(batches: BatchConsumer, topic: str) -> int:
    """Return how many the topic has, as the consumer knows it; 0 while nothing is assigned."""
    return len(batches.consumer().partitions_for_topic(topic) or ()) if batches.rebalance.assigned else 0
