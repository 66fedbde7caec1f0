"""Read any batch of records, in bounded memory.

A batch with a true checksum yields as many records as it says, at rising offsets of its own, whatever is inside. The
broker checks less than that, and with aiokafka 0.14 one batch could stop a consumer, or have it skip others' records:

- It raises UnicodeDecodeError for the name of a header that is not UTF-8. That is no KafkaError, nobody catches it, the
  position does not move, and all partitions stop for ever. CorruptRecordException stops the batch's partition.
- It believes a record's offset, and reads the byte before the time as a number of any length: who makes that longer
  moves all fields, and writes any offset. The consumer would go on, and commit, from there.
- It decompresses a batch whole and hands out as many records as were asked for, whatever their size. 2 MiB of gzip
  hold 2 GiB, of zstd still more.
- It makes two hundred bytes in memory of an empty header, which is two bytes of a batch, a few bits when compressed.

This reaches into the library: a test on a real broker says whether it still holds.
"""

import mmap
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain, islice
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever it is called
from typing import Any, Final

import cramjam
from aiokafka.codec import snappy_decode
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from notes_chassis.kafka.record_parser import HEADER_BYTES, Parser
from notes_chassis.kafka.record_portions import Inflates
from notes_chassis.unread import CORRUPT, HEADERS_KEPT, TOO_LARGE, UNREADABLE

AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes up to which a batch is decompressed whole."""
INLINE: Final = 1024 * 1024
"""Bytes up to which a batch is decompressed on the event loop, which takes a few milliseconds."""
_INLINE_PACKED: Final = 256 * 1024
"""The same, compressed, of a batch in gzip or snappy: it says nothing of its size before, and gzip has parts."""
_PIECE: Final = 256 * 1024
_PACKED: Final = 16 * 1024
"""Compressed bytes that are unpacked together: the rest of them is copied for each part of a batch in gzip."""
_LIBRARY: Final = 2 * HEADERS_KEPT // HEADER_BYTES
"""Bytes that the library reads at once: they hold half as many headers at most, of which none needs to be cut."""
_LENGTH: Final = Struct(">8xi")
"""The head of a batch: its base offset, and the bytes that follow."""
_COUNT: Final = Struct(">i")
_HEAD: Final = 61
_CODEC: Final = 22
"""The byte of the head whose lowest three bits are the codec."""
_NONE, _GZIP, _SNAPPY, _LZ4, _ZSTD = range(5)

_usual: Final = bytearray(INLINE)


class BoundedRecords:
    """aiokafka's MemoryRecords, with batches that can be read whatever is in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._position = 0
        self._again: BoundedBatch | None = None
        self.on_loop = False
        """Whether a batch that is large inside raises Inflates when it is iterated over; it is the next one then."""

    def size_in_bytes(self) -> int:
        """Return the size of all batches."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return self._again is not None or bool(self._records.has_next())

    def repeat(self, batch: "BoundedBatch") -> None:
        """Return this batch once more as the next one."""
        self._again = batch

    def next_batch(self) -> "BoundedBatch | None":
        """Return the next batch."""
        again, self._again = self._again, None
        if again is not None:
            return again
        batch = self._records.next_batch()
        if batch is None:
            return None
        start = self._position
        (length,) = _LENGTH.unpack_from(self._data, start)
        self._position = start + _LENGTH.size + length
        return BoundedBatch(batch, self._data[start : self._position], self)


class BoundedBatch:
    """A batch; everything but reading its records is the original's."""

    def __init__(self, batch: Any, data: bytes, owner: BoundedRecords) -> None:
        self._batch = batch
        self._data = data
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __next__(self) -> Any:
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        if not isinstance(self._batch, DefaultRecordBatch):
            return iter(self._batch)
        packed, codec = self._data[_HEAD:], self._batch.compression_type
        if codec == _NONE:
            return self._in_place(self._roads(packed))
        on_loop, why = self._owner.on_loop, CORRUPT
        most = INLINE if on_loop else AT_ONCE
        if codec in {_GZIP, _SNAPPY}:
            unpack = _gunzipped if codec == _GZIP else _unsnapped
            pieces = iter(()) if on_loop and len(packed) > _INLINE_PACKED else unpack(packed, most)
        else:
            pieces, why = _unpacked(codec, packed, most, on_loop=on_loop)
        body, more = next(pieces, b""), next(pieces, None)
        if on_loop and (more is not None or not body):
            self._owner.repeat(self)
            raise Inflates
        if more is not None:
            return self._in_place(iter([Parser(self._data[:_HEAD], chain([body, more], pieces), why)]))
        return self._in_place(self._roads(body, why))

    def _in_place(self, roads: Iterator[Any]) -> Iterator[Any]:
        """Return the records as the first road reads them; from the first on that it reads badly, as the next one.

        A record's offset has to be above the one before, and to leave room for those that follow, whether or not
        compaction has left holes. What no road reads well is unread. It gets the last offsets: where there are holes,
        one may be higher than the record's own, never lower, so that nobody takes it for one that was read before.
        """
        before, last = self._batch.base_offset - 1, self._batch.next_offset - 1
        (count,) = _COUNT.unpack_from(self._data, _HEAD - _COUNT.size)
        count = max(0, min(count, last - before))
        highest = first = last - count + 1
        for road in roads:
            try:
                for record in islice(road.behind(highest - first) if highest > first else road, last - highest + 1):
                    offset = record.offset
                    if not before < offset <= highest:
                        break
                    before = offset
                    highest += 1
                    yield record
            except Exception:  # the library trusts the numbers that it reads: of one comes even a MemoryError
                if isinstance(road, Parser):
                    raise
            if highest > last:
                return
        yield from road.unread(highest, last)

    def _roads(self, body: bytes, why: bytes = CORRUPT) -> Iterator[Any]:
        """Return what reads a body that is not compressed: the library, in a tenth of the time, and what we have."""
        head = self._data[:_HEAD]
        if codec := self._batch.compression_type:
            head = b"".join((head[:_CODEC], bytes([head[_CODEC] & ~7]), head[_CODEC + 1 :]))
        if len(body) > _LIBRARY:
            yield chain.from_iterable(_parts(head, body))
        else:
            yield self._batch if codec == _NONE else DefaultRecordBatch(head + body)
        yield Parser(head, iter([body]), why)


def _parts(head: bytes, body: bytes) -> Iterator[Iterable[Any]]:
    """Return the records of a large body in groups that are read together; Parser reads a large record.

    Nobody has seen to it that lengths are true: a record of a megabyte may say that it has ten bytes. The library meets
    the end of its group then.
    """
    (left,) = _COUNT.unpack_from(head, _HEAD - _COUNT.size)
    start = at = count = 0
    while at < len(body) - _LIBRARY:
        begin, byte, shift = at, body[at], 0
        at += 1
        length = byte
        while byte >= 0x80 and shift < 63:
            shift += 7
            byte = body[at]
            at += 1
            length += byte - 1 << shift
        at += length >> 1
        if at - start > _LIBRARY:
            if count:
                yield _group(head, body[start:begin], count)
            start, left, count = begin, left - count, 0
            if at - begin > _LIBRARY:
                yield islice(Parser(head, iter([body[begin:at]])), 1)
                start, left = at, left - 1
                continue
        count += 1
    if left > 0:
        yield _group(head, body[start:], left)


def _group(head: bytes, records: bytes, count: int) -> Any:
    return DefaultRecordBatch(b"".join((head[: -_COUNT.size], _COUNT.pack(count), records)))


def _gunzipped(packed: bytes, size: int) -> Iterator[bytes]:
    """Return the bytes in pieces: the first of up to `size`, which nearly always is all. What is wrong ends them."""
    inflater, found = zlib.decompressobj(wbits=31), bytearray()
    with suppress(zlib.error):
        for at in range(0, len(packed), _PACKED):
            rest, more = packed[at : at + _PACKED], True
            while rest or more:
                if inflater.eof:
                    inflater = zlib.decompressobj(wbits=31)
                found += (piece := inflater.decompress(rest, size - len(found)))
                rest, more = inflater.unused_data or inflater.unconsumed_tail, bool(piece) and not inflater.eof
                if len(found) == size:
                    yield bytes(found)
                    found.clear()
                    size = _PIECE
    if found:
        yield bytes(found)


def _unsnapped(packed: bytes, size: int) -> Iterator[bytes]:
    """Return the bytes, 21 times as many at most, in pieces; none where something is wrong."""
    try:
        return _pieces(snappy_decode(packed), size)
    except (cramjam.DecompressionError, ValueError, StructError):
        return iter(())


def _unpacked(codec: int, packed: bytes, first: int, *, on_loop: bool) -> tuple[Iterator[bytes], bytes]:
    """Return the bytes in pieces, and why nothing follows; none where something is wrong.

    On the loop none where they are more than INLINE. Memory of a map is only taken for what is written to it.
    """
    unpack = (cramjam.lz4 if codec == _LZ4 else cramjam.zstd).decompress_into
    body = _usual if on_loop else mmap.mmap(-1, UNREADABLE)
    size, why = 0, CORRUPT
    try:
        size = unpack(packed, body)
    except cramjam.DecompressionError as error:
        if "whole buffer" in str(error):
            size, why = 0 if on_loop else len(body), TOO_LARGE
    return _pieces(memoryview(body)[:size], first), why


def _pieces(body: bytes | memoryview, first: int) -> Iterator[bytes]:
    if body:
        yield bytes(body[:first])
    for at in range(first, len(body), _PIECE):
        yield bytes(body[at : at + _PIECE])
