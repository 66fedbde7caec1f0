"""Hand out fetched records in portions of bounded size, and decompress what is large in a thread.

aiokafka iterates over a batch on the event loop. One field of a gigabyte of zeros weighs one megabyte in gzip, and
would keep the loop for seconds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from aiokafka.errors import KafkaError

from notes_chassis.kafka.aiokafka_internals import batches_in, fetched, to_the_end, unpack_again, wake

POLL_BYTES: Final = 8 * 1024 * 1024
"""Decompressed bytes that one poll hands out: whoever processes them is done long before the group misses him. The
record that exceeds them is the last one."""
PARTITION_BYTES: Final = 2 * 1024 * 1024
"""The same of each partition in a poll: one with large records leaves room for the others."""
HEADER_BYTES: Final = 150
"""What a header takes in memory beside its bytes."""
ABANDONED_S: Final = 5.0
"""A partition that nobody has asked for records so long does not keep others from decompressing theirs."""
Records = dict[Any, list[Any]]
Portion = tuple[list[Any], int]
"""Records, and how many bytes they count."""

_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="batches")
"""One, so that hostile batches take one core at most, and none of the threads of others."""


class Inflates(Exception):
    """A batch is too large inside to be decompressed on the event loop."""


class Allowance:
    """What is left of POLL_BYTES in the poll that is under way."""

    left: int = POLL_BYTES


_allowance: Final = ContextVar[Allowance | None]("allowance", default=None)
_fetcher: Final = ContextVar[Any]("fetcher", default=None)


async def bounded_poll(consumer: Any, poll: Callable[[], Awaitable[Records]]) -> Records:
    """Return what `poll` hands out of at most POLL_BYTES. The partitions take turns in being the first."""
    token = _allowance.set(Allowance())
    try:
        found = await poll()
    finally:
        _allowance.reset(token)
    to_the_end(consumer, found)
    return found


@contextmanager
def fetching(fetcher: Any) -> Iterator[None]:
    """Let `Portions` know whose records are handed out in this block."""
    token = _fetcher.set(fetcher)
    try:
        yield
    finally:
        _fetcher.reset(token)


def allowed() -> int:
    """Return how many bytes of a partition may be handed out now."""
    allowance = _allowance.get()
    return PARTITION_BYTES if allowance is None else min(PARTITION_BYTES, allowance.left)


def used(size: int) -> None:
    """Note that so many bytes were handed out."""
    if (allowance := _allowance.get()) is not None:
        allowance.left -= size


class Portions:
    """The records of one fetch of a partition; stands for aiokafka's PartitionRecords in its FetchResult.

    `next_fetch_offset` follows what was handed out, not what a thread has read.
    """

    def __init__(self, records: Any) -> None:
        self._records = records
        self.next_fetch_offset = records.next_fetch_offset
        self.ended = False
        self._exhausted = False
        self._large = False
        self._task: asyncio.Future[Portion] | None = None
        self._opened = False
        self._asked = 0.0

    def take(self, limit: int, most: int | None) -> Portion:
        """Return records of about `limit` bytes; none while they are being decompressed."""
        self._asked = time.monotonic()
        fetcher = _fetcher.get()
        if not self._large:
            portion = self._read(limit, most, on_loop=fetcher is not None)
            if portion[0] or not self._large:
                return self._handed(portion)
        if self._task is None:
            if not any(other is not self and other.open() for other in _all_portions(fetcher)):
                self._opened = True
                self._task = asyncio.get_running_loop().run_in_executor(_thread, self._read, limit, most)
                self._task.add_done_callback(lambda task: _wake(fetcher, task))
            return [], 0
        if not self._task.done():
            return [], 0
        task, self._task = self._task, None
        return self._handed(task.result())

    def open(self) -> bool:
        """Return whether a large batch of this partition is in memory: one of a consumer is enough."""
        return self._opened and time.monotonic() - self._asked < ABANDONED_S

    def _handed(self, portion: Portion) -> Portion:
        self.next_fetch_offset = self._records.next_fetch_offset
        self.ended = self._exhausted
        return portion

    def _read(self, limit: int, most: int | None, *, on_loop: bool = False) -> Portion:
        found: list[Any] = []
        size = 0
        batches_in(self._records).on_loop = on_loop
        try:
            for record in self._records:
                found.append(record)
                size += len(record.value or b"") + len(record.key or b"")
                for name, value in record.headers:
                    size += HEADER_BYTES + len(name) + len(value or b"")
                if size >= limit or (most is not None and len(found) >= most):
                    return found, size
            self._exhausted = True
        except Inflates:
            self._large = True  # and so may be what follows
            unpack_again(self._records)
        except KafkaError:
            self._exhausted = True  # what was read before is handed out; a fetch from there meets the error again
            if not found:
                raise
        return found, size


def _all_portions(fetcher: Any) -> list[Portions]:
    return [portions for portions in fetched(fetcher) if isinstance(portions, Portions)]


def _wake(fetcher: Any, task: "asyncio.Future[Portion]") -> None:
    if not task.cancelled():
        task.exception()  # raised to whoever asks for the records, if anybody still does
    wake(fetcher)
