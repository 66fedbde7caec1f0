"""Hand out fetched records in portions of bounded size, and decompress what is large in a thread.

aiokafka iterates over a batch on the event loop. One field of a gigabyte of zeros weighs one megabyte in gzip, and
would keep the loop for seconds.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.errors import KafkaError

from notes_chassis.kafka.aiokafka_internals import batches_in, fetched, unpack_again, wake
from notes_chassis.kafka.record_parser import HEADER_BYTES

POLL_BYTES: Final = 8 * 1024 * 1024
"""Decompressed bytes that one poll hands out: whoever processes them is done long before the group misses him. The
record that exceeds them is the last one."""
PARTITION_BYTES: Final = 2 * 1024 * 1024
"""The same of each partition in a poll: one with large records leaves room for the others."""
ABANDONED_S: Final = 5.0
"""A partition that nobody has asked for records so long does not keep others from decompressing theirs."""
Records = dict[Any, list[Any]]
Portion = tuple[list[Any], int]
"""Records, and how many bytes they count."""

_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="batches")
"""One, so that hostile batches take one core at most, and none of the threads of others."""


class Inflates(Exception):
    """A batch is too large inside to be decompressed on the event loop."""


@dataclass(slots=True)
class Poll:
    """A poll that is under way: what is left of POLL_BYTES, and the fetcher whose records are handed out."""

    fetcher: Any = None
    left: int = POLL_BYTES


_poll: Final = ContextVar[Poll | None]("poll", default=None)


@contextmanager
def polling(fetcher: Any) -> Iterator[None]:
    """Hand out at most POLL_BYTES of a fetcher's records in this block."""
    token = _poll.set(Poll(fetcher))
    try:
        yield
    finally:
        _poll.reset(token)


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

    def take(self, most: int | None) -> list[Any]:
        """Return as many records as the poll has room for; none while they are being decompressed."""
        self._asked = time.monotonic()
        poll = _poll.get() or Poll()
        limit = min(PARTITION_BYTES, poll.left)
        if limit <= 0:
            return []
        if not self._large:
            portion = self._read(limit, most, on_loop=poll.fetcher is not None)
            if portion[0] or not self._large:
                return self._handed(poll, portion)
        if self._task is None:
            if not any(other is not self and other.open() for other in _all_portions(poll.fetcher)):
                self._opened = True
                self._task = asyncio.get_running_loop().run_in_executor(_thread, self._read, limit, most)
                self._task.add_done_callback(lambda task: _wake(poll.fetcher, task))
            return []
        if not self._task.done():
            return []
        task, self._task = self._task, None
        return self._handed(poll, task.result())

    def open(self) -> bool:
        """Return whether a large batch of this partition is in memory: one of a consumer is enough."""
        return self._opened and time.monotonic() - self._asked < ABANDONED_S

    def _handed(self, poll: Poll, portion: Portion) -> list[Any]:
        found, size = portion
        poll.left -= size
        self.next_fetch_offset = self._records.next_fetch_offset
        self.ended = self._exhausted
        return found

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
