"""Read any batch of records, in bounded memory.

Three things in aiokafka 0.14 let one batch stop a consumer:

- It raises UnicodeDecodeError for the name of a header that is not UTF-8. That is no KafkaError, nobody catches it, the
  position does not move, and all partitions stop for ever.
- It decompresses a batch whole and hands out as many records as were asked for, whatever their size. 2 MiB of gzip
  hold 2 GiB, of zstd still more.
- It makes two hundred bytes in memory of an empty header, which is two bytes of a batch, a few bits when compressed.

This reaches into the library: a test on a real broker says whether it still holds.
"""

import mmap
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from struct import Struct
from struct import error as StructError  # noqa: N812 - a class, whatever it is called
from typing import Any, Final

import cramjam
from aiokafka.codec import snappy_decode
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from notes_chassis.kafka.record_parser import Parser
from notes_chassis.kafka.record_portions import Inflates
from notes_chassis.unread import CUT_SHORT, TOO_LARGE, UNREADABLE

AT_ONCE: Final = 4 * 1024 * 1024
"""Bytes up to which a batch is decompressed whole."""
INLINE: Final = 1024 * 1024
"""Bytes up to which a batch is decompressed on the event loop, which takes a few milliseconds."""
_INLINE_SNAPPY: Final = 256 * 1024
"""The same of a batch in snappy, compressed: it says nothing of its size before."""
_PIECE: Final = 256 * 1024
_CHUNK: Final = 8
"""Records that are parsed together; a bad header's name costs no more than these."""
_LIBRARY: Final = 64 * 1024
"""Bytes up to which the library reads a record: no more than half as many headers, of which none needs to be cut."""
_LENGTH: Final = Struct(">8xi")
"""The head of a batch: its base offset, and the bytes that follow."""
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
            return self._quickly(self._batch, packed)
        on_loop, why = self._owner.on_loop, CUT_SHORT
        most = INLINE if on_loop else AT_ONCE
        if codec == _GZIP:
            pieces = _gunzipped(packed, most)
        elif codec == _SNAPPY:
            pieces = _pieces(b"" if on_loop and len(packed) > _INLINE_SNAPPY else _unsnapped(packed), most)
        else:
            pieces, why = _unpacked(codec, packed, most, on_loop=on_loop)
        body, more = next(pieces, b""), next(pieces, None)
        if on_loop and (more is not None or not body):
            self._owner.repeat(self)
            raise Inflates
        if more is not None:
            return iter(Parser(self._data[:_HEAD], chain([body, more], pieces), why))
        head = bytearray(self._data[:_HEAD])
        head[_CODEC] &= ~7
        return self._quickly(DefaultRecordBatch(b"".join((head, body))), body)

    def _quickly(self, batch: Any, body: bytes) -> Iterator[Any]:
        """Return the records as the library reads them; from a header's name on that is not UTF-8, as we do.

        So do we those of a batch with a large one, whose headers may have to be cut.
        """
        if _has_large(body):
            yield from Parser(self._data[:_HEAD], iter([body]))
            return
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


def _has_large(body: bytes) -> bool:
    """Return whether a record is larger than _LIBRARY. The broker has seen to it that their lengths are true."""
    at = 0
    while len(body) - at > _LIBRARY:
        length = shift = 0
        byte = 0x80
        while byte >= 0x80 and at < len(body) and shift < 64:
            byte = body[at]
            length |= (byte & 0x7F) << shift
            shift += 7
            at += 1
        if length & 1 or length >> 1 > _LIBRARY:
            return not length & 1
        at += length >> 1
    return False


def _gunzipped(packed: bytes, size: int) -> Iterator[bytes]:
    """Return the bytes in pieces: the first of up to `size`, which nearly always is all."""
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
            if piece:
                yield piece
                size = _PIECE
        packed = inflater.unused_data


def _unsnapped(packed: bytes) -> bytes:
    """Return the bytes, 21 times as many at most."""
    try:
        return bytes(snappy_decode(packed))
    except (cramjam.DecompressionError, ValueError, StructError) as error:
        raise CorruptRecordException(f"a batch cannot be decompressed: {error}") from error


def _unpacked(codec: int, packed: bytes, first: int, *, on_loop: bool) -> tuple[Iterator[bytes], bytes]:
    """Return the bytes in pieces, and why nothing follows; on the loop none where they are more than INLINE.

    Memory of a map is only taken for what is written to it.
    """
    unpack = (cramjam.lz4 if codec == _LZ4 else cramjam.zstd).decompress_into
    body = _usual if on_loop else mmap.mmap(-1, UNREADABLE)
    why = CUT_SHORT
    try:
        size = unpack(packed, body)
    except cramjam.DecompressionError as error:
        if "whole buffer" not in str(error):
            raise CorruptRecordException(f"a batch cannot be decompressed: {error}") from error
        size, why = 0 if on_loop else len(body), TOO_LARGE
    return _pieces(memoryview(body)[:size], first), why


def _pieces(body: bytes | memoryview, first: int) -> Iterator[bytes]:
    if body:
        yield bytes(body[:first])
    for at in range(first, len(body), _PIECE):
        yield bytes(body[at : at + _PIECE])
