"""Wakes readers whose note is projected by another instance.

The projector wakes readers in its own process, which is enough for the partitions that this instance owns. For the
others one change stream is opened, for all readers together, and closed when nobody has needed it for a while.
"""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Final

import structlog
from aiokafka import TopicPartition

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.process import Backoff
from notes_query.errors import NotesQueryError, StoreUnavailable
from notes_query.live.stored_changes import MongoChanges
from notes_query.projecting.waiters import Waiters
from notes_query.projections.read_model import partitions_of

log = structlog.get_logger()

LOOK_S: Final = 1.0
IDLE_S: Final = 10.0
"""Seconds that the stream stays open for nobody: opening it costs the first reader a few milliseconds."""


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
