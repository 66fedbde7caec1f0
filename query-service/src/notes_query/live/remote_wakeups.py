"""Wakes readers whose note another instance projects.

The projector wakes readers in its own process, which is enough for the partitions that this instance owns. For all
other readers together one change stream is opened. It is closed when no reader has needed it for a while.
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
"""Milliseconds until MongoDB answers that nothing has changed. It sends changes at once."""
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
CHECK_S: Final = 1.0
"""Seconds between two checks whether a reader still needs the stream."""
IDLE_S: Final = 10.0
"""Seconds that the stream stays open without a reader: opening it costs the next reader a few milliseconds."""


class MongoChanges:
    """The changes of a collection's documents. `collection` returns its present name; it may raise Building.

    `level` returns the level of a document, given its version and status. `of_entries`: there is a document for each
    version of a note; the keys are note ids all the same.
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
        # A thread of its own: the event loop's few threads may all be busy looking up the names of servers.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="changes")

    async def follow(self, wake: Callable[[str, int], None], opened: Callable[[], Awaitable[None]]) -> None:
        """Call `wake` with key and level of each document that is stored, until cancelled.

        `opened` is awaited as soon as no later change can be missed. Raises StoreUnavailable, Building.
        """
        try:
            async with self._database[self._collection()].watch(list(_PIPELINE), max_await_time_ms=AWAIT_MS) as stream:
                # Before the first changes are asked for: MongoDB's answer that there are none would delay the readers.
                await self._database.renew_session_time()
                await opened()
                await self._pump(stream.delegate, wake)
        except PyMongoError as error:
            # Also if the server keeps no change streams, or too short a history: opening it again is all that helps.
            raise StoreUnavailable(str(meaning_of(error))) from None

    async def _pump(self, stream: Any, wake: Callable[[str, int], None]) -> None:
        """Call `wake` for each change until the stream ends. Read it in a thread: Motor needs a hop for each change."""
        loop = asyncio.get_running_loop()
        stop = Event()

        def pump() -> None:
            while stream.alive and not stop.is_set():
                change = stream.try_next()
                if change is not None:
                    loop.call_soon_threadsafe(wake, *self._level_of(change))

        pumping = loop.run_in_executor(self._thread, pump)
        try:
            await asyncio.shield(pumping)
        finally:
            stop.set()
            await asyncio.wait([pumping])

    async def levels(self, keys: Collection[str]) -> list[Level]:
        """Return the present levels of these keys, in one query; keys without a document are left out.

        Raises StoreUnavailable, Building.
        """
        documents = self._database[self._collection()]
        with driver_errors():
            async with self._database.session() as session:
                found = await self._look_up(documents, keys, session=session)
        return [Level(key, self._level(document)) for key, document in found.items()]

    def _level_of(self, change: Mapping[str, Any]) -> Level:
        # Of an updated document MongoDB sends the changed fields, or the whole document if that is shorter.
        document = change.get("fullDocument") or change["updateDescription"]["updatedFields"]
        return Level(note_of(change["documentKey"]["_id"]), self._level(document))


class RemoteWakeups:
    """Wakes the readers of one kind, who wait in `waiters`. `owns` returns whether this instance projects a key.

    `woken` and `slot` are those of Waiters. `run` ends by cancellation only.
    """

    def __init__(
        self,
        changes: MongoChanges,
        owns: Callable[[str], bool],
        woken: Callable[[float], None] = lambda _: None,
        slot: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.waiters = Waiters(self._begins, woken, slot)
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
        """Catch up after a rebalance: what was stored meanwhile has woken no reader here."""
        self._reassigned = True
        if self.waiters:
            self._needed.set()

    def switched(self) -> None:
        """Follow another build: what it has stored before has woken no reader, and the stream follows the old one."""
        self._switched.set()
        if self.waiters:
            self._needed.set()

    async def run(self) -> None:
        """Follow changes while a reader needs them."""
        while True:
            await self._needed.wait()
            self._switched.clear()
            following = asyncio.create_task(self._changes.follow(self.waiters.wake, self._catch_up))
            try:
                await self._while_needed(following)
            except NotesQueryError as error:
                # Readers still need the stream. When it is open again, what was missed is read.
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
                done, _ = await asyncio.wait(
                    [following, switched], timeout=CHECK_S, return_when=asyncio.FIRST_COMPLETED
                )
                if following in done:
                    following.result()
                    raise StoreUnavailable("the change stream has ended")
                if done:
                    return  # `run` follows the collection that is served now
                self._backoff.reset()
                if self._reassigned:
                    await self._catch_up()
                if not all(map(self._owns, self.waiters.keys())):
                    until = loop.time() + IDLE_S
            self._needed.clear()
        finally:
            switched.cancel()

    async def _catch_up(self) -> None:
        """Wake the readers whose version is stored by now, with one query for all."""
        self._reassigned = False
        keys = self.waiters.keys()
        if keys:
            for key, level in await self._changes.levels(keys):
                self.waiters.wake(key, level)


def owns_key(batches: BatchConsumer, topic: str, key: str) -> bool:
    """Return whether this process reads all records with a key."""
    assigned = batches.rebalance.assigned
    count = _partitions(batches, topic)
    if count == 0 or len(assigned) == count:
        return count > 0
    return all(TopicPartition(topic, partition) in assigned for partition in partitions_of(key, count))


def owns_everything(batches: BatchConsumer, topic: str) -> bool:
    """Return whether this process reads the whole topic, for readers that do not wait for a record's key."""
    assigned = batches.rebalance.assigned
    return bool(assigned) and len(assigned) == _partitions(batches, topic)


def _partitions(batches: BatchConsumer, topic: str) -> int:
    """Return the number of the topic's partitions, as the consumer knows it; 0 while nothing is assigned."""
    return len(batches.consumer().partitions_for_topic(topic) or ()) if batches.rebalance.assigned else 0
