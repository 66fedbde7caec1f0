"""Hands out fetched records in portions of bounded size, and decompresses large batches in a thread.

aiokafka iterates over a batch on the event loop. A field of a gigabyte of zeros has one megabyte in gzip, and would
block the loop for seconds.
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
"""Decompressed bytes that one poll hands out: they are processed long before the group misses the consumer. The record
that exceeds them is the poll's last."""
PARTITION_BYTES: Final = 2 * 1024 * 1024
"""The same of each partition in a poll: a partition with large records leaves room for the others."""
ABANDONED_S: Final = 5.0
"""A partition that was not polled for so long does not keep others from decompressing theirs."""
RecordsByPartition = dict[Any, list[Any]]
Portion = tuple[list[Any], int]
"""Records, and their size in bytes."""

_thread: Final = ThreadPoolExecutor(1, thread_name_prefix="batches")
"""A single thread, so that hostile batches take one core at most, and no other work waits for a thread."""


class Inflates(Exception):
    """A batch is too large inside to be decompressed on the event loop."""


@dataclass(slots=True)
class Poll:
    """A poll that is under way: the fetcher whose records are handed out, and how many bytes are left of POLL_BYTES."""

    fetcher: Any = None
    left_bytes: int = POLL_BYTES


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
    """The records of one fetch of a partition, in the place of aiokafka's PartitionRecords in its FetchResult.

    `next_fetch_offset` is behind the records that were handed out, not behind those that a thread has read.
    """

    def __init__(self, records: Any) -> None:
        self._records = records
        self.next_fetch_offset = records.next_fetch_offset
        self.ended = False
        self._exhausted = False
        self._large = False
        self._reading: asyncio.Future[Portion] | None = None
        self._large_in_memory = False
        self._polled_at = 0.0

    def take(self, max_records: int | None) -> list[Any]:
        """Return as many records as the poll has room for; none while they are being decompressed."""
        self._polled_at = time.monotonic()
        poll = _poll.get() or Poll()
        max_bytes = min(PARTITION_BYTES, poll.left_bytes)
        if max_bytes <= 0:
            return []
        if not self._large:
            portion = self._read(max_bytes, max_records, on_loop=poll.fetcher is not None)
            if portion[0] or not self._large:
                return self._hand_out(poll, portion)
        if self._reading is None:
            if not any(other is not self and other.holds_large() for other in _all_portions(poll.fetcher)):
                self._read_in_thread(poll.fetcher, max_bytes, max_records)
            return []
        if not self._reading.done():
            return []
        reading, self._reading = self._reading, None
        return self._hand_out(poll, reading.result())

    def holds_large(self) -> bool:
        """Return whether a large batch of this partition is in memory: a consumer should hold one at a time."""
        return self._large_in_memory and time.monotonic() - self._polled_at < ABANDONED_S

    def _hand_out(self, poll: Poll, portion: Portion) -> list[Any]:
        records, size = portion
        poll.left_bytes -= size
        self.next_fetch_offset = self._records.next_fetch_offset
        self.ended = self._exhausted
        return records

    def _read_in_thread(self, fetcher: Any, max_bytes: int, max_records: int | None) -> None:
        self._large_in_memory = True
        self._reading = asyncio.get_running_loop().run_in_executor(_thread, self._read, max_bytes, max_records)
        self._reading.add_done_callback(lambda reading: _wake(fetcher, reading))

    def _read(self, max_bytes: int, max_records: int | None, *, on_loop: bool = False) -> Portion:
        records: list[Any] = []
        size = 0
        batches_in(self._records).on_loop = on_loop
        try:
            for record in self._records:
                records.append(record)
                size += len(record.value or b"") + len(record.key or b"")
                for name, value in record.headers:
                    size += HEADER_BYTES + len(name) + len(value or b"")
                if size >= max_bytes or (max_records is not None and len(records) >= max_records):
                    return records, size
            self._exhausted = True
        except Inflates:
            self._large = True  # and later batches of this fetch may be large, too
            unpack_again(self._records)
        except KafkaError:
            self._exhausted = True  # hand out what was read before; a fetch from there meets the error again
            if not records:
                raise
        return records, size


def _all_portions(fetcher: Any) -> list[Portions]:
    return [portions for portions in fetched(fetcher) if isinstance(portions, Portions)]


def _wake(fetcher: Any, reading: "asyncio.Future[Portion]") -> None:
    if not reading.cancelled():
        reading.exception()  # marks it as retrieved: the next poll raises it, if there is another poll
    wake(fetcher)
