"""Reads any batch of records, in bounded memory.

A batch with a true checksum yields as many records as its head says, at rising offsets of its own, whatever is inside.
The broker checks less than that, and with aiokafka 0.14 one batch could stop a consumer, or make it skip others'
records:

- aiokafka raises UnicodeDecodeError for the name of a header that is not UTF-8. That is no KafkaError, nobody catches
  it, the position does not move, and all partitions stop for ever. CorruptRecordException stops the batch's partition.
- It trusts a record's offset, and reads the byte before the time as a number of any length: a sender who makes that
  longer moves all fields, and sets any offset. The consumer would go on, and commit, from there.
- It decompresses a batch whole and hands out a number of records, whatever their size. 2 MiB of gzip hold 2 GiB, of
  zstd still more.
- An empty header takes two hundred bytes of memory. In a batch it has two bytes, and compressed a few bits.

This depends on private parts of aiokafka: a test on a real broker shows whether it still works.
"""

from collections.abc import Iterable, Iterator
from itertools import chain, islice
from struct import Struct
from typing import Any, Final

from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords

from notes_chassis.kafka.decompression import Codec, decompressed
from notes_chassis.kafka.record_parser import HEADER_BYTES, Parser
from notes_chassis.kafka.record_portions import Inflates
from notes_chassis.unread import CORRUPT, HEADERS_KEPT

_LIBRARY_BYTES: Final = 2 * HEADERS_KEPT // HEADER_BYTES
"""Bytes that aiokafka parses together: they hold half as many headers at most, so none has to be cut."""
_LENGTH: Final = Struct(">8xi")
"""The begin of a batch: its base offset, and the number of bytes that follow."""
_COUNT: Final = Struct(">i")
_HEAD_BYTES: Final = 61
_CODEC_BYTE: Final = 22
"""The byte of the head whose lowest three bits are the codec."""


class BoundedRecords:
    """The batches of one fetch, as aiokafka's MemoryRecords, but readable whatever is in them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._records = MemoryRecords(data)
        self._position = 0
        self._repeated: BoundedBatch | None = None
        self.on_loop = False
        """Whether a batch that is large when decompressed raises Inflates. It is the next batch again then."""

    def size_in_bytes(self) -> int:
        """Return the size of all batches."""
        return int(self._records.size_in_bytes())

    def has_next(self) -> bool:
        """Return whether there is another batch."""
        return self._repeated is not None or bool(self._records.has_next())

    def repeat(self, batch: "BoundedBatch") -> None:
        """Make this batch the next one again."""
        self._repeated = batch

    def next_batch(self) -> "BoundedBatch | None":
        """Return the next batch."""
        repeated = self._repeated
        if repeated is not None:
            self._repeated = None
            return repeated
        batch = self._records.next_batch()
        if batch is None:
            return None
        start = self._position
        (length,) = _LENGTH.unpack_from(self._data, start)
        self._position = start + _LENGTH.size + length
        return BoundedBatch(batch, self._data[start : self._position], self)


class BoundedBatch:
    """A batch of aiokafka whose records `__iter__` reads."""

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
        packed = self._data[_HEAD_BYTES:]
        codec = self._batch.compression_type
        if codec == Codec.NONE:
            return self._in_place(self._readers(packed))
        on_loop = self._owner.on_loop
        pieces, why = decompressed(codec, packed, on_loop=on_loop)
        body = next(pieces, b"")
        more = next(pieces, None)
        if on_loop and (more is not None or not body):
            self._owner.repeat(self)
            raise Inflates
        if more is not None:
            return self._in_place(iter([Parser(self._data[:_HEAD_BYTES], chain([body, more], pieces), why)]))
        return self._in_place(self._readers(body, why))

    def _in_place(self, readers: Iterator[Any]) -> Iterator[Any]:
        """Yield the records as the first reader reads them; from its first bad record on, as the next reader does.

        A record's offset has to be above the one before, and to leave room for those that follow, whether or not
        compaction has left holes. Records that no reader can read are yielded as unread, with the batch's last offsets:
        if there are holes, such an offset may be higher than the record's own, never lower, so that nobody takes it for
        a record that was read before.
        """
        before = self._batch.base_offset - 1
        last = self._batch.next_offset - 1
        (count,) = _COUNT.unpack_from(self._data, _HEAD_BYTES - _COUNT.size)
        count = max(0, min(count, last - before))
        highest = first = last - count + 1
        for reader in readers:
            try:
                rest = reader.behind(highest - first) if highest > first else reader
                for record in islice(rest, last - highest + 1):
                    offset = record.offset
                    if not before < offset <= highest:
                        break
                    before = offset
                    highest += 1
                    yield record
            except Exception:  # aiokafka trusts the numbers that it reads: one of them leads even to a MemoryError
                if isinstance(reader, Parser):
                    raise
            if highest > last:
                return
        yield from reader.unread(highest, last)

    def _readers(self, body: bytes, why: bytes = CORRUPT) -> Iterator[Any]:
        """Yield what reads a decompressed body: aiokafka, in a tenth of the time, then the chassis' Parser."""
        head = self._data[:_HEAD_BYTES]
        codec = self._batch.compression_type
        if codec:
            head = b"".join((head[:_CODEC_BYTE], bytes([head[_CODEC_BYTE] & ~7]), head[_CODEC_BYTE + 1 :]))
        if len(body) > _LIBRARY_BYTES:
            yield chain.from_iterable(_parts(head, body))
        else:
            yield self._batch if codec == Codec.NONE else DefaultRecordBatch(head + body)
        yield Parser(head, iter([body]), why)


def _parts(head: bytes, body: bytes) -> Iterator[Iterable[Any]]:
    """Yield the records of a large body in groups that aiokafka parses together; Parser reads a large record.

    Lengths may be false: a record of a megabyte may claim to have ten bytes. aiokafka then meets the end of its group.
    """
    (left,) = _COUNT.unpack_from(head, _HEAD_BYTES - _COUNT.size)
    start = index = count = 0
    while index < len(body) - _LIBRARY_BYTES:
        begin = index
        length = byte = body[index]
        index += 1
        shift = 0
        while byte >= 0x80 and shift < 63:
            shift += 7
            byte = body[index]
            index += 1
            length += byte - 1 << shift
        index += length >> 1
        if index - start > _LIBRARY_BYTES:
            if count:
                yield _group(head, body[start:begin], count)
            start = begin
            left -= count
            count = 0
            if index - begin > _LIBRARY_BYTES:
                yield islice(Parser(head, iter([body[begin:index]])), 1)
                start = index
                left -= 1
                continue
        count += 1
    if left > 0:
        yield _group(head, body[start:], left)


def _group(head: bytes, records: bytes, count: int) -> Any:
    return DefaultRecordBatch(b"".join((head[: -_COUNT.size], _COUNT.pack(count), records)))
