"""Records out of the bytes of a batch (Kafka's format, version 2), piece by piece and with any header names.

A field so large that nobody can want it is cut, and so are headers without end: what is skipped is not kept. What is
left of a record, 13 MiB at most, is less than any store takes at once: MongoDB's documents have 16 MiB, and so has a
record on a topic of dead letters. The broker limits what it stores, which may be a thousandth of that.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, NamedTuple

import structlog
from aiokafka.errors import CorruptRecordException

from notes_chassis.unread import CORRUPT, CUT, HEADERS_KEPT, KEY_KEPT, UNREAD

log = structlog.get_logger()

KEPT: Final = 9 * 1024 * 1024
"""Bytes that are kept of a value: more than anybody parses, so that one that was cut is refused for its size."""
HEADER_BYTES: Final = 150
"""What a header takes in memory beside its bytes: one without name and content is two bytes of a batch."""
_HEAD: Final = Struct(">q13xh4x2q18x")
_LOG_APPEND_TIME: Final = 8


class ParsedRecord(NamedTuple):
    """What aiokafka makes a ConsumerRecord of."""

    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    checksum: None = None


class Parser:
    """Iterates over the records of a batch, as many as there are up to the end of the bytes or the first corrupt one.

    A bug here stops the partition, by CorruptRecordException: its records are not lost.
    `why` is what those behind the end are told of.
    """

    def __init__(self, head: bytes, pieces: Iterator[bytes], why: bytes = CORRUPT) -> None:
        self._base, attributes, self._first, self._max = _HEAD.unpack(head)
        self._why = why
        self._appended = bool(attributes & _LOG_APPEND_TIME)
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self._behind = 0
        self._error: str | None = None
        self._passed = 0  # bytes of the pieces before this one

    def __iter__(self) -> Iterator[ParsedRecord]:
        try:
            for _ in range(self._behind):
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
        """Pass so many records over."""
        self._behind = count
        return self

    def unread(self, first: int, last: int) -> Iterator[ParsedRecord]:
        """Return what stands for the records of these offsets, which could not be read."""
        why = self._why
        tell = log.error if why == CORRUPT else log.warning
        count = last - first + 1
        tell("records of a batch not read", first=first, records=count, reason=why.decode(), error=self._error)
        for offset in range(first, last + 1):
            yield ParsedRecord(offset, self._max, int(self._appended), None, None, [(UNREAD, why)])

    def _record(self) -> ParsedRecord:
        """Return the next record. Raises EOFError behind the last piece, ValueError if the record is corrupt."""
        length = self._varint()
        end = self._passed + self._at + length
        self._skip(1)
        timestamp = self._varint()
        offset = self._base + self._varint()
        key, cut = self._field(KEY_KEPT)
        value, _ = self._field(KEPT)
        headers: list[tuple[str, bytes | None]] = []
        kept = 0
        for _ in range(self._varint()):
            name = (self._field(HEADERS_KEPT)[0] or b"").decode(errors="backslashreplace")
            content, _ = self._field(HEADERS_KEPT)
            # As it is stored: a byte that is not UTF-8 is four characters by now.
            kept += HEADER_BYTES + len(name if name.isascii() else name.encode()) + len(content or b"")
            if kept > HEADERS_KEPT:
                self._skip(end - self._passed - self._at)  # to parse what nobody gets takes minutes
                cut = True
                break
            headers.append((name, content))
        if self._passed + self._at != end:
            raise ValueError("a record does not end where it says")
        if cut:
            headers.append((UNREAD, CUT))
        moment = self._max if self._appended else self._first + timestamp
        return ParsedRecord(offset, moment, int(self._appended), key, value, headers)

    def _field(self, most: int) -> tuple[bytes | None, bool]:
        """Return the first bytes of a field, and whether it has more of them."""
        length = self._varint()
        if length < 0:
            return None, False
        if self._at + length <= len(self._buffer):
            field = self._buffer[self._at : self._at + min(length, most)]
            self._at += length
            return field, length > most
        parts, missing = [], min(length, most)
        while missing:
            part = self._buffer[self._at : self._at + missing]
            self._at += len(part)
            missing -= len(part)
            parts.append(part)
            if missing:
                self._more()
        if length > most:
            self._skip(length - most)
        return b"".join(parts), length > most

    def _varint(self) -> int:
        """Return a number of variable length, zigzag coded."""
        value = shift = 0
        while True:
            while self._at >= len(self._buffer):
                self._more()
            byte = self._buffer[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1)
            shift += 7
            if shift > 63:
                raise ValueError("a number in a record is too long")

    def _skip(self, count: int) -> None:
        if count < 0:
            raise ValueError("a record is longer than it says")
        while count > (there := len(self._buffer) - self._at):
            count -= there
            self._more()
        self._at += count

    def _more(self) -> None:
        """Go on to the next piece. Raises EOFError behind the last."""
        self._passed += len(self._buffer)
        piece = next(self._pieces, None)
        if piece is None:
            self._buffer, self._at = b"", 0
            raise EOFError
        self._buffer, self._at = piece, 0
