"""A batch with a true checksum yields as many records as it says, at rising offsets of its own, whatever is inside."""

import gzip
import random
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest
from aiokafka.codec import gzip_encode, lz4_encode, snappy_encode, zstd_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from notes_chassis.kafka import record_batches, record_parser
from notes_chassis.kafka.record_batches import BoundedRecords
from notes_chassis.kafka.record_parser import HEADER_BYTES
from notes_chassis.kafka.record_portions import Inflates
from notes_chassis.unread import CORRUPT, CUT, HEADERS_KEPT, why_unread
from tests.harness.raw_batches import BASE, FORGED, body_of, checked_lz4, number, record, sealed

MIB: Final = 1024 * 1024
SMALLER: Final = 16
"""How much smaller limits and a batch are where reading takes long."""
PACK: Final[dict[int, Callable[[bytes], Any]]] = {
    0: bytes,
    1: gzip_encode,
    2: snappy_encode,
    3: lz4_encode,
    4: zstd_encode,
}
BODY: Final = body_of(3)
CUT_OFF: Final = HEADERS_KEPT // HEADER_BYTES + 1


def read(data: bytes, *, on_loop: bool = False) -> list[Any]:
    """Return the records of a batch, which keep the rule."""
    records = BoundedRecords(data)
    records.on_loop = on_loop
    batch = records.next_batch()
    assert batch is not None
    assert batch.validate_crc()
    try:
        found = list(batch)
    except Inflates:
        return read(data)
    offsets = [record.offset for record in found]
    assert len(offsets) == int.from_bytes(data[57:61])
    assert offsets == sorted(set(offsets))
    assert not offsets or batch.base_offset <= offsets[0] <= offsets[-1] < batch.next_offset
    return found


def shown(data: bytes) -> list[Any]:
    """Return the value of each record, or why there is none."""
    return [why_unread(record.headers) or record.value for record in read(data)]


def boundless(length: int) -> bytes:
    """Return a record whose value has this length: behind the sum of it and the place, 64 bits begin anew."""
    body = b"\0\0\0\1" + number(length) + b"x" * 300
    return number(len(body)) + body


def changed(body: bytes, by: int) -> bytes:
    """Return the records, the first of which lies about its length."""
    length, rest = body[0] >> 1, body[1:]
    return number(length + by) + rest


WHOLE: Final = [b"v0", b"v1", b"v2"]
NOTHING: Final = [CORRUPT.decode()] * 3
HOSTILE: Final = {
    "gzip, garbage behind": (1, gzip_encode(BODY) + b"garbage", WHOLE),
    "gzip, a zero behind": (1, gzip_encode(BODY) + b"\0", WHOLE),
    "gzip, cut": (1, gzip.compress(BODY)[:-20], None),
    "gzip, a record that is too long": (1, gzip_encode(changed(BODY, 1)), NOTHING),
    "gzip, a record that is too short": (1, gzip_encode(changed(BODY, -1)), NOTHING),
    "gzip, a record without end": (1, gzip_encode(changed(BODY, 2**31 - 1)), NOTHING),
    "gzip, a record of less than nothing": (1, gzip_encode(b"\1" + BODY[1:]), NOTHING),
    "zstd, a record that is too long": (4, zstd_encode(changed(BODY, 1)), NOTHING),
    "zstd, nothing of the kind": (4, BODY, NOTHING),
    "snappy, two streams": (2, snappy_encode(BODY[:20]) + snappy_encode(BODY[20:]), NOTHING),
    "snappy, two bytes behind": (2, snappy_encode(BODY) + b"\0\0", NOTHING),
    "snappy, a version of the future": (2, b"\x82SNAPPY\0\0\0\0\2\0\0\0\1" + snappy_encode(BODY)[16:], NOTHING),
    "lz4, a wrong checksum": (3, checked_lz4(BODY)[:-1] + b"x", NOTHING),
    "lz4, garbage behind": (3, lz4_encode(BODY) + b"garbage", NOTHING),
    "lz4, two frames": (3, lz4_encode(BODY[:20]) + lz4_encode(BODY[20:]), None),
    **{f"a value of 2^63 - {less}": (0, boundless(2**63 - less), NOTHING) for less in (1, 40, 60, 80)},
    "attributes of two bytes": (0, record(0, b"v0", attributes=b"\x80") + BODY[len(BODY) // 3 :], WHOLE),
    "all attributes": (0, b"".join(record(n, b"v%d" % n, attributes=b"\xff") for n in range(3)), WHOLE),
}


@pytest.mark.parametrize(("codec", "body", "wanted"), HOSTILE.values(), ids=HOSTILE)
def test_what_the_broker_takes_is_read_or_told_to_be_unread(codec: int, body: bytes, wanted: list[Any] | None) -> None:
    found = shown(sealed(body, 3, codec))
    assert found == (found if wanted is None else wanted)


@pytest.mark.parametrize("codec", PACK)
def test_a_record_cannot_write_its_own_offset(codec: int) -> None:
    forged = number(len(FORGED)) + FORGED
    (found,) = read(sealed(PACK[codec](forged), 1, codec))
    assert (found.offset, found.key) == (BASE, FORGED[4:12])


@pytest.mark.parametrize("codec", PACK)
def test_a_header_is_not_taken_for_a_record(codec: int) -> None:
    """The record says that it ends before its headers do: what is behind the cut ones looks like the next record."""
    forged = b"\0\0" + number(9) + b"\1\1\0"
    inside = number(len(forged)) + forged + number(-1)
    many = number(1) + b"\0\0\0\1\1" + number(CUT_OFF + 1) + b"\0\1" * CUT_OFF + inside
    assert shown(sealed(PACK[codec](many + record(1, b"v1")), 2, codec)) == NOTHING[:2]


def test_what_is_read_well_before_is_kept() -> None:
    body = body_of(5)
    start = 3 * len(body) // 5
    assert shown(sealed(body[:start] + b"\1" + body[start + 1 :], 5)) == [*WHOLE, *NOTHING[:2]]


def test_records_keep_room_for_those_that_follow() -> None:
    assert shown(sealed(record(2, b"v0") + record(1, b"v1") + record(2, b"v2"), 3)) == NOTHING
    assert shown(sealed(record(0, b"v0") + record(0, b"v1") + record(2, b"v2"), 3)) == [b"v0", *NOTHING[:2]]


def test_holes_that_compaction_left_stay() -> None:
    body = record(2, b"v0") + record(5, b"v1") + record(6, b"v2")
    found = read(sealed(body, 3, last=9))
    assert [(record.offset, record.value) for record in found] == [
        (BASE + 2, b"v0"),
        (BASE + 5, b"v1"),
        (BASE + 6, b"v2"),
    ]
    found = read(sealed(body[:-3], 3, last=9))
    assert [record.offset - BASE for record in found] == [2, 5, 9]


@pytest.mark.parametrize("length", [10, -1], ids=["ten bytes", "less than nothing"])
def test_a_record_that_lies_about_its_length_takes_no_memory(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library would make two hundred bytes of each of its headers before it saw that."""
    for module, limit in ((record_parser, "HEADERS_KEPT"), (record_batches, "_LIBRARY_BYTES")):
        monkeypatch.setattr(module, limit, getattr(module, limit) // SMALLER)
    many = MIB // SMALLER
    body = number(length) + b"\0\0\0\1\1" + number(many) + b"\0\0" * many
    tracemalloc.start()
    found = shown(sealed(gzip_encode(body), 1, 1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == NOTHING[:1]
    assert peak < 30 * MIB // SMALLER


@pytest.mark.parametrize("count", [CUT_OFF - 1, CUT_OFF, 30_000])
def test_headers_are_cut_in_a_small_batch_too(count: int) -> None:
    inside = b"\0\0\0\1\1" + number(count) + b"\0\1" * count
    (found,) = read(sealed(number(len(inside)) + inside, 1))
    assert len(found.headers) == min(count, CUT_OFF)
    assert why_unread(found.headers) == (CUT.decode() if count >= CUT_OFF else None)


class Inflater:
    """Counts the bytes that are handed over to be unpacked: what is behind a part is copied, and handed over again."""

    handed_over = 0

    def __init__(self, real: Any) -> None:
        self.real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def decompress(self, packed: bytes, size: int) -> bytes:
        Inflater.handed_over += len(packed)
        found: bytes = self.real.decompress(packed, size)
        return found


def test_the_parts_of_a_batch_in_gzip_cost_the_same_each(monkeypatch: pytest.MonkeyPatch) -> None:
    real = zlib.decompressobj
    monkeypatch.setattr(zlib, "decompressobj", lambda wbits: Inflater(real(wbits)))

    def cost(parts: int) -> int:
        before = Inflater.handed_over
        assert shown(sealed(gzip_encode(BODY) + gzip.compress(b"", 1, mtime=0) * parts, 3, 1)) == WHOLE
        return Inflater.handed_over - before

    assert 0 < cost(40_000) < 5 * cost(10_000)


def test_of_any_bytes_each_record_has_an_offset_of_its_batch() -> None:
    chance = random.Random(27)
    headers: list[tuple[str, bytes | None]] = [("ce_id", b"x" * 36), ("é", None)]
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, 0, MIB)
    for at in range(6):
        builder.append(at, 1_000 + at, b"key", b"value" * at, headers)
    plain = bytes(builder.build())[61:]
    for turn in range(4_000):
        codec = turn % 5
        body = _spoilt(plain, chance) if chance.random() < 0.7 else plain
        packed = bytes(PACK[codec](body))
        if codec and chance.random() < 0.5:
            packed = _spoilt(packed, chance)
        last = 5 if chance.random() < 0.7 else 5 + chance.randrange(1, 20)
        read(sealed(packed, 6, codec, last=last), on_loop=chance.random() < 0.5)


def _spoilt(body: bytes, chance: random.Random) -> bytes:
    found = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(found))
        match chance.randrange(4):
            case 0:
                found[at] ^= 1 << chance.randrange(8)
            case 1:
                found[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
            case 2:
                found[at:at] = number(chance.choice((-1, 0, 9, 2**31 - 1, -(2**31), 2**63 - 1)))
            case _:
                del found[at : at + chance.randrange(1, 9)]
        if not found:
            return b"\0"
    return bytes(found)
