"""Threads of their own for reads that take long, so that other reads do not wait for them."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

import pymongo
from pymongo.errors import PyMongoError

from notes_chassis.http.limits import REFUSED
from notes_query.errors import Busy, StoreUnavailable
from notes_query.http.query_route import MAX_WAIT_S
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.projections.read_model import Serving
from notes_query.reads.served import Served, served

WAITING: Final = 8
"""Reads that may wait for each read at work."""
WAIT_S: Final = 2.0
"""Seconds that a read may wait."""

T = TypeVar("T")


class Share:
    """A few threads of its own. The driver's threads serve reads by id and the projector.

    `name` names it in errors and in the metric of refused reads. `at_once` reads run at a time, each for `limit_s`
    seconds at most, in MongoDB too. `waiting` more may wait, by default WAITING for each that runs, each for `wait_s`
    seconds.
    """

    def __init__(
        self, name: str, at_once: int, limit_s: float, *, waiting: int | None = None, wait_s: float = WAIT_S
    ) -> None:
        self._name = name
        self._limit_s = limit_s
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._slots = asyncio.Semaphore(at_once)
        self._max_waiting = WAITING * at_once if waiting is None else waiting
        self._wait_s = wait_s
        self._waiting = 0

    async def run(self, read: Callable[[], T]) -> T:
        """Return what `read` returns. It uses the driver without Motor.

        Raises Busy if too many reads wait already, or if this one has waited too long; StoreUnavailable, Building.
        """
        await self._take_slot()
        work = self._pool.submit(self._limited, read)
        loop = asyncio.get_running_loop()

        def free(_: "Future[T]") -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._slots.release)

        # The slot is free when the thread is, not when the client has left: the read goes on until its limit.
        work.add_done_callback(free)
        return await asyncio.wrap_future(work)

    async def _take_slot(self) -> None:
        if self._waiting >= self._max_waiting:
            REFUSED.labels(self._name).inc()
            raise Busy(f"too many {self._name} wait already")
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._slots.acquire()
        except TimeoutError:
            REFUSED.labels(self._name).inc()
            raise Busy(f"other {self._name} took their time") from None
        finally:
            self._waiting -= 1

    def _limited(self, read: Callable[[], T]) -> T:
        with driver_errors(), pymongo.timeout(self._limit_s):
            try:
                return read()
            except PyMongoError as error:
                if error.timeout:
                    REFUSED.labels(f"{self._name}_time").inc()
                    raise StoreUnavailable(f"no answer within {self._limit_s:g} s") from None
                raise


class Shares:
    """What is served, read in one share by readers that have waited for a command, and in another by all others.

    Hundreds of waiting readers may be woken at once. They queue apart from the others, and none of them is refused.
    """

    def __init__(
        self, database: Database, serving: Serving, name: str, at_once: int, limit_s: float, *, waiting: int
    ) -> None:
        self._served = served(database, serving)
        self._shares = {
            False: Share(name, at_once, limit_s),
            True: Share(name, at_once, limit_s, waiting=waiting, wait_s=MAX_WAIT_S),
        }

    async def run(self, read: Callable[[Served], T], *, waited: bool) -> T:
        """Return what `read` returns. Raises Busy, StoreUnavailable, Building."""
        return await self._shares[waited].run(lambda: read(self._served[waited]))
