"""A position on the topic of events, and its opaque text, which clients keep as `Last-Event-ID`.

It is a vector of offsets, which means the same on every instance and after every rebuild. It also has a fingerprint of
the topic's name: in another topic the offsets mean other records.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final
from zlib import crc32

from notes_chassis.http.limits import HEADER_BYTES
from notes_query.errors import InvalidCursor

MAX_LENGTH: Final = HEADER_BYTES
"""An id comes in a header."""
NAMED: Final = 8
"""Pending events of a partition that a position names. The position stays below those that it does not name."""
NAMED_IN_ALL: Final = 64
"""The same for all partitions together: an id must not become longer than a header may be."""
_VERSION: Final = 1
_FINGERPRINT: Final = 4
_MAX_BITS: Final = 63


def fingerprint(topic: str) -> int:
    """Return the fingerprint of a topic's name."""
    return crc32(topic.encode())


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """All events below `next` (by partition) have been sent, except `pending`: (partition, offset), in order."""

    topic: int
    next: tuple[int, ...]
    pending: tuple[tuple[int, int], ...] = ()

    def extended(self, partitions: int) -> "StreamPosition":
        """Return the position with the partitions that the topic has got since: nothing of them has been sent."""
        return StreamPosition(self.topic, (*self.next, *(0 for _ in range(partitions - len(self.next)))), self.pending)

    def starts(self) -> list[int]:
        """Return the offsets to read from, by partition, to see all that has not been sent."""
        starts = list(self.next)
        for partition, offset in self.pending:
            starts[partition] = min(starts[partition], offset)
        return starts


def varint(number: int) -> bytes:
    """Return a number of zero or more, seven bits to a byte, the lowest first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def head(topic: int, partitions: int) -> bytes:
    """Return the first bytes of a position's text, before base64."""
    return bytes([_VERSION]) + topic.to_bytes(_FINGERPRINT, "big") + varint(partitions)


def tail(next_: Sequence[int], pending: Iterable[tuple[int, int]]) -> bytes:
    """Return the last bytes: each pending event as its partition and its distance below `next`."""
    return b"".join(varint(partition) + varint(next_[partition] - offset) for partition, offset in pending)


def text(packed: bytes) -> str:
    """Return packed bytes as text that may stand in a header and in a URL."""
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def encode(position: StreamPosition) -> str:
    """Return the text of a position."""
    nexts = b"".join(map(varint, position.next))
    return text(head(position.topic, len(position.next)) + nexts + tail(position.next, position.pending))


def decode(given: str) -> StreamPosition:
    """Return the position of a text. Raises InvalidCursor for one that `encode` did not make."""
    try:
        packed = urlsafe_b64decode(given[:MAX_LENGTH].encode("ascii") + b"=" * (-len(given) % 4))
        version, topic = packed[0], int.from_bytes(packed[1 : 1 + _FINGERPRINT], "big")
        numbers = _varints(packed[1 + _FINGERPRINT :])
        next_ = tuple(next(numbers) for _ in range(next(numbers)))
        rest = list(numbers)
        pairs = zip(rest[::2], rest[1::2], strict=True)
        position = StreamPosition(
            topic, next_, tuple((partition, next_[partition] - below) for partition, below in pairs)
        )
    except (ValueError, IndexError, StopIteration, RuntimeError) as error:
        raise InvalidCursor("the event id is not one that this service has given out") from error
    sent = all(0 <= offset < next_[partition] for partition, offset in position.pending)
    few = all(count <= NAMED for count in Counter(partition for partition, _ in position.pending).values())
    in_order = all(one < other for one, other in pairwise(position.pending))
    if version != _VERSION or not (sent and few and in_order) or encode(position) != given:
        raise InvalidCursor("the event id is not one that this version of the service gives out")
    return position


def _varints(packed: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        if shift > _MAX_BITS or number >> _MAX_BITS:
            raise ValueError("too large a number")
        if byte & 0x80:
            shift += 7
        else:
            yield number
            number = shift = 0
    if shift:
        raise ValueError("cut off")
