"""Parses the records of a batch (Kafka's format, version 2) piece by piece, with any header names.

Fields and headers beyond a size that anybody can want are cut: their rest is skipped, not kept in memory. At most 13
MiB are left of a record, which every store takes: documents of MongoDB, and records on a topic of dead letters, may
have 16 MiB. The broker's own limit is on compressed bytes, which may be a thousandth of that.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

import structlog
from aiokafka.errors import CorruptRecordException

from notes_chassis.unread import CORRUPT, CUT, HEADERS_KEPT, KEY_KEPT, UNREAD

log = structlog.get_logger()

KEPT: Final = 9 * 1024 * 1024
"""Bytes that are kept of a value: more than any limit on its size, so that a value that was cut is refused for that."""
HEADER_BYTES: Final = 150
"""Memory of a header beside its bytes. A header without name and content has two bytes in a batch."""
_HEAD: Final = Struct(">q13xh4x2q18x")
_LOG_APPEND_TIME: Final = 8


class ParsedRecord(NamedTuple):
    """A record with the attributes from which aiokafka builds a ConsumerRecord."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class Parser:
    """Iterates over the records of a batch, up to the end of its bytes or the first corrupt record.

    `head`: the batch's. `pieces`: its body, decompressed. `why`: the reason for which records behind the end are
    unread. A bug here raises CorruptRecordException, which stops the partition: its records are not lost.
    """

    def __init__(self, head: bytes, pieces: Iterator[bytes], why: bytes = CORRUPT) -> None:
        self._base_offset, attributes, self._first_timestamp, self._max_timestamp = _HEAD.unpack(head)
        self._why = why
        self._log_append_time = bool(attributes & _LOG_APPEND_TIME)
        self._pieces = pieces
        self._piece = b""
        self._index = 0
        """Where to read on in the piece."""
        self._passed = 0
        """Bytes of the pieces before this one."""
        self._skipped_records = 0
        self._error: str | None = None

    def __iter__(self) -> Iterator[ParsedRecord]:
        try:
            for _ in range(self._skipped_records):
                self._skip(self._varint())
            while True:
                yield self._record()
        except (EOFError, ValueError) as error:
            self._error = type(error).__name__
            if isinstance(error, ValueError):
                self._why = CORRUPT
        except MemoryError:
            raise
        except Exception as bug:
            log.exception("a batch cannot be parsed, trying again")
            raise CorruptRecordException from bug

    def behind(self, count: int) -> "Parser":
        """Skip this number of records."""
        self._skipped_records = count
        return self

    def unread(self, first: int, last: int) -> Iterator[ParsedRecord]:
        """Yield a record without key and value for each of these offsets, which could not be read."""
        why = self._why
        write = log.error if why == CORRUPT else log.warning
        count = last - first + 1
        write("records of a batch not read", first=first, records=count, reason=why.decode(), error=self._error)
        for offset in range(first, last + 1):
            yield ParsedRecord(offset, self._max_timestamp, int(self._log_append_time), None, None, [(UNREAD, why)])

    def _record(self) -> ParsedRecord:
        """Return the next record. Raises EOFError behind the last piece, ValueError if the record is corrupt."""
        length = self._varint()
        end = self._passed + self._index + length
        self._skip(1)
        timestamp = self._varint()
        offset = self._base_offset + self._varint()
        key, cut = self._field(KEY_KEPT)
        value, _ = self._field(KEPT)
        headers: list[tuple[str, bytes | None]] = []
        kept = 0
        for _ in range(self._varint()):
            name = (self._field(HEADERS_KEPT)[0] or b"").decode(errors="backslashreplace")
            content, _ = self._field(HEADERS_KEPT)
            # The size in which it is stored: a byte that is not UTF-8 has become four characters.
            kept += HEADER_BYTES + len(name if name.isascii() else name.encode()) + len(content or b"")
            if kept > HEADERS_KEPT:
                self._skip(end - self._passed - self._index)  # to parse headers that are dropped takes minutes
                cut = True
                break
            headers.append((name, content))
        if self._passed + self._index != end:
            raise ValueError("a record does not end where it says")
        if cut:
            headers.append((UNREAD, CUT))
        written_at = self._max_timestamp if self._log_append_time else self._first_timestamp + timestamp
        return ParsedRecord(offset, written_at, int(self._log_append_time), key, value, headers)

    def _field(self, most: int) -> tuple[bytes | None, bool]:
        """Return the first `most` bytes of a field, and whether it has more of them."""
        length = self._varint()
        if length < 0:
            return None, False
        if self._index + length <= len(self._piece):
            field = self._piece[self._index : self._index + min(length, most)]
            self._index += length
            return field, length > most
        parts, missing = [], min(length, most)
        while missing:
            part = self._piece[self._index : self._index + missing]
            self._index += len(part)
            missing -= len(part)
            parts.append(part)
            if missing:
                self._next_piece()
        if length > most:
            self._skip(length - most)
        return b"".join(parts), length > most

    def _varint(self) -> int:
        """Return the next number, of variable length and zigzag coded."""
        value = shift = 0
        while True:
            while self._index >= len(self._piece):
                self._next_piece()
            byte = self._piece[self._index]
            self._index += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number in a record is too long")

    def _skip(self, count: int) -> None:
        if count < 0:
            raise ValueError("a record is longer than it says")
        while count > (left := len(self._piece) - self._index):
            count -= left
            self._next_piece()
        self._index += count

    def _next_piece(self) -> None:
        """Go on to the next piece. Raises EOFError behind the last."""
        self._passed += len(self._piece)
        piece = next(self._pieces, None)
        self._piece = b"" if piece is None else piece
        self._index = 0
        if piece is None:
            raise EOFError
