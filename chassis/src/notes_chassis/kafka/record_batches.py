"""Read any batch of records, in bounded memory.

Two things in aiokafka 0.14 let one batch stop a consumer:

- It raises UnicodeDecodeError for the name of a header that is not UTF-8. That is no KafkaError, nobody catches it, the
  position does not move, and all partitions stop for ever.
- It decompresses a batch whole and hands out as many records as were asked for, whatever their size. 2 MiB of gzip
  hold 2 GiB, of zstd still more.

This reaches into the library: a test on a real broker says whether it still holds.
"""

import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextvars import ContextVar
from itertools import chain, islice
from struct import Struct
from typing import Any, Final

import cramjam
from aiokafka.codec import snappy_decode
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from notes_chassis.kafka.record_parser import Parser

POLL_BYTES: Final = 8 * 1024 * 1024
"""Decompressed bytes that one poll hands out: whoever processes them is done long before the group misses him. The
record that exceeds them is the last one."""
PARTITION_BYTES: Final = 2 * 1024 * 1024
"""The same of each partition in a poll: one with large records leaves room for the others."""
HEADER_BYTES: Final = 150
"""What a header takes in memory beside its bytes."""
AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes up to which a batch is decompressed whole."""
UNREADABLE: Final = 128 * 1024 * 1024
"""Bytes of a batch in lz4 or zstd, which cannot be decompressed piece by piece here. Records behind them are handed out
without key, value and headers."""
Records = dict[Any, list[Any]]
_PIECE: Final = 256 * 1024
_CHUNK: Final = 64
"""Records that are parsed together; a bad header's name costs no more than these."""
_LENGTH: Final = Struct(">8xi")
"""The head of a batch: its base offset, and the bytes that follow."""
_HEAD: Final = 61
_CODEC: Final = 22
"""The byte of the head whose lowest three bits are the codec."""
_NONE, _GZIP, _SNAPPY, _LZ4, _ZSTD = range(5)


def read_any_batch() -> None:
    """Make every consumer of this process read any batch, and hand out its records in portions."""
    fetcher.MemoryRecords = BoundedRecords
    fetcher.FetchResult.getall = _getall


_usual: Final = bytearray(AT_ONCE)


class Allowance:
    """What is left of POLL_BYTES in the poll that is under way."""

    left: int = POLL_BYTES


_allowance: Final = ContextVar[Allowance | None]("allowance", default=None)


async def bounded_poll(consumer: Any, poll: Callable[[], Awaitable[Records]]) -> Records:
    """Return what `poll` hands out of at most POLL_BYTES. The partitions take turns in being the first."""
    token = _allowance.set(Allowance())
    try:
        found = await poll()
    finally:
        _allowance.reset(token)
    waiting = consumer._fetcher._records  # noqa: SLF001 - drained in their order
    for partition in found:
        if partition in waiting:
            waiting[partition] = waiting.pop(partition)
    return found


class BoundedRecords:
    """aiokafka's MemoryRecords, with batches that can be read whatever is in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._position = 0

    def size_in_bytes(self) -> int:
        """Return the size of all batches."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return bool(self._records.has_next())

    def next_batch(self) -> "BoundedBatch | None":
        """Return the next batch."""
        batch = self._records.next_batch()
        if batch is None:
            return None
        start = self._position
        (length,) = _LENGTH.unpack_from(self._data, start)
        self._position = start + _LENGTH.size + length
        return BoundedBatch(batch, self._data[start : self._position])


class BoundedBatch:
    """A batch; everything but reading its records is the original's."""

    def __init__(self, batch: Any, data: bytes) -> None:
        self._batch = batch
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        if not isinstance(self._batch, DefaultRecordBatch):
            return iter(self._batch)
        packed, codec = self._data[_HEAD:], self._batch.compression_type
        if codec == _NONE:
            return self._quickly(self._batch, packed)
        pieces = _gunzipped(packed) if codec == _GZIP else iter([_unpacked(codec, packed)])
        body, more = next(pieces, b""), next(pieces, None)
        if more is not None or len(body) >= AT_ONCE:
            return iter(Parser(self._data[:_HEAD], chain([body, more or b""], pieces)))
        head = bytearray(self._data[:_HEAD])
        head[_CODEC] &= ~7
        return self._quickly(DefaultRecordBatch(b"".join((head, body))), body)

    def _quickly(self, batch: Any, body: bytes) -> Iterator[Any]:
        """Return the records as the library reads them; from a header's name on that is not UTF-8, as we do."""
        records, read = (record for record in batch), 0  # the library's own iterator cannot be asked twice for its end
        while True:
            try:
                chunk = list(islice(records, _CHUNK))
            except UnicodeDecodeError:
                yield from islice(Parser(self._data[:_HEAD], iter([body])), read, None)
                return
            if not chunk:
                return
            yield from chunk
            read += len(chunk)


def _gunzipped(packed: bytes) -> Iterator[bytes]:
    """Return the bytes in pieces: the first of up to AT_ONCE, which nearly always is all."""
    size = AT_ONCE
    while packed:
        inflater = zlib.decompressobj(wbits=31)
        while not inflater.eof:
            try:
                piece = inflater.decompress(packed, size)
            except zlib.error as error:
                raise CorruptRecordException(f"a batch cannot be decompressed: {error}") from error
            packed = inflater.unconsumed_tail
            if not piece and not packed and not inflater.eof:
                raise CorruptRecordException("a batch in gzip ends too early")
            yield piece
            size = _PIECE
        packed = inflater.unused_data


def _unpacked(codec: int, packed: bytes) -> bytes:
    if codec == _SNAPPY:  # 21 times as large at most
        return bytes(snappy_decode(packed))
    unpack = (cramjam.lz4 if codec == _LZ4 else cramjam.zstd).decompress_into
    for size in (AT_ONCE, UNREADABLE):
        body = _usual if size == AT_ONCE else bytearray(size)
        try:
            return bytes(memoryview(body)[: unpack(packed, body)])
        except cramjam.DecompressionError as error:
            if "whole buffer" not in str(error):
                raise CorruptRecordException(f"a batch cannot be decompressed: {error}") from error
    return bytes(body)


def _getall(self: Any, max_records: int | None = None) -> list[Any]:
    """Return the next records of a partition, as aiokafka's FetchResult.getall, which has no limit of bytes."""
    allowance = _allowance.get() or Allowance()
    if allowance.left <= 0 or not self.check_assignment(self._topic_partition) or not self.has_more():
        return []
    found, size, limit = [], 0, min(PARTITION_BYTES, allowance.left)
    for record in self._partition_records:
        found.append(record)
        size += len(record.value or b"") + len(record.key or b"")
        for name, value in record.headers:
            size += HEADER_BYTES + len(name) + len(value or b"")
        if size >= limit or (max_records is not None and len(found) >= max_records):
            self._update_position()
            break
    else:
        self._update_position()
        self._partition_records = None
    allowance.left -= size
    return found
